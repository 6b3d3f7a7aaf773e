"""What bounds a wish for instances, and why: first how few there may be now, then how many."""

from __future__ import annotations

from dataclasses import field

from pitchey_cli.domain.decision import Clamp, Headroom, Limit, Metrics, PoolSettings, PoolView, ScalerState
from pitchey_cli.values import dataclass


@dataclass
class Bounding:
    """A wish on its way to what may be done about it."""

    wanted: int
    clamps: list[Clamp] = field(default_factory=list)

    def at_least(self, least: int, limit: Limit, why: str) -> None:
        """Bound it from below."""
        if self.wanted < least:
            self.wanted = least
            self.clamps.append(Clamp(limit, least, why))

    def at_most(self, most: int, limit: Limit, why: str) -> None:
        """Bound it from above."""
        if self.wanted > most:
            self.wanted = most
            self.clamps.append(Clamp(limit, most, why))


def bound_below(
    bounding: Bounding,
    pool: PoolView,
    metrics: Metrics,
    settings: PoolSettings,
    state: ScalerState,
    panic_until: float | None,
    now: float,
) -> None:
    """What keeps instances that nobody asks for any more."""
    was = state.wanted
    if panic_until is not None:
        bounding.at_least(was, Limit.PANIC, f"for another {panic_until - now:.0f} s")
    # What has not been known for so long will not be: then the other rules decide.
    is_measured = pool.running and pool.ready and metrics.unknown_seconds <= settings.window_seconds
    missing = [
        name
        for name, value in (
            ("demand", metrics.stable_demand),
            ("cpu", metrics.cpu if is_measured else 0.0),
            ("memory", metrics.memory if is_measured else 0.0),
        )
        if value is None
    ]
    if missing:
        bounding.at_least(was, Limit.MISSING, f"nothing is known of {', '.join(missing)}")
    if state.changed_at is not None and now - state.changed_at < settings.calm_seconds:
        left = settings.calm_seconds - (now - state.changed_at)
        bounding.at_least(was, Limit.COOLDOWN, f"for another {left:.0f} s")
    if was > 1:
        bounding.at_least((was + 1) // 2, Limit.STEP, f"at most halved: from {was}")


def bound_above(
    bounding: Bounding,
    pool: PoolView,
    settings: PoolSettings,
    state: ScalerState,
    headroom: Headroom,
    least: int,
    now: float,
) -> None:
    """What keeps instances from being started.

    Args:
        least: that are kept whatever the load.
    """
    words = f"max_instances is {settings.max_instances}"
    if pool.leaving:
        words += f", and {pool.leaving} {'is' if pool.leaving == 1 else 'are'} still to go"
    bounding.at_most(max(0, settings.max_instances - pool.leaving), Limit.MAX_INSTANCES, words)
    if headroom.used_up:
        bounding.at_most(pool.active if pool.running else 0, Limit.BUDGET, headroom.used_up)
    active = pool.active
    if not pool.has_work:
        bounding.at_most(max(least, active), Limit.AT_REST, "nothing waits or runs")
    bounding.at_most(max(1, 2 * active), Limit.STEP, f"at most doubled: from {active}")
    is_too_soon = state.changed_at is not None and now - state.changed_at < settings.step_seconds
    if is_too_soon and active:
        bounding.at_most(max(state.wanted, active), Limit.PACE, f"a step every {settings.step_seconds:g} s")
    if headroom.no_start_for_seconds > 0:
        words = f"the last starts failed, the next is tried in {headroom.no_start_for_seconds:.0f} s"
        bounding.at_most(active + pool.paused, Limit.RESTARTS, words)
    if headroom.pressure:
        there = active + pool.paused  # one that is paused takes no more than it has
        bounding.at_most(there if headroom.is_critical else max(1, there), Limit.PRESSURE, headroom.pressure)
    if headroom.instances is not None:
        # One that is paused has its memory already.
        bounding.at_most(active + pool.paused + max(0, headroom.instances), Limit.ROOM, headroom.why)
