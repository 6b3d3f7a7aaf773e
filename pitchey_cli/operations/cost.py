"""What a period has cost, what it may come to, and what scaling to zero has saved: of what is booked and what lives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.cost import Entry, Life, Line, entries, live_entries, tick_of
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.moments import earlier
from pitchey_cli.domain.periods import Period, term_of
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.domain.projection import first_moment, recent_since
from pitchey_cli.domain.scope import Scope
from pitchey_cli.domain.spending import By, Report, Span, summarise
from pitchey_cli.operations.projections import pace_of
from pitchey_cli.store.accounts import Accounts
from pitchey_cli.values import dataclass
from processors.vocabulary import Service


@dataclass(frozen=True)
class Asking:
    """What it takes to know what things cost now."""

    store: Accounts
    as_of: AsOf
    tariff_of: Callable[[Service], Tariff]  #: of an instance that is started now

    @property
    def now(self) -> datetime:
        """In the zone that days are meant in."""
        return self.as_of.now.astimezone(self.as_of.zone)


def span_of(period: str, since: str, until: str, *, now: datetime) -> Span:
    """The period that somebody asks for; empty texts are what was left out.

    Args:
        now: in the zone that days are meant in.
    """
    zone = now.tzinfo or UTC
    if not since and not until:
        term = term_of(_period_named(period or Period.MONTH), now, zone)
        return Span.around(term.begin, term.end)
    if period:
        raise UsageError("--period goes without --since and --until.", hint="Leave one of them out.")
    end = earlier(until, now=now, what="--until") if until else now
    # Up to a moment to come, the period is what there has been of this month, and the rest is projected.
    begin = earlier(since, now=now, what="--since") if since else term_of(Period.MONTH, min(end, now), zone).begin
    if begin > now:
        raise UsageError(f"--since {since!r} is still to come.", hint="Give it a moment that has passed.")
    if begin >= end:
        raise UsageError(f"--since {since!r} is not before the end of the period.", hint="Give it an earlier moment.")
    return Span.around(begin.astimezone(UTC), end.astimezone(UTC))


def ways(names: Iterable[str]) -> tuple[By, ...]:
    """The tables that somebody asks for; two of them for nothing."""
    asked = tuple(dict.fromkeys(names))
    for name in asked:
        if name not in tuple(By):
            raise UsageError(f"There is no table by {name!r}.", hint=f"There are {', '.join(By)}.")
    return tuple(map(By, asked)) or (By.SERVICE, By.ORGANISATION)


def known(asking: Asking, span: Span) -> list[Entry]:
    """All that a report of a period is made of: what is in the ledger, and what lives."""
    found = asking.store.costs(since=min(span.since, recent_since(asking.now)), until=max(span.until, asking.now))
    live = live_entries(found.instances, found.attempts, boot=asking.as_of.boot, tick=asking.as_of.tick)
    return [*found.booked, *live]


def report(
    asking: Asking,
    known: Sequence[Entry],
    span: Span,
    by: Sequence[By],
    *,
    service: Service | None = None,
    organisation: str | None = None,
) -> Report:
    """Add up a period."""
    now, instances = asking.now, asking.store.instances(active_only=False)
    return summarise(
        known,
        span,
        by,
        now=now,
        pace=pace_of(asking.store, Scope(organisation or "", service), known, instances, now=now),
        service=service,
        organisation=organisation,
        always_on=_always_on([each for each in known if service in (None, each.service)], instances, span, asking),
    )


def _period_named(name: str) -> Period:
    try:
        return Period(name)
    except ValueError:
        raise UsageError(f"There is no period {name!r}.", hint=f"There are {', '.join(Period)}.") from None


def _always_on(known: Iterable[Entry], instances: Sequence[Instance], span: Span, asking: Asking) -> int:
    """One instance of each service that was used, at today's price, from the first that there was in the period on."""
    first: dict[Service, datetime] = {}
    for entry in known:
        if entry.line is Line.INSTANCE and span.has(entry):
            first[entry.service] = min(entry.hour, first.get(entry.service, entry.hour))
    whole = 0
    for service, hour in first.items():
        begin = first_moment(hour, (each for each in instances if each.service is service))
        life = Life(service, "", "", 1, asking.tariff_of(service), begin, 0)
        end = tick_of((min(span.until, asking.now) - begin).total_seconds())
        whole += sum(entry.nanodollars for entry in entries(life, Line.INSTANCE, 0, end))
    return whole
