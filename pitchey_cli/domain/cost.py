"""What instances and attempts cost: pure arithmetic, in whole ticks and whole nanodollars, so that sums are exact.

A tick is a point on the machine's monotonic clock, in hundredths of a second since its boot: what lies between two
points adds up, whatever is cut out of it, and a wall clock that jumps changes nothing. Only the hour that something is
booked to comes from the wall clock, by one anchor for each instance: the moment of its creation. Its attempts go by the
same anchor, so both are cut at the same points, and no hour sells more slots than it has.

What a piece costs is rounded down. A sum of pieces rounded down is never more than the whole rounded down: therefore
`idle`, an instance's price without that of its attempts, is never negative.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.values import dataclass
from processors.vocabulary import Service

TICKS_PER_SECOND = 100
TICKS_PER_HOUR = 3600 * TICKS_PER_SECOND
_TICK = timedelta(milliseconds=10)


def tick_of(monotonic: float) -> int:
    """The tick in which a moment of the monotonic clock lies."""
    return math.floor(monotonic * TICKS_PER_SECOND)


class Line(StrEnum):
    """What is booked. `start` and `paused` are parts of `instance`; `work` and `failed` are what of it was used."""

    INSTANCE = "instance"  #: its whole existence
    START = "start"  #: before it was ready
    PAUSED = "paused"
    WORK = "work"  #: attempts that completed
    FAILED = "failed"  #: attempts that did not: waste


USED = frozenset({Line.WORK, Line.FAILED})


@dataclass(frozen=True)
class Life:
    """What of an instance decides its bill; fixed when it is created."""

    service: Service
    instance_type: str
    region: str
    slots: int
    tariff: Tariff
    created_at: datetime
    created_tick: int

    def moment_of(self, tick: int) -> datetime:
        """The moment that a tick is booked to."""
        return self.created_at + (tick - self.created_tick) * _TICK

    def first_tick_at(self, moment: datetime) -> int:
        """The first tick that is not before a moment."""
        return self.created_tick - (self.created_at - moment) // _TICK


class Account(NamedTuple):
    """Who a line is booked to; the existence of instances is nobody's."""

    organisation: str = ""
    batch: str = ""


NOBODY = Account()


class Entry(NamedTuple):
    """A row of the ledger, or what is added to one. A tuple, because one is made at every end of an attempt."""

    hour: datetime
    service: Service
    instance_type: str
    region: str
    account: Account
    line: Line
    ticks: int  #: of slots: an instance with four slots has four in each tick
    nanodollars: int
    attempts: int = 0  #: that ended in this hour


@dataclass(frozen=True)
class LiveAttempt:
    """An attempt that runs."""

    instance: Instance
    account: Account
    started_tick: int
    slots: int  #: that it takes of its instance


def life_of(instance: Instance) -> Life:
    """What of an instance decides its bill."""
    return Life(
        instance.service,
        instance.instance_type,
        instance.region,
        instance.slots,
        instance.tariff,
        instance.created_at,
        instance.created_tick,
    )


def entries(
    life: Life,
    line: Line,
    begin: int,
    end: int,
    *,
    slots: int | None = None,
    account: Account = NOBODY,
    attempts: int = 0,
) -> list[Entry]:
    """What a span of an instance's life costs, hour by hour.

    Args:
        slots: how many of its slots are meant; None means all.
        attempts: that end with the span: they count in its last hour.
    """
    taken = life.slots if slots is None else slots
    found: list[Entry] = []
    while begin < end or (attempts and not found):
        # Cut where an hour ends or the price changes: at the same ticks for the instance and all that runs on it.
        hour, price, until = life.tariff.price_until(life.moment_of(begin))
        cut = min(end, life.first_tick_at(until))
        used = (cut - begin) * taken
        cost = used * price // (TICKS_PER_HOUR * life.slots)
        if found and found[-1].hour == hour:
            last = found.pop()
            used, cost = used + last.ticks, cost + last.nanodollars
        ended = attempts if cut >= end else 0
        found.append(Entry(hour, life.service, life.instance_type, life.region, account, line, used, cost, ended))
        begin = cut
    return found


def attempt_entries(
    life: Life, account: Account, begin: int, end: int, *, slots: int, is_completed: bool
) -> list[Entry]:
    """What an attempt costs that has ended."""
    line = Line.WORK if is_completed else Line.FAILED
    return entries(life, line, begin, end, slots=slots, account=account, attempts=1)


def instance_entries(instance: Instance, end: int) -> list[Entry]:
    """What an instance costs that has ended, or lives until `end`; a pause that goes on ends with it, too."""
    life = life_of(instance)
    ready = end if instance.ready_tick is None else min(instance.ready_tick, end)
    found = entries(life, Line.INSTANCE, instance.created_tick, end)
    found += entries(life, Line.START, instance.created_tick, ready)
    return found + pause_entries(instance, end)


def pause_entries(instance: Instance, end: int) -> list[Entry]:
    """What the pause costs that an instance is in."""
    if instance.paused_tick is None:
        return []
    return entries(life_of(instance), Line.PAUSED, instance.paused_tick, end)


def total(found: Sequence[Entry], *lines: Line) -> int:
    """Nanodollars of some lines together."""
    return sum(each.nanodollars for each in found if each.line in lines)


def summed(found: Iterable[Entry]) -> list[Entry]:
    """The same with one entry for each row of the ledger."""
    sums: dict[tuple[Any, ...], Entry] = {}
    for each in found:
        row = each[:6]
        if (so_far := sums.get(row)) is not None:
            ticks, nanodollars = so_far.ticks + each.ticks, so_far.nanodollars + each.nanodollars
            each = each._replace(ticks=ticks, nanodollars=nanodollars, attempts=so_far.attempts + each.attempts)
        sums[row] = each
    return list(sums.values())


def end_of(instance: Instance, *, boot: str, tick: int) -> int:
    """Until when an instance is billed at a moment: what another boot has left ended when it was last seen."""
    if instance.stopped_tick is not None:
        return instance.stopped_tick
    return max(instance.seen_tick, tick) if instance.boot == boot else instance.seen_tick


def cost_of(instance: Instance, *, boot: str, tick: int) -> int:
    """Nanodollars of an instance's whole existence, or of what there has been of it at a moment."""
    if instance.cost_nanodollars is not None:
        return instance.cost_nanodollars
    return total(instance_entries(instance, end_of(instance, boot=boot, tick=tick)), Line.INSTANCE)


def live_entries(
    instances: Sequence[Instance], attempts: Sequence[LiveAttempt], *, boot: str, tick: int
) -> list[Entry]:
    """What lives costs so far: the same sums as if all of it ended now. What still runs counts as work."""
    found = [entry for each in instances for entry in instance_entries(each, end_of(each, boot=boot, tick=tick))]
    for each in attempts:
        end = end_of(each.instance, boot=boot, tick=tick)
        life = life_of(each.instance)
        found += entries(life, Line.WORK, each.started_tick, end, slots=each.slots, account=each.account)
    return found
