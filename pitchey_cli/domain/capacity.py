"""What a host has for instances, and who gives way when a service that waits finds no room. Pure.

Memory is never promised twice: the limits of all instances together stay within the host's budget. CPUs may be promised
more than once, by a set factor, because hardly anybody uses all of them all the time.

A service without room takes it from the idlest instance of another. When none is idle, it waits for a while, and then
a busy one of another is told to take nothing new: so services that do not fit beside each other take turns, for at
least a set time each, and none waits for ever.

Nobody gets a second instance before everybody who waits has a first one. Pools of organisations go further: one that
has some and could use more takes from an organisation that has so much more that it is not behind afterwards, each
counted for its weight. So how much room an organisation has does not depend on who asked first, or for how much.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pitchey_cli.domain.limits import MIB, Limits
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class CapacityPolicy:
    """What the operator has set for the host."""

    memory_bytes: int = 0  #: for all instances together; 0: by the share
    memory_share: float = 0.80  #: of the host's
    cpu_overcommit: float = 4.0
    yield_seconds: float = 30.0  #: a service waits so long for room before a busy instance of another gives way
    tenure_seconds: float = 60.0  #: a busy instance is left alone for so long
    memory_pressure: float = 0.20  #: share of the time in which work stood still for want of memory
    load_per_cpu: float = 4.0
    disk_free_bytes: int = 256 * MIB


@dataclass(frozen=True)
class Size:
    """An amount of the host, or what is asked of it."""

    cpus: float
    memory_bytes: int

    @classmethod
    def of(cls, limits: Limits) -> Size:
        """What an instance with such limits takes."""
        return cls(limits.cpus, limits.memory_bytes)

    def __add__(self, other: Size) -> Size:
        """Both together."""
        return Size(self.cpus + other.cpus, self.memory_bytes + other.memory_bytes)

    def __sub__(self, other: Size) -> Size:
        """What is left."""
        return Size(self.cpus - other.cpus, self.memory_bytes - other.memory_bytes)

    def holds(self, other: Size) -> bool:
        """Whether the other one fits into this."""
        return other.cpus <= self.cpus + _TINY and other.memory_bytes <= self.memory_bytes


NOTHING = Size(0.0, 0)
_TINY = 1e-9  # sums of half CPUs are exact, of thirds they are not


def budget(host: Size, policy: CapacityPolicy) -> Size:
    """What the instances of a host may be promised together."""
    memory = policy.memory_bytes or int(host.memory_bytes * policy.memory_share)
    return Size(host.cpus * policy.cpu_overcommit, min(memory, host.memory_bytes))


def times_in(room: Size, need: Size) -> int:
    """How many of a size fit."""
    if not room.holds(need):
        return 0
    by_cpu = int((room.cpus + _TINY) / need.cpus) if need.cpus else None
    by_memory = room.memory_bytes // need.memory_bytes if need.memory_bytes else None
    return min((times for times in (by_cpu, by_memory) if times is not None), default=0)


def starts_in(free: Size, need: Size, *, kept_for_firsts: Size) -> int:
    """How many instances of a size a pool may start.

    Args:
        kept_for_firsts: what the first instances take of other pools that wait and have none.
    """
    return max(times_in(free - kept_for_firsts, need), min(1, times_in(free, need)))


@dataclass(frozen=True)
class Holder:
    """An instance that has room on the host."""

    instance_id: str
    pool: str
    size: Size
    idle_seconds: float | None  #: None: it is busy
    held_seconds: float  #: since it was started
    attempts: int = 0
    is_paused: bool = False
    is_leaving: bool = False  #: it has been told to go already, and does when its attempts have ended
    is_kept: bool = False  #: for min_instances, or because it was asked to be warm: it goes only for work that waits
    is_wanted: bool = False  #: its pool has work for it, or had it lately
    has_waiting: bool = False  #: jobs of its own pool wait
    organisation: str = ""  #: for which alone it works; empty: for all
    weight: float = 1.0  #: of its organisation


@dataclass(frozen=True)
class Claimant:
    """A pool that wants an instance for which there is no room."""

    pool: str
    need: Size
    waits_seconds: float  #: for room
    has_instance: bool = False  #: it has some that take work: then nobody but the idle has to go, and who has too many
    organisation: str = ""  #: whose pool it is; empty: everybody's
    weight: float = 1.0  #: of its organisation


@dataclass(frozen=True)
class GivingWay:
    """An instance that is to make room."""

    instance_id: str
    is_idle: bool  #: it can go at once; else it takes nothing new, and goes when its attempts have ended
    why: str
    claimant: str  #: the pool for which it goes


@dataclass(frozen=True)
class Yielding:
    """What is to be done for those who wait for room."""

    giving_way: tuple[GivingWay, ...] = ()
    reserved: Size = NOTHING  #: nobody else may start in it
    hopeless: tuple[str, ...] = ()  #: pools that do not fit even if everybody else went


def give_way(room: Size, holders: Sequence[Holder], claimants: Iterable[Claimant], policy: CapacityPolicy) -> Yielding:
    """Choose who makes room for the pools that have none, the one that has waited longest first.

    Args:
        room: what is free of the budget.
        holders: all instances, also those that have been told to go.
    """
    giving: list[GivingWay] = []
    reserved = NOTHING
    hopeless: list[str] = []
    left = list(holders)
    for claimant in sorted(claimants, key=lambda each: (-each.waits_seconds, each.pool)):
        others = [each for each in left if each.pool != claimant.pool]
        askable = _in_order(left, claimant, policy)
        leaving = [each for each in left if each.is_leaving]
        soon = total([room, *(each.size for each in leaving if each.idle_seconds is not None)])
        later = total([room, *(each.size for each in leaving)])  # when their attempts have ended, which may take hours
        most = total(
            [later, *(each.size for each in (askable if claimant.has_instance else others) if not each.is_leaving)]
        )
        if not most.holds(reserved + claimant.need):
            if not claimant.has_instance:
                hopeless.append(claimant.pool)
            continue  # nobody goes, and nothing is kept free, for one who would not fit all the same
        reserved += claimant.need
        for holder in askable:
            if soon.holds(reserved) or (holder.idle_seconds is None and later.holds(reserved)):
                break
            if holder.idle_seconds is not None:
                soon += holder.size
            later += holder.size
            left.remove(holder)
            is_idle = holder.idle_seconds is not None
            giving.append(GivingWay(holder.instance_id, is_idle, _why(holder, claimant), claimant.pool))
            room += holder.size
    return Yielding(tuple(giving), reserved, tuple(hopeless))


def _in_order(left: Iterable[Holder], claimant: Claimant, policy: CapacityPolicy) -> list[Holder]:
    """Those that may be asked: the idlest first, and after a while the busy ones that are least missed."""
    there = [each for each in left if not each.is_leaving]
    staying = [each for each in there if each.pool != claimant.pool]
    idle = [each for each in staying if each.idle_seconds is not None and not each.has_waiting]
    idle.sort(key=lambda each: (each.is_kept, not each.is_paused, -(each.idle_seconds or 0.0), each.instance_id))
    has_waited = claimant.waits_seconds >= policy.yield_seconds
    if claimant.has_instance and not claimant.organisation:
        return _hardly_missed(idle, policy)
    if not claimant.has_instance and not has_waited:
        return idle
    of_pool: dict[str, int] = {}
    for each in staying:
        of_pool[each.pool] = of_pool.get(each.pool, 0) + 1
    busy = [
        each
        for each in staying
        if (each.idle_seconds is None or each.has_waiting) and each.held_seconds >= policy.tenure_seconds
    ]
    busy.sort(key=lambda each: (-of_pool[each.pool], each.attempts, -each.held_seconds, each.instance_id))
    if claimant.has_instance:
        return _hardly_missed(idle, policy) + (_too_many(there, busy, claimant) if has_waited else [])
    return idle + busy


def _hardly_missed(idle: Iterable[Holder], policy: CapacityPolicy) -> list[Holder]:
    """For one that can do without for a while: nobody loses what he has just used, or is about to use."""
    long_idle = [each for each in idle if (each.idle_seconds or 0.0) >= policy.yield_seconds]
    return [each for each in long_idle if not (each.is_kept or each.is_wanted)]


def _too_many(there: Iterable[Holder], busy: Iterable[Holder], claimant: Claimant) -> list[Holder]:
    """Of these those whose organisation has at least as much without them as the claimant's would have with one more.

    So what has gone over does not come back: both would have to be ahead of each other.
    """
    room: dict[str, int] = {}
    for each in there:
        room[each.organisation] = room.get(each.organisation, 0) + each.size.memory_bytes
    would_have = (room.get(claimant.organisation, 0) + claimant.need.memory_bytes) / claimant.weight
    found: list[Holder] = []
    for each in busy:
        is_rival = each.organisation not in ("", claimant.organisation)
        if is_rival and (room[each.organisation] - each.size.memory_bytes) / each.weight >= would_have:
            room[each.organisation] -= each.size.memory_bytes
            found.append(each)
    return found


def _why(holder: Holder, claimant: Claimant) -> str:
    if holder.idle_seconds is not None:
        return f"idle for {holder.idle_seconds:.0f} s, and {claimant.pool} has no room"
    return f"{claimant.pool} has waited {claimant.waits_seconds:.0f} s for room: they take turns"


def total(sizes: Iterable[Size]) -> Size:
    """All of them together."""
    found = NOTHING
    for size in sizes:
        found += size
    return found


@dataclass(frozen=True)
class HostLoad:
    """How the host does; None is not known."""

    load: float | None = None  #: processes that run or want to, averaged over a minute
    cpus: float = 1.0
    memory_stalled: float | None = None  #: share of the last 10 s in which some work waited for memory (PSI "some")
    disk_free_bytes: int | None = None  #: where the state directory is


@dataclass(frozen=True)
class Pressure:
    """Why the host should not be given more; no words when it may."""

    why: str = ""
    is_critical: bool = False  #: not even a first instance may be started
    is_of_memory: bool = False  #: what instances keep for later is wanted now


def pressure(load: HostLoad, policy: CapacityPolicy) -> Pressure:
    """Judge how the host does."""
    is_of_memory = load.memory_stalled is not None and load.memory_stalled > policy.memory_pressure
    if load.disk_free_bytes is not None and load.disk_free_bytes < policy.disk_free_bytes:
        words = f"{load.disk_free_bytes / MIB:.0f} MiB of disk are free"
        return Pressure(f"{words}, less than {policy.disk_free_bytes / MIB:.0f}", True, is_of_memory)
    if is_of_memory:
        words = f"work stands still for want of memory {load.memory_stalled:.0%} of the time"
        return Pressure(f"{words}, the limit is {policy.memory_pressure:.0%}", True, is_of_memory)
    if load.load is not None and load.load > policy.load_per_cpu * load.cpus:
        limit = policy.load_per_cpu * load.cpus
        return Pressure(f"the load is {load.load:.1f} on {load.cpus:g} CPUs, the limit is {limit:g}")
    return Pressure()
