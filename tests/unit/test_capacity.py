"""What a host has for instances, and who gives way: memory is promised once, and everybody who can fit gets in."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from itertools import count, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.capacity import (
    NOTHING,
    CapacityPolicy,
    Claimant,
    Holder,
    HostLoad,
    Size,
    budget,
    give_way,
    pressure,
    starts_in,
    times_in,
)
from pitchey_cli.domain.limits import GIB, MIB

POLICY = CapacityPolicy()
ROOM = Size(8, 4 * GIB)
MIDDLE = Size(2, 2 * GIB)


def holder(name: str, pool: str = "video", idle: float | None = 10.0, **changes: object) -> Holder:
    return Holder(name, pool, changes.pop("size", MIDDLE), idle, changes.pop("held", 500.0), **changes)  # type: ignore[arg-type]


def claimant(pool: str = "document", need: Size = MIDDLE, waits: float = 0.0, **changes: bool) -> Claimant:
    return Claimant(pool, need, waits, **changes)


def going(room: Size, holders: list[Holder], *claimants: Claimant) -> list[str]:
    return [each.instance_id for each in give_way(room, holders, claimants, POLICY).giving_way]


# --- sizes


def test_the_budget_is_a_share_of_the_memory_and_a_multiple_of_the_cpus():
    host = Size(2, 10 * GIB)
    assert budget(host, POLICY) == Size(8, 8 * GIB)
    assert budget(host, CapacityPolicy(memory_bytes=3 * GIB)).memory_bytes == 3 * GIB
    assert budget(host, CapacityPolicy(memory_bytes=30 * GIB)).memory_bytes == 10 * GIB


@given(st.floats(0, 64), st.integers(0, 64 * GIB), st.floats(0.01, 8), st.integers(1, 8 * GIB))
def test_as_many_fit_as_can_be_taken_one_after_the_other(cpus, memory, each_cpus, each_memory):
    room, need = Size(cpus, memory), Size(each_cpus, each_memory)
    times = times_in(room, need)
    assert Size(cpus + 1e-6, memory).holds(Size(times * each_cpus, times * each_memory))
    assert not room.holds(Size((times + 1) * each_cpus + 1e-6, (times + 1) * each_memory))


@pytest.mark.parametrize(
    ("load", "words", "is_critical"),
    [
        (HostLoad(), "", False),
        (HostLoad(load=8.0, cpus=2), "", False),
        (HostLoad(load=8.1, cpus=2), "the load is 8.1", False),
        (HostLoad(memory_stalled=0.2), "", False),
        (HostLoad(memory_stalled=0.21), "want of memory 21%", True),
        (HostLoad(disk_free_bytes=256 * MIB - 1), "of disk are free", True),
        (HostLoad(load=99.0, disk_free_bytes=0), "of disk are free", True),
    ],
)
def test_pressure_is_what_was_measured(load, words, is_critical):
    found = pressure(load, POLICY)
    assert words in found.why and bool(found.why) == bool(words)
    assert found.is_critical is is_critical
    assert found.is_of_memory is ("memory" in words)


def test_want_of_memory_is_seen_also_where_the_disk_is_full():
    assert pressure(HostLoad(memory_stalled=0.9, disk_free_bytes=0), POLICY).is_of_memory


# --- who gives way


def test_the_idlest_goes_first_and_a_paused_one_before_it():
    holders = [holder("a", idle=5.0), holder("b", idle=50.0), holder("c", idle=1.0, is_paused=True)]
    assert going(NOTHING, holders, claimant()) == ["c"]
    assert going(NOTHING, holders[:2], claimant()) == ["b"]


def test_nobody_goes_while_there_is_room_or_while_one_goes_already():
    assert going(ROOM, [holder("a")], claimant()) == []
    assert going(NOTHING, [holder("a"), holder("b", is_leaving=True)], claimant()) == []


def test_one_that_is_kept_goes_only_for_who_has_nothing():
    kept = holder("a", is_kept=True)
    assert going(NOTHING, [kept], claimant()) == ["a"]
    assert going(NOTHING, [kept], claimant(has_instance=True)) == []


def test_a_busy_one_goes_after_a_while_and_only_for_who_has_nothing():
    busy = holder("a", idle=None)
    assert going(NOTHING, [busy], claimant(waits=29)) == []
    assert going(NOTHING, [busy], claimant(waits=30)) == ["a"]
    assert going(NOTHING, [busy], claimant(waits=1e9, has_instance=True)) == []
    assert going(NOTHING, [holder("a", idle=None, held=59.0)], claimant(waits=1e9)) == []


def test_nobody_goes_for_one_who_would_not_fit_all_the_same():
    found = give_way(Size(1, GIB), [holder("a")], [claimant(need=Size(2, 8 * GIB))], POLICY)
    assert (found.giving_way, found.reserved, found.hopeless) == ((), NOTHING, ("document",))


def test_who_has_waited_longest_is_served_first():
    two = (claimant("document", waits=10.0), claimant("media", waits=20.0))
    found = give_way(NOTHING, [holder("a")], two, POLICY)
    assert found.giving_way[0].why.endswith("media has no room")
    assert found.reserved == Size(2, 2 * GIB)


def test_nobody_has_a_second_before_everybody_who_waits_has_a_first():
    three = Size(8, 6 * GIB)
    assert starts_in(three, MIDDLE, kept_for_firsts=NOTHING) == 3
    assert starts_in(three, MIDDLE, kept_for_firsts=MIDDLE) == 2
    assert starts_in(three, MIDDLE, kept_for_firsts=Size(100, 100 * GIB)) == 1  # its own first
    assert starts_in(Size(1, GIB), MIDDLE, kept_for_firsts=NOTHING) == 0


# --- organisations


def of(organisation: str, name: str, idle: float | None = None, **changes: object) -> Holder:
    return holder(name, f"code of {organisation}", idle, organisation=organisation, **changes)


def asks(organisation: str, waits: float = 30.0, **changes: object) -> Claimant:
    return Claimant(f"code of {organisation}", MIDDLE, waits, True, organisation, **changes)  # type: ignore[arg-type]


def test_an_organisation_with_too_many_gives_some_to_one_that_has_few():
    holders = [of("acme", "a"), of("acme", "b"), of("acme", "c"), of("globex", "d")]
    assert going(NOTHING, holders, asks("globex")) == ["a"]
    assert going(NOTHING, holders, asks("globex", waits=29.0)) == []
    assert going(NOTHING, holders[1:], asks("globex")) == []  # they would only change places
    assert going(NOTHING, [of("acme", each, held=59.0) for each in "abc"], asks("globex")) == []
    assert going(NOTHING, [of("acme", "a"), of("acme", "b"), of("acme", "c", is_leaving=True)], asks("globex")) == []


def test_what_an_organisation_may_have_is_counted_for_its_weight():
    holders = [*(of("acme", each, weight=3.0) for each in "abcdefh"), of("globex", "g")]
    assert going(NOTHING, holders, asks("globex")) == ["a"]
    assert going(NOTHING, holders[1:], asks("globex")) == []  # five thirds are less than two
    assert going(NOTHING, holders, asks("acme", weight=3.0)) == []


def test_an_organisation_has_what_all_its_pools_have_together():
    large = replace(of("acme", "a"), pool="code (standard-4) of acme", size=Size(4, 8 * GIB))
    small = [of("acme", "b"), of("globex", "c")]
    assert going(NOTHING, [large, *small], asks("globex")) == ["b"]  # eight GiB are left to it
    assert going(NOTHING, [of("acme", each) for each in "ab"], asks("acme")) == []
    assert going(NOTHING, [large], replace(asks("acme"), pool="code of acme")) == []  # its own


def test_who_shares_gives_no_busy_one_to_a_pool_of_an_organisation_that_has_some():
    assert going(NOTHING, [holder(each, idle=None) for each in "abcdef"], asks("globex", waits=1e9)) == []


@given(
    st.lists(st.integers(0, 12), min_size=2, max_size=5),
    st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=5, max_size=5),
)
def test_organisations_that_all_want_more_come_to_rest_with_shares_that_nobody_could_better(counts, weights):
    """One gives way after the other, and each time the taker starts one: it ends, and nobody is behind by one whole."""
    counts = [max(1, each) for each in counts]
    for _ in range(sum(counts) * len(counts) + 1):
        holders = [
            of(f"o{number}", f"{number}-{each}", weight=weights[number])
            for number, count_of in enumerate(counts)
            for each in range(count_of)
        ]
        claimants = [asks(f"o{number}", 100.0 + number, weight=weights[number]) for number in range(len(counts))]
        found = give_way(NOTHING, holders, claimants, POLICY).giving_way
        if not found:
            break
        for each in found[:1]:
            counts[int(each.instance_id.partition("-")[0])] -= 1
            counts[int(each.claimant.removeprefix("code of o"))] += 1
    else:
        raise AssertionError("they never come to rest")
    assert min(counts) >= 1
    for giver, taker in permutations(range(len(counts)), 2):
        assert (counts[giver] - 1) / weights[giver] < (counts[taker] + 1) / weights[taker]


# --- a host on which everybody wants something

TICK_SECONDS = 10.0


@dataclass
class Instance:
    name: str
    pool: int
    started_at: float
    ends_at: float | None = None  #: of its attempt
    idle_since: float = 0.0
    is_leaving: bool = False


@dataclass
class Host:
    """Pools with one slot for each instance, on a host that may be too small for them; the daemon's protocol."""

    total: Size
    needs: list[Size]
    dice: random.Random
    now: float = 0.0
    waiting: list[list[float]] = field(default_factory=list)  #: when each job came
    instances: list[Instance] = field(default_factory=list)
    short_since: dict[int, float] = field(default_factory=dict)
    alone_since: dict[int, float] = field(default_factory=dict)  #: jobs of it wait, and no instance takes them
    longest_without: dict[int, float] = field(default_factory=dict)
    hopeless: set[int] = field(default_factory=set)
    reserved: Size = NOTHING
    numbers: count[int] = field(default_factory=count)
    room: Size = field(init=False)

    def __post_init__(self) -> None:
        self.room = self.total

    def remove(self, instance: Instance) -> None:
        self.instances.remove(instance)
        self.room += self.needs[instance.pool]

    def step(self) -> None:
        for each in list(self.instances):
            if each.ends_at is not None and each.ends_at <= self.now:
                each.ends_at, each.idle_since = None, self.now
                if each.is_leaving:
                    self.remove(each)
        for pool, jobs in enumerate(self.waiting):
            for each in self.of(pool):
                if jobs and each.ends_at is None and not each.is_leaving:
                    self.work(each, jobs)
        # Who has waited longest for room starts first.
        for pool in sorted(range(len(self.needs)), key=lambda each: (self.short_since.get(each, 1e9), each)):
            self.want(pool)
        self.make_room()

    def of(self, pool: int) -> list[Instance]:
        return [each for each in self.instances if each.pool == pool]

    def work(self, instance: Instance, jobs: list[float]) -> None:
        jobs.pop(0)
        instance.ends_at = self.now + self.dice.uniform(1, 90)

    def want(self, pool: int) -> None:
        jobs = self.waiting[pool]
        taking = [each for each in self.of(pool) if not each.is_leaving]
        if not jobs or taking:
            self.alone_since.pop(pool, None)
        if not jobs:
            self.short_since.pop(pool, None)
            return
        others = [each for each in self.short_since if self.short_since[each] < self.short_since.get(pool, 1e9)]
        free = self.room if pool in self.short_since else self.room - self.reserved
        for other in others:  # who came first is served first
            if other != pool and other not in self.hopeless and not self.of(other):
                free -= self.needs[other]
        if free.holds(self.needs[pool]):
            instance = Instance(f"i{next(self.numbers)}", pool, self.now)
            self.instances.append(instance)
            self.room -= self.needs[pool]
            self.work(instance, jobs)
            self.short_since.pop(pool, None)
        else:
            self.short_since.setdefault(pool, self.now)
            if not taking:
                since = self.alone_since.setdefault(pool, self.now)
                self.longest_without[pool] = max(self.longest_without.get(pool, 0.0), self.now - since)
        assert self.room.memory_bytes >= 0 and self.room.cpus >= -1e-6, "the host was promised twice"

    def make_room(self) -> None:
        if not self.short_since:
            self.reserved, self.hopeless = NOTHING, set()
            return
        claimants = [
            Claimant(str(pool), self.needs[pool], self.now - since, any(not each.is_leaving for each in self.of(pool)))
            for pool, since in self.short_since.items()
        ]
        holders = [
            Holder(
                each.name,
                str(each.pool),
                self.needs[each.pool],
                None if each.ends_at is not None else self.now - each.idle_since,
                self.now - each.started_at,
                attempts=int(each.ends_at is not None),
                is_leaving=each.is_leaving,
                has_waiting=bool(self.waiting[each.pool]),
            )
            for each in self.instances
        ]
        found = give_way(self.room, holders, claimants, POLICY)
        by_name = {each.name: each for each in self.instances}
        for giving in found.giving_way:
            instance = by_name[giving.instance_id]
            assert not instance.is_leaving
            if instance.ends_at is None:
                self.remove(instance)
            else:
                # No flapping: who works has had its time before it has to go.
                assert not giving.is_idle and self.now - instance.started_at >= POLICY.tenure_seconds
                instance.is_leaving = True
            if instance.pool in self.short_since and not any(not each.is_leaving for each in self.of(instance.pool)):
                self.short_since[instance.pool] = self.now  # it has had its turn: now it waits anew
        self.reserved = found.reserved
        self.hopeless = {int(each) for each in found.hopeless}


