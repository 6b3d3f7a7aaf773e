"""What is meant when something is said of a part of all jobs: an organisation's, a service's, both, or all."""

from __future__ import annotations

from pitchey_cli.values import dataclass
from processors.vocabulary import Service


@dataclass(frozen=True)
class Scope:
    """Some of the jobs."""

    organisation: str = ""  #: empty: of all
    service: Service | None = None  #: None: of all

    def covers(self, organisation: str, service: Service | None) -> bool:
        """Whether a job of an organisation and a service is meant."""
        return self.organisation in ("", organisation) and self.service in (None, service)

    def __str__(self) -> str:
        """As people call it."""
        return ", ".join(filter(None, (self.organisation, self.service))) or "everything"
