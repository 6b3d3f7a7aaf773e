"""When a node counts as gone, and which jobs may go where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.nodes import (
    NodeFacts,
    NodeRecord,
    NodeState,
    Watch,
    fits,
    labels_from,
    may_take,
    misfit,
    name_from,
    wanted_from,
)
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
VIDEO = Service.VIDEO


def node(
    name: str = "a", *, beat: int = 0, epoch: int = 1, state: NodeState = NodeState.UP, **said: object
) -> NodeRecord:
    facts = NodeFacts(name, "1.0", 1, "docker", (VIDEO,), **said)  # type: ignore[arg-type]
    return NodeRecord(name, facts, epoch, beat, state, NOON, NOON)


# --- who is gone


def test_a_node_is_gone_when_its_beat_has_stood_still_for_its_lease_by_the_watcher_s_own_clock() -> None:
    watch = Watch()
    assert watch.look([node()], 1000.0) == []
    assert watch.look([node()], 1030.0) == []
    assert watch.look([node()], 1030.1) == [node()]


def test_a_beat_or_an_epoch_that_moves_begins_the_lease_anew() -> None:
    watch = Watch()
    watch.look([node()], 0.0)
    assert watch.look([node(beat=1)], 29.0) == [] and watch.look([node(beat=1)], 58.0) == []
    assert watch.look([node(epoch=2, beat=1)], 59.5) == [] and watch.look([node(epoch=2, beat=1)], 80.0) == []


@given(st.timedeltas(-timedelta(days=9000), timedelta(days=9000)))
def test_what_a_node_s_own_clock_says_does_not_matter(skew: timedelta) -> None:
    watch, there = Watch(), replace(node(), beat_at=NOON + skew, started_at=NOON + skew)
    assert watch.look([there], 0.0) == [] and watch.look([there], 30.0) == []
    assert watch.look([there], 31.0) == [there]


@given(st.lists(st.floats(0.1, 9.9), min_size=1, max_size=40))
def test_a_node_that_beats_three_times_in_a_lease_is_never_gone(steps: list[float]) -> None:
    watch, now = Watch(), 0.0
    for beat, seconds in enumerate(steps):
        now += seconds
        assert watch.look([node(beat=beat)], now) == []


def test_each_node_is_given_the_time_that_it_has_promised() -> None:
    watch, quick, slow = Watch(), node("a", lease_seconds=5.0), node("b", lease_seconds=60.0)
    watch.look([quick, slow], 0.0)
    assert watch.look([quick, slow], 6.0) == [quick]


def test_one_that_is_down_or_removed_is_not_waited_for() -> None:
    watch, ended = Watch(), [node("a", state=NodeState.DOWN), node("b", state=NodeState.REMOVED)]
    watch.look(ended, 0.0)
    assert watch.look(ended, 100.0) == []


def test_a_watcher_that_was_away_itself_gives_everybody_the_whole_lease_again() -> None:
    watch = Watch()
    watch.look([node()], 0.0)
    watch.forget(100.0)
    assert watch.look([node()], 100.0) == [] and watch.look([node()], 130.0) == []
    assert watch.look([node()], 130.1) == [node()]


def test_people_are_told_of_a_node_that_is_silent() -> None:
    assert node().is_silent(NOON + timedelta(seconds=61)) and not node().is_silent(NOON + timedelta(seconds=59))
    assert not node(state=NodeState.DOWN).is_silent(NOON + timedelta(days=1))


# --- labels


@pytest.mark.parametrize(
    ("said", "kept"),
    [("", ""), ("region=eu", "region=eu"), (" region=eu , gpu ", "gpu=true,region=eu"), ("b=1,a=2", "a=2,b=1")],
)
def test_what_a_job_asks_of_its_node_is_kept_in_one_order(said: str, kept: str) -> None:
    assert wanted_from(said) == kept


@pytest.mark.parametrize(
    "said", ["region", "=eu", "region=", "Region=eu", "region=e u", "a=1,", "a=1,a=2", "x=" + "y" * 64]
)
def test_what_is_no_label_is_named(said: str) -> None:
    with pytest.raises(UsageError):
        wanted_from(said)


def test_labels_that_every_node_has_are_not_set() -> None:
    assert labels_from("disk=ssd,tier=gold", what="node.labels") == ("disk=ssd", "tier=gold")
    with pytest.raises(UsageError, match=r"node\.labels.*region"):
        labels_from("region=eu", what="node.labels")


@pytest.mark.parametrize("name", ["", "a b", "-a", "a/b", "a" * 64])
def test_what_is_no_name_of_a_node_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        name_from(name, what="node.name")


def test_a_job_fits_where_all_its_labels_are() -> None:
    there = node(region="eu", has_gpu=True, labels=("disk=ssd",)).facts.all_labels
    assert fits("", there) and fits("region=eu", there) and fits("disk=ssd,gpu=true,region=eu", there)
    assert fits("node=a,spot=false", there)
    assert not fits("region=us", there) and not fits("gpu=true,region=us", there)


def test_why_no_node_takes_a_job() -> None:
    nodes = [
        node("a"),
        node("b", region="eu", is_spot=True),
        node("c", region="eu", state=NodeState.DRAINING),
        node("d", region="eu", state=NodeState.DOWN),
    ]
    assert misfit("region=eu", False, VIDEO, nodes) == {
        "a": "it has no region=eu",
        "b": "its cloud may take it away",
        "c": "it drains",
    }
    assert misfit("region=eu", True, VIDEO, nodes) == {} and may_take("region=eu", True, VIDEO, nodes[1])
    assert set(misfit("", False, Service.CODE, nodes).values()) == {"it does not serve code"}
