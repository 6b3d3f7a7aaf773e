"""Whether the books are right: held against every attempt and every instance, and summed in another way."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from pitchey_cli.domain.cost import TICKS_PER_HOUR, USED, Line, entries, life_of
from pitchey_cli.domain.job import Attempt, Instance, InstanceState
from pitchey_cli.domain.prices import NANODOLLARS, Tariff
from pitchey_cli.store.port import JobFilter, Store
from processors.vocabulary import Service

#: of four slots, for a dollar an hour
INSTANCE = Instance(
    "i-1",
    Service.VIDEO,
    "docker",
    "video:1",
    4,
    InstanceState.STARTING,
    2.0,
    2**31,
    2.0,
    2**31,
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    instance_type="standard-2",
    tariff=Tariff(NANODOLLARS),
    boot="b",
    created_tick=0,
)

_BEGINNING, _END = datetime(1971, 1, 1, tzinfo=UTC), datetime(2999, 1, 1, tzinfo=UTC)


def wrong_books(store: Store) -> list[str]:
    """What is wrong; empty when nothing is. No job may have been removed; live instances have not been booked yet."""
    instances = {each.id: each for each in store.instances(active_only=False)}
    attempts: dict[str, list[Attempt]] = defaultdict(list)
    for job in store.jobs(JobFilter(limit=10**9)):
        for attempt in store.attempts(job.id):
            if attempt.instance_id in instances:
                attempts[attempt.instance_id].append(attempt)
    wrong = [text for each in instances.values() for text in _wrong_with(each, attempts[each.id])]
    booked = store.costs(since=_BEGINNING, until=_END).booked
    used = sum(each.nanodollars for each in booked if each.line in USED)
    paid = sum(attempt.cost_nanodollars or 0 for each in attempts.values() for attempt in each)
    if used != paid:
        wrong.append(f"the attempts cost {paid} nanodollars, {used} are booked")
    existed = sum(each.nanodollars for each in booked if each.line is Line.INSTANCE)
    billed = sum(each.cost_nanodollars or 0 for each in instances.values())
    if existed != billed:
        wrong.append(f"the instances cost {billed} nanodollars, {existed} are booked")
    ended = sum(attempt.finished_tick is not None for each in attempts.values() for attempt in each)
    if ended != (counted := sum(each.attempts for each in booked)):
        wrong.append(f"{ended} attempts have ended, {counted} are booked")
    if all(each.stopped_tick is not None for each in instances.values()):
        sold: Counter[datetime] = Counter()
        for each in booked:
            if each.line is Line.INSTANCE or each.line in USED:
                sold[each.hour] += each.nanodollars if each.line in USED else -each.nanodollars
        wrong += [f"idle is {-left} nanodollars in the hour {hour}" for hour, left in sold.items() if left > 0]
    return wrong


def _wrong_with(instance: Instance, attempts: list[Attempt]) -> Iterator[str]:
    life = life_of(instance)
    used = 0
    for attempt in attempts:
        if attempt.finished_tick is None:
            continue
        span = entries(life, Line.WORK, attempt.started_tick, attempt.finished_tick, slots=attempt.slots)
        due = sum(each.nanodollars for each in span)
        used += due
        if attempt.cost_nanodollars != due:
            yield f"{attempt.token} costs {attempt.cost_nanodollars} nanodollars instead of {due}"
    yield from _sold_twice(instance, attempts)
    if instance.stopped_tick is None:
        return
    ticks = instance.stopped_tick - instance.created_tick
    due = sum(each.nanodollars for each in entries(life, Line.INSTANCE, instance.created_tick, instance.stopped_tick))
    if instance.cost_nanodollars != due:
        yield f"{instance.id} costs {instance.cost_nanodollars} nanodollars instead of {due}"
    if not life.tariff.windows:
        plain = ticks * life.tariff.nanodollars_per_hour / TICKS_PER_HOUR
        if not plain - ticks / TICKS_PER_HOUR - 2 <= due <= plain:
            yield f"{instance.id} costs {due} nanodollars, and its ticks are worth {plain}"
    if used > due:
        yield f"the attempts on {instance.id} cost {used} nanodollars, and itself {due}"


def _sold_twice(instance: Instance, attempts: list[Attempt]) -> Iterator[str]:
    changes: list[tuple[int, int]] = []
    for attempt in attempts:
        end = instance.stopped_tick if attempt.finished_tick is None else attempt.finished_tick
        if attempt.started_tick < instance.created_tick:
            yield f"{attempt.token} began before its instance"
        if end is not None and attempt.started_tick < end:
            changes += [(attempt.started_tick, attempt.slots), (end, -attempt.slots)]
            if instance.stopped_tick is not None and end > instance.stopped_tick:
                yield f"{attempt.token} ended after its instance"
    taken = 0
    for tick, slots in sorted(changes):
        taken += slots
        if taken > instance.slots:
            yield f"{taken} slots of {instance.id} were sold at tick {tick}"
