"""How many instances of a pool are to take work: one pure function of what the pool looks like, and of the time.

Every rule that has something to say makes a wish (wishes.py). The largest wish wins, and says so; then clamps bound
what may be done about it now (clamps.py). A rule that asks for nothing is no objection: a pool shrinks when none of
them objects. decision.py has the words.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from pitchey_cli.domain.clamps import Bounding, bound_above, bound_below
from pitchey_cli.domain.decision import (
    Decision,
    Headroom,
    Limit,
    Metrics,
    PoolSettings,
    PoolView,
    Rule,
    ScalerState,
    Wish,
)
from pitchey_cli.domain.wishes import min_instances, panicking_until, wishes_of

_RESTART_BASE_SECONDS = 1.0
_RESTART_CAP_SECONDS = 60.0
_FLOORS = frozenset({Rule.MIN_INSTANCES, Rule.WARM, Rule.WARM_HOURS, Rule.FORECAST})


def restart_delay(failures: int) -> float:
    """Seconds to wait before the next start, after so many instances in a row that never got ready or died young."""
    if failures <= 0:
        return 0.0
    return min(_RESTART_CAP_SECONDS, _RESTART_BASE_SECONDS * 2.0 ** min(failures - 1, 10))


def decide(
    pool: PoolView,
    metrics: Metrics,
    settings: PoolSettings,
    state: ScalerState,
    *,
    now: float,
    floors: tuple[Wish, ...] = (),
    headroom: Headroom | None = None,
) -> Decision:
    """Say how many instances are to take work.

    Args:
        state: what the last decision left.
        now: monotonic seconds.
        floors: what is to be kept whatever the load: by command, by the clock, by the forecast.
    """
    headroom = headroom or Headroom()
    panic_until = panicking_until(pool, metrics, settings, state, now)
    wishes = (*wishes_of(pool, metrics, settings, state, panic_until), *min_instances(settings), *floors)
    most = max((wish.instances for wish in wishes), default=0)
    rule = next((wish.rule for wish in wishes if wish.instances == most), Rule.NOTHING) if most else Rule.NOTHING
    bounding = Bounding(most)
    bound_below(bounding, pool, metrics, settings, state, panic_until, now)
    least = max((wish.instances for wish in wishes if wish.rule in _FLOORS), default=0)
    bound_above(bounding, pool, settings, state, headroom, least, now)
    wanted = bounding.wanted
    changed_at = state.changed_at if wanted == state.wanted else now
    return Decision(
        wanted,
        state.wanted,
        rule,
        wishes,
        tuple(bounding.clamps),
        ScalerState(wanted, changed_at, panic_until),
        pool.waiting > 0 and any(clamp.limit is Limit.ROOM for clamp in bounding.clamps),
    )


def explain(pool: PoolView, metrics: Metrics, headroom: Headroom, decision: Decision) -> dict[str, Any]:
    """A decision with all that led to it, for people and programs: plain values with names in snake_case."""
    return {
        "pool": asdict(pool),
        "metrics": asdict(metrics),
        "headroom": asdict(headroom),
        "wishes": [asdict(wish) for wish in decision.wishes],
        "clamps": [asdict(clamp) for clamp in decision.clamps],
        "rule": decision.rule.value,
        "was": decision.was,
        "wanted": decision.wanted,
        "why": decision.why,
    }
