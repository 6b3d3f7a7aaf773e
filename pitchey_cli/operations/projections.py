"""How fast scopes spend, as the store knows it. The rule is in domain/projection.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pitchey_cli.domain.budget import AsOf, Standing
from pitchey_cli.domain.cost import Entry, live_entries
from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.projection import Pace, first_moment, of_scope, pace, recent_since
from pitchey_cli.domain.scope import Scope
from pitchey_cli.store.accounts import Accounts


def of_budgets(store: Accounts, as_of: AsOf, standings: Sequence[Standing]) -> list[Pace]:
    """The pace of each budget's scope."""
    if not standings:
        return []
    found = store.costs(since=recent_since(as_of.now), until=as_of.now)
    live = live_entries(found.instances, found.attempts, boot=as_of.boot, tick=as_of.tick)
    known, instances = [*found.booked, *live], store.instances(active_only=False)
    return [pace_of(store, each.budget.scope, known, instances, now=as_of.now) for each in standings]


def pace_of(
    store: Accounts, scope: Scope, known: Sequence[Entry], instances: Iterable[Instance], *, now: datetime
) -> Pace:
    """How fast a scope spends.

    Args:
        known: what is booked or lives of the last days.
        instances: all that are remembered.
    """
    booked = store.first_booked(organisation=scope.organisation or None, service=scope.service)
    hour = min((each.hour for each in of_scope(scope, known)), default=booked)
    if hour is None:
        return Pace()
    hour = hour if booked is None else min(hour, booked)
    first = first_moment(hour, (each for each in instances if scope.service in (None, each.service)))
    return pace(scope, known, first=first, now=now)
