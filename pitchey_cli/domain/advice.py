"""Which one setting of a service, had it been another, would have been better for the jobs that came. Pure.

It judges what simulations have found; who runs them is `operations/advice.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from pitchey_cli.domain.frontier import frontier
from pitchey_cli.domain.simulation import PoolResult
from pitchey_cli.values import dataclass

SLEEPS = (30, 60, 120, 300, 600, 1800)  #: seconds after which an idle instance may be stopped
LEAST_JOBS = 20  #: in the history of a service; fewer are an anecdote
LEAST_SECONDS = 6 * 3600.0  #: that the history spans

_SAVES = 0.05  # of the cost: less than that is noise
_LITTLE = 0.05  # more cost, for a wait that is much better
_MARGIN_SECONDS = 2.0  # more wait is not much, which is about one cold start;
_MARGIN_SHARE = 0.25  # nor is this much more of what it was
_MUCH_BETTER = 0.5  # of what the wait was,
_NOTICED_SECONDS = 1.0  # and so much less


@dataclass(frozen=True)
class Setting:
    """One setting with a value."""

    key: str  #: the whole key, as services.video.sleep_after_seconds
    value: float


@dataclass(frozen=True)
class Advice:
    """A setting that would have been better."""

    setting: Setting
    instead_of: float
    was: PoolResult  #: what the settings as they are lead to, simulated as well: like is compared with like
    would_be: PoolResult

    @property
    def saved(self) -> int:
        """Nanodollars; less than nothing where it costs more."""
        return self.was.cost_nanodollars - self.would_be.cost_nanodollars


@dataclass(frozen=True)
class TooLittle:
    """A service of which the history is too short to say anything."""

    service: str
    jobs: int
    seconds: float  #: from the first of them to the end


@dataclass(frozen=True)
class Advised:
    """What there is to advise, and on what it stands."""

    since: datetime
    until: datetime
    jobs: Mapping[str, int]  #: of each service that there is enough of
    advice: Sequence[Advice]
    too_little: Sequence[TooLittle]


def alternatives(service: str, *, sleep_after: float, least: int, most: int) -> list[tuple[Setting, float]]:
    """What else is worth trying, each with what it is now: one setting at a time."""
    found: list[tuple[str, float, float]] = [
        *(("sleep_after_seconds", value, sleep_after) for value in SLEEPS),
        *(("min_instances", value, least) for value in (0, 1) if value <= most),
        *(("max_instances", value, most) for value in (most - 1, most + 1) if value >= max(1, least)),
    ]
    return [(Setting(f"services.{service}.{name}", new), now) for name, new, now in found if new != now]


def choose(was: PoolResult, tried: Sequence[tuple[Setting, float, PoolResult]]) -> list[Advice]:
    """Of each setting the value that is best, if there is one that is better than what is set.

    Args:
        tried: a setting, what it is now, and what it would have led to.
    """
    found = []
    for key in dict.fromkeys(setting.key for setting, _, _ in tried):
        own = [each for each in tried if each[0].key == key]
        results = [was, *(result for _, _, result in own)]
        best = frontier([(each.cost_nanodollars, each.waits.p95) for each in results])
        better = [
            Advice(setting, now, was, result)
            for place, (setting, now, result) in enumerate(own, start=1)
            if place in best and (_is_cheaper(was, result) or _is_quicker(was, result))
        ]
        if better:
            found.append(max(better, key=lambda each: (each.saved, -each.would_be.waits.p95)))
    return sorted(found, key=lambda each: -each.saved)


def _is_cheaper(was: PoolResult, now: PoolResult) -> bool:
    return (
        was.cost_nanodollars - now.cost_nanodollars >= _SAVES * was.cost_nanodollars > 0
        and _is_hardly_longer(was.waits.p95, now.waits.p95)
        and _is_hardly_longer(was.waits.p99, now.waits.p99)
        and now.still_waiting <= was.still_waiting
    )


def _is_quicker(was: PoolResult, now: PoolResult) -> bool:
    return (
        now.waits.p95 <= _MUCH_BETTER * was.waits.p95
        and was.waits.p95 - now.waits.p95 >= _NOTICED_SECONDS
        and now.cost_nanodollars <= (1 + _LITTLE) * was.cost_nanodollars
        and now.still_waiting <= was.still_waiting
    )


def _is_hardly_longer(was: float, now: float) -> bool:
    return now <= max(was * (1 + _MARGIN_SHARE), was + _MARGIN_SECONDS)
