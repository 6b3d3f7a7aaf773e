"""Instances that are kept ready although nobody has asked for anything yet: by command, or by the clock. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from pitchey_cli.domain.decision import Rule, Wish
from pitchey_cli.domain.observation import WarmRequest
from pitchey_cli.domain.windows import Window
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class WarmHours:
    """So many instances are ready in these hours of the day."""

    instances: int
    window: Window


def floors(
    requests: Iterable[WarmRequest], hours: WarmHours | None, *, now: datetime, local: datetime
) -> tuple[Wish, ...]:
    """What a pool is to have ready, whatever its load.

    Args:
        requests: of the pool's service.
        local: `now` on the clock of the daemon's machine.
    """
    wishes = [
        Wish(Rule.WARM, each.instances, f"asked for until {each.until.astimezone(local.tzinfo):%Y-%m-%d %H:%M}")
        for each in requests
        if each.until > now
    ]
    if hours is not None and hours.window.contains(local):
        start, end = hours.window.start, hours.window.end
        wishes.append(Wish(Rule.WARM_HOURS, hours.instances, f"from {start:%H:%M} to {end:%H:%M} every day"))
    return tuple(wishes)
