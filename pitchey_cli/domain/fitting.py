"""On which instance a job fits that says how much memory it needs, and how much of it it takes. Pure.

Every slot stands for the same share of its instance's memory. A job takes as many as hold what it needs, so what all
jobs of an instance need together never exceeds what it has.
"""

from __future__ import annotations

from pitchey_cli.domain.limits import INSTANCE_TYPES
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class Fit:
    """Where a job fits."""

    size: str  #: the instance type, where that is not the service's own
    slots: int  #: that it takes there


def fit(need_bytes: int, *, own_type: str, slots: int) -> Fit | None:
    """Find the smallest instance type that holds a job; None where none does.

    Args:
        own_type: the service's own, which is taken whenever it holds it.
        slots: of an instance, whatever its type.
    """
    larger = sorted(INSTANCE_TYPES, key=lambda name: INSTANCE_TYPES[name].memory_bytes)
    for name in (own_type, *larger):
        memory = INSTANCE_TYPES[name].memory_bytes
        if need_bytes <= memory:
            return Fit("" if name == own_type else name, max(1, -(-need_bytes * slots // memory)))
    return None


def largest_type() -> str:
    """The instance type with the most memory."""
    return max(INSTANCE_TYPES, key=lambda name: INSTANCE_TYPES[name].memory_bytes)


def larger_of(first: str, second: str) -> str:
    """The larger of two sizes; empty is a service's own, and anything else that a job needs is larger."""
    names = ["", *INSTANCE_TYPES]
    return max(first, second, key=names.index)
