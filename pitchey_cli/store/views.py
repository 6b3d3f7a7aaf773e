"""What may be read of a store from elsewhere: each is a method of the store's port, and takes a role and an area.

The port's own types say how arguments and results are written as JSON, so a store that is read from elsewhere gives
what one beside the database gives. What a spec keeps secret is masked on the way out, and no hash of a token goes out.
What changes something is not here: that has routes of its own, which check what is asked for.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from pitchey_cli.domain import access as access_words
from pitchey_cli.domain import webhooks as webhook_words
from pitchey_cli.domain.access import ApiToken, Area, Role
from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Job
from pitchey_cli.domain.recurrence import Schedule
from pitchey_cli.domain.secrecy import masked
from pitchey_cli.domain.webhooks import Webhook
from pitchey_cli.store.accounts import Costs
from pitchey_cli.store.port import JobFilter, Store
from pitchey_cli.values import dataclass

#: counts up when a view takes or gives something else than before, so that two versions notice each other
SCHEMA = 1
_GIVEN_HERE = frozenset({"as_of", "now"})  # the moment is that of the machine whose clocks count the cost
_MOST_ROWS = 10_000  # that can be asked for at once
#: rows of what has no pages: some 50 MB while they are put together, and as much as a year of a busy machine has
_WHOLE: Mapping[str, int] = {"instances": 50_000, "costs": 100_000, "pool_samples": 100_000, "arrivals": 200_000}


@dataclass(frozen=True)
class View:
    """A method of the store that may be called from elsewhere."""

    name: str
    role: Role
    areas: frozenset[Area]  #: a token that is narrowed needs one of them


def _views(role: Role, areas: tuple[Area, ...], *names: str) -> dict[str, View]:
    return {name: View(name, role, frozenset(areas)) for name in names}


_JOBS, _POOLS, _COST = Area.JOBS, Area.POOLS, Area.COST

VIEWS: Mapping[str, View] = {
    **_views(
        Role.VIEWER, (_JOBS,),
        "job", "jobs", "job_ids", "attempts", "outputs", "details", "events", "last_event_id", "dependencies",
        "batches", "batch_counts", "completed", "last_nodes",
    ),
    **_views(Role.VIEWER, (_JOBS, _POOLS), "counts", "instances", "queue", "running", "waiting_pools", "nodes"),
    **_views(Role.VIEWER, (_JOBS, _COST), "budgets", "standings", "waiting_jobs"),
    **_views(Role.VIEWER, (Area.SCHEDULES,), "schedules", "schedule"),
    **_views(
        Role.VIEWER, (_POOLS,),
        "scaling_events", "last_decisions", "measurements", "forecasts", "warm_requests",
    ),
    **_views(Role.VIEWER, (_POOLS, _COST), "pool_samples", "arrivals"),
    **_views(Role.VIEWER, (_COST,), "costs", "spent", "first_booked"),
    **_views(Role.VIEWER, (Area.ACCESS,), "organisations", "organisation"),
    **_views(Role.ADMIN, (Area.ACCESS,), "members", "tokens", "audit_log"),
    **_views(Role.ADMIN, (Area.WEBHOOKS,), "webhooks", "deliveries", "delivery"),
}  # fmt: skip


@cache
def _hints(name: str) -> dict[str, Any]:
    # The port names the words of domain/access.py and domain/webhooks.py for type checkers alone.
    return get_type_hints(getattr(Store, name), localns={**vars(access_words), **vars(webhook_words)})


@cache
def _adapter(name: str, of: str) -> TypeAdapter[Any]:
    return TypeAdapter(_hints(name)[of])


@cache
def _parameters(name: str) -> tuple[str, ...]:
    found = inspect.signature(getattr(Store, name)).parameters
    return tuple(each for each in found if each != "self" and each not in _given_here(name))


def _given_here(name: str) -> frozenset[str]:
    return _GIVEN_HERE | {"limit"} if name in _WHOLE else _GIVEN_HERE


def _takes(name: str) -> set[str]:
    return set(inspect.signature(getattr(Store, name)).parameters) & _given_here(name)


# --- who asks


def asked(name: str, positional: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a call, as JSON has them."""
    bound = inspect.signature(getattr(Store, name)).bind(None, *positional, **named)
    return {
        each: _adapter(name, each).dump_python(value, mode="json")
        for each, value in bound.arguments.items()
        if each != "self" and each not in _given_here(name)
    }


def read(name: str, document: bytes) -> Any:
    """What a call gave.

    Raises:
        ValueError: it is nothing that this version understands.
    """
    return _adapter(name, "return").validate_json(document)


# --- who answers


def answer(store: Store, name: str, arguments: Mapping[str, Any], as_of: AsOf) -> bytes:
    """Call a method of a store, with what is kept secret masked.

    Raises:
        UsageError: an argument is missing, is none of its own or does not fit.
    """
    if unknown := arguments.keys() - set(_parameters(name)):
        raise UsageError(
            f"The view {name} takes no {min(unknown)!r}.", hint=f"It takes {', '.join(_parameters(name))}."
        )
    if _is_beyond(arguments):
        raise UsageError(f"The arguments of the view {name} do not fit.", hint=f"Numbers end at {_LARGEST}.")
    try:
        given = {each: _adapter(name, each).validate_python(value, strict=False) for each, value in arguments.items()}
        inspect.signature(getattr(Store, name)).bind(None, **given, **dict.fromkeys(_takes(name)))
    except (ValidationError, TypeError) as error:
        first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"The arguments of the view {name} do not fit.", hint=f"{first}.") from error
    wanted = given.get("wanted")
    limit = wanted.limit if isinstance(wanted, JobFilter) else given.get("limit", 1)
    if not 1 <= limit <= _MOST_ROWS:  # to SQLite a negative limit is none
        raise UsageError(f"limit {limit}: one answer has 1 to {_MOST_ROWS:,} rows.", hint="Ask for the rest then.")
    most = _WHOLE.get(name)
    here = {"as_of": as_of, "now": as_of.now, "limit": None if most is None else most + 1}
    found = getattr(store, name)(**given, **{each: here[each] for each in _takes(name)})
    if most is not None and len(found.booked if isinstance(found, Costs) else found) > most:
        hint = "Ask for a shorter time (--since, --for), or at the machine itself."
        raise UsageError(f"These are more than {most:,} rows, which is more than one answer has.", hint=hint)
    return _adapter(name, "return").dump_json(shown(found))


def _is_beyond(value: object) -> bool:
    """Whether there is a number that no database takes."""
    if isinstance(value, Mapping):
        return any(map(_is_beyond, value.values()))
    if isinstance(value, list):
        return any(map(_is_beyond, value))
    return isinstance(value, int) and abs(value) > _LARGEST


_LARGEST = 2**63 - 1


def shown(found: Any) -> Any:
    """What may be seen of what a store gives."""
    if isinstance(found, Job):
        return replace(found, spec=masked(found.service, found.spec), token=None)
    if isinstance(found, Schedule):
        fields = masked(found.service, found.request["fields"])
        return replace(found, request={**found.request, "fields": fields})
    if isinstance(found, ApiToken):
        return replace(found, digest="")
    if isinstance(found, Webhook):
        return replace(found, secret="", old_secret=None)
    if isinstance(found, list) or type(found) is tuple:  # rows that are tuples with names have nothing to mask
        return [shown(each) for each in found]
    return found