SIZES = [Size(0.5, GIB // 2), Size(1, GIB), Size(2, 2 * GIB), Size(4, 8 * GIB)]
_LONGEST_ATTEMPT_SECONDS = 90.0


def longest_turn(pools: int) -> float:
    """How long a pool may have to do without: a tenure of each, its own included, until its attempts have ended."""
    return pools * (POLICY.tenure_seconds + _LONGEST_ATTEMPT_SECONDS + 3 * TICK_SECONDS)


@pytest.mark.parametrize("part", range(10))
def test_no_load_is_promised_memory_twice_and_nobody_who_can_fit_is_left_without_for_ever(part):
    """Two thousand random hosts, pools and loads, two hundred in each part."""
    for seed in range(part * 200, part * 200 + 200):
        dice = random.Random(seed)
        total = Size(dice.choice([2, 4, 8, 16]), dice.choice([1, 2, 4, 8, 12]) * GIB)
        needs = [dice.choice(SIZES) for _ in range(dice.randint(2, 5))]
        host = Host(total, needs, dice, waiting=[[] for _ in needs])
        is_saturated = dice.random() < 0.5
        while host.now < 1500:
            for jobs in host.waiting:
                if is_saturated:
                    jobs += [host.now] * (2 - len(jobs))
                elif dice.random() < 0.05:
                    jobs += [host.now] * dice.randint(1, 3)
            host.step()
            host.now += TICK_SECONDS
        for pool, need in enumerate(needs):
            if total.holds(need):
                assert host.longest_without.get(pool, 0.0) <= longest_turn(len(needs)), (seed, pool)
            else:
                assert not host.of(pool)


def test_two_that_never_fit_beside_each_other_take_turns():
    dice = random.Random(1)
    host = Host(Size(8, 8 * GIB), [Size(4, 8 * GIB), Size(4, 8 * GIB)], dice, waiting=[[], []])
    holder_of: list[int] = []
    while host.now < 3600:
        for jobs in host.waiting:
            jobs += [host.now] * (2 - len(jobs))
        host.step()
        assert len(host.instances) <= 1
        if host.instances and (not holder_of or holder_of[-1] != host.instances[0].pool):
            holder_of.append(host.instances[0].pool)
        host.now += TICK_SECONDS
    assert len(holder_of) > 10  # nobody keeps it
    assert len(holder_of) <= 3600 / POLICY.tenure_seconds  # and nobody is sent away before the end of a tenure
