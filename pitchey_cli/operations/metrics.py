"""Everything that is counted, as Prometheus reads it: text of the exposition format 0.0.4, out of the store.

Counters come from the ledger, which only grows: what lives is in them when it has ended.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from pitchey_cli.domain.budget import AsOf
from pitchey_cli.domain.job import InstanceState, JobState
from pitchey_cli.domain.nodes import NodeState
from pitchey_cli.domain.prices import NANODOLLARS
from pitchey_cli.operations.alerts import Standing
from pitchey_cli.operations.scaling import measured
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SAMPLE_COUNTS_FOR = timedelta(minutes=1)  # an older one says nothing of now
_Key = TypeVar("_Key", bound=tuple[str, ...])  # the values of labels
_LIVING = (InstanceState.STARTING, InstanceState.READY, InstanceState.PAUSED, InstanceState.DRAINING)


def text(store: Store, as_of: AsOf, alerts: Sequence[Standing], *, version: str, is_daemon_running: bool) -> str:
    """All metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Metrics(store, as_of, alerts, version, is_daemon_running))
    return generate_latest(registry).decode()


@dataclass(frozen=True, eq=False)  # a registry keeps collectors by their identity
class _Metrics(Collector):
    store: Store
    as_of: AsOf
    alerts: Sequence[Standing]
    version: str
    is_daemon_running: bool

    def collect(self) -> Iterator[Metric]:
        """Read the store once, and say what was found."""
        yield InfoMetricFamily("pitchey_build", "The version that answers.", value={"version": self.version})
        yield GaugeMetricFamily(
            "pitchey_daemon_up", "Whether a daemon runs on the machine that answers.", value=int(self.is_daemon_running)
        )
        yield from self._jobs()
        yield from self._queue()
        yield from self._pools()
        yield from self._nodes()
        yield self._durations()
        yield from self._costs()
        yield from self._budgets()
        yield from self._alerts()

    def _jobs(self) -> Iterator[Metric]:
        counts = self.store.counts().by_service
        jobs = {(service, state): states.get(state, 0) for service, states in counts.items() for state in JobState}
        yield _gauge("pitchey_jobs", "Jobs by the state that they are in.", ["service", "state"], jobs)
        dead = {(service,): states.get(JobState.DEAD, 0) for service, states in counts.items()}
        yield _gauge("pitchey_dead_letters", "Jobs that failed for good, and wait for a redrive.", ["service"], dead)

    def _queue(self) -> Iterator[Metric]:
        depth: Counter[tuple[str]] = Counter()
        oldest: dict[tuple[str], float] = {}
        for service in Service:
            for pool in self.store.waiting_pools(service):
                for flow in self.store.queue(pool).flows:
                    depth[service,] += flow.queued
                    waited = max(0.0, (self.as_of.now - flow.waits_since).total_seconds())
                    oldest[service,] = max(oldest.get((service,), 0.0), waited)
        for service in self.store.counts().by_service:  # an empty queue is a number as well
            depth.setdefault((service,), 0)
            oldest.setdefault((service,), 0.0)
        yield _gauge("pitchey_queue_jobs", "Jobs that wait for a slot.", ["service"], depth)
        what = "How long the oldest of them has waited, whatever it waits for."
        yield _gauge("pitchey_queue_oldest_wait_seconds", what, ["service"], oldest)

    def _pools(self) -> Iterator[Metric]:
        instances = Counter((each.service, each.state) for each in self.store.instances())
        for service in self.store.counts().by_service:
            for state in _LIVING:
                instances.setdefault((service, state), 0)
        yield _gauge("pitchey_instances", "Instances by state.", ["service", "state"], instances)
        samples = self.store.pool_samples(since=self.as_of.now - _SAMPLE_COUNTS_FOR)
        last = {(each.pool, each.node): each for each in samples}  # the parts of several nodes add up
        labels = ["service", "instance_type"]  # and not the organisation: there may be thousands
        wanted: Counter[tuple[str, str]] = Counter()
        for decision in self.store.last_decisions():
            wanted[decision.pool[:2]] += 0  # a pool at rest has no sample
        for (pool, _), each in last.items():
            wanted[pool[:2]] += each.wanted
        yield _gauge("pitchey_instances_wanted", "Instances that are to take work. " + _OWN_TYPE, labels, wanted)
        cpu = _averages((pool[:2], each.ready, each.cpu) for (pool, _), each in last.items())
        what = "CPU used, of what the instances were granted. " + _OWN_TYPE
        yield _gauge("pitchey_pool_cpu_ratio", what, labels, cpu)
        memory = _averages((pool[:2], each.ready, each.memory) for (pool, _), each in last.items())
        what = "Memory used, of what the instances were granted. " + _OWN_TYPE
        yield _gauge("pitchey_pool_memory_ratio", what, labels, memory)

    def _nodes(self) -> Iterator[Metric]:
        nodes = self.store.nodes()
        states = Counter((each.state,) for each in nodes)
        counted = {(state,): states[state,] for state in (NodeState.UP, NodeState.DRAINING, NodeState.DOWN)}
        yield _gauge("pitchey_nodes", "Daemons that share the queue, by state.", ["state"], counted)
        now = self.as_of.now
        # One that has ended in order is missed by nobody; one that is away goes when it is removed.
        there = {(each.facts.name,): each for each in nodes if each.is_known and (each.is_up or each.is_away(now))}
        what = "1 for a node that should be at work, and is not heard of."
        yield _gauge(
            "pitchey_daemon_away", what, _OF_NODE, {key: int(each.is_away(now)) for key, each in there.items()}
        )
        ages = {key: max(0.0, (now - each.beat_at).total_seconds()) for key, each in there.items()}
        yield _gauge("pitchey_beat_age_seconds", "How long ago a node was heard of, by two clocks.", _OF_NODE, ages)
        up = {key: each for key, each in there.items() if each.is_up}
        instances = Counter(each.node for each in self.store.instances())
        counts = {key: instances[each.id] for key, each in up.items()}
        yield _gauge("pitchey_daemon_instances", "Instances of a node.", _OF_NODE, counts)
        running = {key: len(self.store.running(node=each.id)) for key, each in up.items()}
        yield _gauge("pitchey_daemon_running_jobs", "Jobs that run on a node.", _OF_NODE, running)
        room = {key: each.room.free_memory_bytes for key, each in up.items()}
        yield _gauge("pitchey_memory_free_bytes", "Of what a node has for instances.", _OF_NODE, room)
        disks = {key: free for key, each in up.items() if (free := each.health.disk_free_bytes) is not None}
        what = "Where a node has its state directory, or its cache if that has less."
        yield _gauge("pitchey_disk_free_bytes", what, _OF_NODE, disks)
        engines = {key: gone for key, each in up.items() if (gone := each.health.engine_away_seconds) is not None}
        what = "How long the engine of a node has not answered; 0: it answers."
        yield _gauge("pitchey_engine_away_seconds", what, _OF_NODE, engines)

    def _durations(self) -> Metric:
        medians = {
            (service, measure): timing.median
            for service, by_measure in measured(self.store).items()
            for measure, timing in by_measure.items()
        }
        what = "Median of the last starts (start, unpause) and pick-ups (cold_pickup, warm_pickup)."
        return _gauge("pitchey_duration_median_seconds", what, ["service", "measure"], medians)

    def _costs(self) -> Iterator[Metric]:
        totals = self.store.cost_totals()
        cost = CounterMetricFamily(
            "pitchey_cost_dollars",
            "What has been booked. start and paused are parts of instance; work and failed are what of it was used.",
            labels=["service", "line"],
        )
        attempts = CounterMetricFamily(
            "pitchey_attempts", "Attempts that ended, by what they were booked as.", labels=["service", "line"]
        )
        for each in totals:
            cost.add_metric([each.service, each.line], each.nanodollars / NANODOLLARS)
            if each.attempts:
                attempts.add_metric([each.service, each.line], each.attempts)
        yield cost
        yield attempts

    def _budgets(self) -> Iterator[Metric]:
        amounts: dict[tuple[str, ...], float] = {}
        spent: dict[tuple[str, ...], float] = {}
        for each in self.store.standings(self.as_of):
            scope = each.budget.scope
            labels = (scope.organisation, scope.service or "", each.budget.period)
            amounts[labels] = each.budget.nanodollars / NANODOLLARS
            spent[labels] = each.spent / NANODOLLARS
        names = ["organisation", "service", "period"]
        yield _gauge(
            "pitchey_budget_dollars", "What may be spent in the period. Empty labels mean all.", names, amounts
        )
        what = "What has been spent in the period that is now, what lives included."
        yield _gauge("pitchey_budget_spent_dollars", what, names, spent)

    def _alerts(self) -> Iterator[Metric]:
        firing: dict[tuple[str, ...], int] = {}
        silenced: dict[tuple[str, ...], int] = {}
        for each in self.alerts:
            labels = (each.rule.name, each.rule.severity)
            firing[labels] = int(each.alert.firing_since is not None)
            silenced[labels] = int(each.alert.is_silenced(self.as_of.now))
        yield _gauge("pitchey_alert_firing", "1 for a rule that fires, silenced or not.", ["rule", "severity"], firing)
        yield _gauge("pitchey_alert_silenced", "1 for a rule that is silenced.", ["rule", "severity"], silenced)


_OF_NODE = ["node"]
_OWN_TYPE = "An empty instance_type is the service's own."


def _averages(values: Iterable[tuple[tuple[str, str], int, float | None]]) -> dict[tuple[str, str], float]:
    """Of the pools of all organisations together, each counted for its instances; without what is not known."""
    known = [(key, max(1, instances), value) for key, instances, value in values if value is not None]
    total: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, str], float] = {}
    for key, instances, value in known:
        total[key] += instances
        found[key] = found.get(key, 0.0) + instances * value
    return {key: value / total[key] for key, value in found.items()}


def _gauge(name: str, what: str, labels: Iterable[str], values: Mapping[_Key, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, what, labels=list(labels))
    for key in sorted(values):
        family.add_metric(list(key), values[key])
    return family
