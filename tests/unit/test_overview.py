"""How pools are put together of what several nodes have decided and seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pitchey_cli.domain.observation import LastDecision, PoolSample
from pitchey_cli.domain.overview import PoolUse, pools
from pitchey_cli.domain.pools import PoolKey
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
POOL = PoolKey(Service.VIDEO)
SECOND = timedelta(seconds=1)


def decided(node: str, wanted: int, rule: str, seconds_ago: int = 0) -> LastDecision:
    return LastDecision(NOON - seconds_ago * SECOND, POOL, {"wanted": wanted, "rule": rule}, node)


def sample(node: str, ready: int, cpu: float | None, seconds_ago: int = 0) -> PoolSample:
    return PoolSample(NOON - seconds_ago * SECOND, POOL, 0, 0, 0, ready, 0, ready, cpu=cpu, node=node)


def pool(decisions: list[LastDecision], samples: list[PoolSample]) -> PoolUse:
    (found,) = pools(
        [Service.VIDEO],
        instances=[],
        decisions=decisions,
        samples=samples,
        waiting={},
        running=[],
        is_run=True,
        now=NOON,
    )
    return found


def test_what_the_nodes_want_adds_up_and_the_newest_rule_is_named() -> None:
    found = pool([decided("a", 2, "first_job", 9), decided("b", 1, "queue_depth", 1), decided("c", 9, "cpu", 99)], [])
    assert (found.wanted, found.rule) == (3, "queue_depth")


def test_what_instances_use_is_averaged_over_all_of_them() -> None:
    samples = [sample("a", 3, 0.1, 20), sample("a", 3, 0.5, 10), sample("b", 1, 0.9), sample("c", 4, None)]
    found = pool([], samples)
    assert found.cpu is not None and abs(found.cpu - 0.6) < 1e-9 and found.memory is None
