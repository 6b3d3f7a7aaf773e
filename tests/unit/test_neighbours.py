"""Daemons that share a machine, and promise its memory twice."""

from __future__ import annotations

from datetime import UTC, datetime

from pitchey_cli.domain.limits import GIB
from pitchey_cli.domain.neighbours import overbooked, sentence
from pitchey_cli.domain.nodes import NodeFacts, NodeRecord, NodeState, Room
from processors.vocabulary import Service

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def node(name: str, gib: int, *, host: str = "boot", state: NodeState = NodeState.UP, **said: object) -> NodeRecord:
    facts = NodeFacts(name, "1.0", 1, "docker", (Service.VIDEO,), host=host, **said)  # type: ignore[arg-type]
    return NodeRecord(name, facts, 1, 0, state, NOON, NOON, room=Room(memory_bytes=gib * GIB))


def names(*nodes: NodeRecord, host: str = "boot") -> list[str]:
    return [each.facts.name for each in overbooked(nodes, host, 16 * GIB)]


def test_two_that_promise_more_than_there_is_are_named() -> None:
    found = overbooked([node("b", 12), node("a", 12)], "boot", 16 * GIB)
    said = "The nodes a, b are on one machine of 16.0 GiB, and their instances may have 24.0 GiB together."
    assert sentence(found, 16 * GIB) == said


def test_those_that_have_a_part_each_are_well() -> None:
    assert names(node("a", 8), node("b", 8)) == [] and names(node("a", 17)) == []


def test_other_machines_and_those_that_are_not_at_work_do_not_count() -> None:
    others = [node("b", 12, host="another"), node("c", 12, state=NodeState.DOWN), node("d", 12, is_foreground=True)]
    assert names(node("a", 12), *others) == []
    assert names(node("a", 12, host=""), node("b", 12, host=""), host="") == []
