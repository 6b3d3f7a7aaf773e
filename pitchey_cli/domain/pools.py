"""Which pool a job and an instance belong to. Pure.

The instances of most services work for everybody. Those of `code` work for one organisation, for life: what a program
that nobody trusts may have left on one (its packages, its files, whatever a hole in the sandbox gave it) is never met
by a program of somebody else.
"""

from __future__ import annotations

from typing import NamedTuple

from processors.vocabulary import Service

DEFAULT_ORGANISATION = "default"  #: whose jobs are that name none
_OF_ONE_ORGANISATION = frozenset({Service.CODE})


def is_shared(service: Service) -> bool:
    """Whether an instance of a service works for all organisations."""
    return service not in _OF_ONE_ORGANISATION


class PoolKey(NamedTuple):
    """The instances of one service and size, and of one organisation where the service's are not shared."""

    service: Service
    size: str = ""  #: the instance type, where that is not the service's own
    organisation: str = ""  #: empty: of all

    @classmethod
    def of(cls, service: Service, size: str = "", organisation: str = DEFAULT_ORGANISATION) -> PoolKey:
        """The pool that an organisation's jobs wait for."""
        return cls(service, size, "" if is_shared(service) else organisation)

    @property
    def is_first(self) -> bool:
        """Whether it is the one that a service always has: what is kept ready without being asked is kept in it."""
        return self == PoolKey.of(self.service)

    @property
    def is_possible(self) -> bool:
        """Whether there are such pools: a record may be of a version in which instances were divided otherwise."""
        return is_shared(self.service) == (not self.organisation)

    @property
    def owner(self) -> str:
        """The organisation, where it has to be said: most people have none but the default one."""
        return "" if self.organisation == DEFAULT_ORGANISATION else self.organisation

    def __str__(self) -> str:
        """As people call it."""
        sized = f"{self.service} ({self.size})" if self.size else str(self.service)
        return f"{sized} of {self.owner}" if self.owner else sized
