"""Instance types and limits, and what of them a host can grant.

Pure: sizes in, sizes out. How an engine is told is the business of engines/hardening.py.
"""

from __future__ import annotations

from dataclasses import replace

from pitchey_cli.values import dataclass

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True)
class Limits:
    """What one instance may use at most."""

    cpus: float
    memory_bytes: int
    pids: int = 256
    tmp_bytes: int = 256 * MIB  #: size of the tmpfs on /tmp; its pages count as memory
    open_files: int = 4096


#: DESIGN section 2; the sizes of the system that Pitchey replaces.
INSTANCE_TYPES: dict[str, Limits] = {
    "lite": Limits(cpus=0.5, memory_bytes=512 * MIB, pids=128, tmp_bytes=64 * MIB),
    "standard-1": Limits(cpus=1, memory_bytes=1 * GIB),
    "standard-2": Limits(cpus=2, memory_bytes=2 * GIB),
    "standard-4": Limits(cpus=4, memory_bytes=8 * GIB),
}


#: What stands in front of an instance that shares no files with its host, see docs/architecture/21.
PORTER = Limits(cpus=1, memory_bytes=256 * MIB, pids=64, tmp_bytes=16 * MIB)


def larger_type(name: str) -> str | None:
    """The next larger instance type; None after the largest."""
    names = list(INSTANCE_TYPES)  # from small to large
    following = names[names.index(name) + 1 :]
    return following[0] if following else None


@dataclass(frozen=True)
class Grant:
    """The limits an instance gets on this host, beside those it asked for."""

    requested: Limits
    granted: Limits

    @property
    def is_reduced(self) -> bool:
        """Whether the host is smaller than the request."""
        return self.granted != self.requested


def grant(requested: Limits, *, host_cpus: float, host_memory_bytes: int) -> Grant:
    """Cut a request down to the host: engines refuse more CPUs than there are, and memory beyond RAM is a lie."""
    granted = replace(
        requested,
        cpus=min(requested.cpus, host_cpus),
        memory_bytes=min(requested.memory_bytes, host_memory_bytes),
    )
    return Grant(requested=requested, granted=granted)
