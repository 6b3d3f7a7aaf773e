"""Which of several runs are worth having: nothing else that was tried costs less and lets wait less (V. Pareto)."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.simulation import Result
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class Trial:
    """One run of a sweep."""

    value: str  #: of the setting, as it was written
    result: Result
    is_on_frontier: bool


def frontier(points: Sequence[tuple[float, float]]) -> set[int]:
    """The points that none other beats in one respect without losing in the other; of equal ones the first."""
    return {
        index
        for index, (cost, wait) in enumerate(points)
        if not any(
            other_cost <= cost and other_wait <= wait and (other_cost, other_wait) != (cost, wait)
            for other_cost, other_wait in points
        )
        and (cost, wait) not in points[:index]
    }
