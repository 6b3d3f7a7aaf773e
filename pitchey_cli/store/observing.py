"""What is remembered of the pools, in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from pitchey_cli.domain.observation import (
    INTERVAL_SECONDS,
    Came,
    Change,
    Forecast,
    LastDecision,
    Measure,
    Measurement,
    PoolSample,
    ScalingEvent,
    WarmRequest,
)
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.store import rows
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.reading import Reader
from processors.vocabulary import Service

_ARRIVALS_LONGER = timedelta(weeks=4)  # kept than the rest: a forecast learns from eight weeks
_LAST_ID = 2**63 - 1


class Observing(Reader):
    """The observations of a store."""

    def observe(
        self,
        samples: Sequence[PoolSample],
        measurements: Sequence[Measurement],
        events: Sequence[ScalingEvent],
        decisions: Sequence[LastDecision],
    ) -> None:
        """Remember how pools stood, how long things took, what changed, and the last decision about each pool."""
        with self._db.transaction():
            self._db.run_many(QUERIES["insert_sample"], [_of_sample(each) for each in samples])
            self._db.run_many(
                QUERIES["insert_measurement"],
                [
                    (rows.micros(each.at), *rows.pool_values(each.pool), each.name.value, each.seconds, each.count)
                    for each in measurements
                ],
            )
            self._db.run_many(QUERIES["insert_scaling_event"], [_of_event(each) for each in events])
            self._db.run_many(
                QUERIES["set_last_decision"],
                [
                    (*rows.pool_values(each.pool), each.node, rows.micros(each.at), rows.encode(each.explanation))
                    for each in decisions
                ],
            )

    def last_decisions(self) -> list[LastDecision]:
        """The last decision of each node about each pool, of one pool the newest last."""
        return [
            LastDecision(rows.moment(row["at"]), rows.pool_from(row), json.loads(row["explanation"]), row["node"])
            for row in self._db.rows(QUERIES["last_decisions"])
        ]

    def forget_pools(self, pools: Sequence[PoolKey], *, node: str = "") -> None:
        """Forget the last decisions of a node about pools that it has no more."""
        with self._db.transaction():
            self._db.run_many(QUERIES["forget_pool"], [(*rows.pool_values(each), node) for each in pools])

    def scaling_events(
        self, *, service: Service | None = None, before_id: int | None = None, limit: int = 50
    ) -> list[ScalingEvent]:
        """What has changed about the pools, the newest first."""
        question = {"before_id": _LAST_ID if before_id is None else before_id, "limit": limit}
        if service is None:
            found = self._db.rows(QUERIES["scaling_events"], question)
        else:
            found = self._db.rows(QUERIES["scaling_events_of"], {**question, "service": service.value})
        return [
            ScalingEvent(
                at=rows.moment(row["at"]),
                pool=rows.pool_from(row),
                change=Change(row["change"]),
                why=row["why"],
                was=row["was"],
                wanted=row["wanted"],
                rule=row["rule"],
                instance_id=row["instance_id"],
                id=row["id"],
                node=row["node"],
            )
            for row in found
        ]

    def pool_samples(self, *, since: datetime, limit: int | None = None) -> list[PoolSample]:
        """How the pools stood since then, the oldest first."""
        return [
            PoolSample(
                at=rows.moment(row["at"]),
                pool=rows.pool_from(row),
                waiting=row["waiting"],
                running=row["running"],
                starting=row["starting"],
                ready=row["ready"],
                paused=row["paused"],
                wanted=row["wanted"],
                wait_seconds=row["wait_seconds"],
                demand=row["demand"],
                cpu=row["cpu"],
                memory=row["memory"],
                most_waiting=row["most_waiting"],
                most_instances=row["most_instances"],
                node=row["node"],
            )
            for row in self._db.rows(QUERIES["samples_since"], {"since": rows.micros(since), "limit": limit})
        ]

    def measurements(self, service: Service, name: Measure, *, limit: int = 1000) -> list[Measurement]:
        """How long something took lately, the newest first."""
        question = {"service": service.value, "name": name.value, "limit": limit}
        return [
            Measurement(rows.moment(row["at"]), rows.pool_from(row), name, row["seconds"], row["count"])
            for row in self._db.rows(QUERIES["measurements_of"], question)
        ]

    def forget_observations(self, *, before: datetime) -> None:
        """Forget what was observed before a time."""
        with self._db.transaction():
            for name in (
                "forget_samples",
                "forget_measurements",
                "forget_scaling_events",
                "forget_decisions",
                "forget_warm",
            ):
                self._db.run(QUERIES[name], {"before": rows.micros(before)})
            learnt_from = (before - _ARRIVALS_LONGER).timestamp() // INTERVAL_SECONDS
            self._db.run(QUERIES["forget_came"], {"before": int(learnt_from)})

    def add_came(self, came: Sequence[Came]) -> None:
        """Count jobs that came, and that ended, to what is counted of their intervals."""
        values = [(each.service.value, each.interval, each.jobs, each.ended, each.seconds) for each in came]
        with self._db.transaction():
            self._db.run_many(QUERIES["add_came"], values)

    def came(self, service: Service, *, since: int) -> list[Came]:
        """What is counted of a service from an interval on, in order; an interval in which nothing came is missing."""
        found = self._db.rows(QUERIES["came"], {"service": service.value, "since": since})
        return [Came(service, row["interval"], row["jobs"], row["ended"], row["seconds"]) for row in found]

    def set_forecasts(self, forecasts: Sequence[Forecast]) -> None:
        """Keep what is expected of services, in place of what was."""
        with self._db.transaction():
            self._db.run_many(QUERIES["set_forecast"], [_of_forecast(each) for each in forecasts])

    def forecasts(self) -> list[Forecast]:
        """What is expected of each service of which that is known."""
        return [
            Forecast(
                at=rows.moment(row["at"]),
                service=Service(row["service"]),
                instances=row["instances"],
                is_in_force=bool(row["is_in_force"]),
                history_days=row["history_days"],
                error=row["error"],
                naive_error=row["naive_error"],
                flat_error=row["flat_error"],
                why=row["why"],
            )
            for row in self._db.rows(QUERIES["forecasts"])
        ]

    def keep_warm(self, request: WarmRequest) -> None:
        """Want so many instances of a pool ready, in place of what was wanted before."""
        service, _, organisation = rows.pool_values(request.pool)
        self._db.run(QUERIES["set_warm"], (service, organisation, request.instances, rows.micros(request.until)))

    def stop_warming(self, pool: PoolKey) -> bool:
        """Want none any more; False when none was wanted."""
        question = {"service": pool.service.value, "organisation": pool.organisation}
        return self._db.row(QUERIES["remove_warm"], question) is not None

    def warm_requests(self, *, now: datetime) -> list[WarmRequest]:
        """What is wanted ready now."""
        found = [
            WarmRequest(
                PoolKey(Service(row["service"]), organisation=row["organisation"]),
                row["instances"],
                rows.moment(row["until"]),
            )
            for row in self._db.rows(QUERIES["warm_requests"])
        ]
        return [each for each in found if each.until > now]


def _of_sample(sample: PoolSample) -> tuple[object, ...]:
    return (
        rows.micros(sample.at),
        *rows.pool_values(sample.pool),
        sample.node,
        sample.waiting,
        sample.running,
        sample.starting,
        sample.ready,
        sample.paused,
        sample.wanted,
        sample.wait_seconds,
        sample.demand,
        sample.cpu,
        sample.memory,
        sample.most_waiting,
        sample.most_instances,
    )


def _of_event(event: ScalingEvent) -> tuple[object, ...]:
    return (
        rows.micros(event.at),
        *rows.pool_values(event.pool),
        event.node,
        event.change.value,
        event.instance_id,
        event.was,
        event.wanted,
        event.rule,
        event.why,
    )


def _of_forecast(forecast: Forecast) -> tuple[object, ...]:
    return (
        forecast.service.value,
        rows.micros(forecast.at),
        forecast.instances,
        int(forecast.is_in_force),
        forecast.history_days,
        forecast.error,
        forecast.naive_error,
        forecast.flat_error,
        forecast.why,
    )
