"""The part of the store's port that is about what is observed of pools, and expected. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pitchey_cli.domain.observation import (
    Came,
    Forecast,
    LastDecision,
    Measure,
    Measurement,
    PoolSample,
    ScalingEvent,
    WarmRequest,
)
from pitchey_cli.domain.pools import PoolKey
from processors.vocabulary import Service


class Observations(Protocol):
    """What is observed of pools, and what is wanted of them for it."""

    def observe(
        self,
        samples: Sequence[PoolSample],
        measurements: Sequence[Measurement],
        events: Sequence[ScalingEvent],
        decisions: Sequence[LastDecision],
    ) -> None:
        """Remember how pools stood, how long things took, what changed, and the last decision about each pool."""

    def last_decisions(self) -> list[LastDecision]:
        """The last decision of each node about each pool, of one pool the newest last."""

    def forget_pools(self, pools: Sequence[PoolKey], *, node: str = "") -> None:
        """Forget the last decisions of a node about pools that it has no more."""

    def scaling_events(
        self, *, service: Service | None = None, before_id: int | None = None, limit: int = 50
    ) -> list[ScalingEvent]:
        """What has changed about the pools, the newest first."""

    def pool_samples(self, *, since: datetime, limit: int | None = None) -> list[PoolSample]:
        """How the pools stood since then, the oldest first.

        Args:
            limit: no more than so many, the oldest.
        """

    def measurements(self, service: Service, name: Measure, *, limit: int = 100) -> list[Measurement]:
        """How long something took lately, the newest first."""

    def forget_observations(self, *, before: datetime) -> None:
        """Forget what was observed before a time."""

    def add_came(self, came: Sequence[Came]) -> None:
        """Count jobs that came, and that ended, to what is counted of their intervals."""

    def came(self, service: Service, *, since: int) -> list[Came]:
        """What is counted of a service from an interval on, in order; an interval in which nothing came is missing."""

    def set_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """Keep what is expected of services, in place of what was."""

    def forecasts(self) -> list[Forecast]:
        """What is expected of each service of which that is known."""

    def keep_warm(self, request: WarmRequest) -> None:
        """Want so many instances of a pool ready, in place of what was wanted before."""

    def stop_warming(self, pool: PoolKey) -> bool:
        """Want none any more; False when none was wanted."""

    def warm_requests(self, *, now: datetime) -> list[WarmRequest]:
        """What is wanted ready now."""
