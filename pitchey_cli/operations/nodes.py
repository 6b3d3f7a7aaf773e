"""The nodes that share a queue: which there are, and what somebody does about one."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.nodes import NodeRecord, NodeState, NodeUse
from pitchey_cli.store.nodes import TakenOver
from pitchey_cli.store.port import Store

_SHORTEST_ID = 4  # characters, of an id that is abbreviated


def nodes(store: Store, *, with_removed: bool = False) -> list[NodeUse]:
    """The nodes, by name, and what each is doing."""
    found = [each for each in store.nodes() if with_removed or each.state is not NodeState.REMOVED]
    instances: dict[str, list[Instance]] = {}
    for instance in store.instances():
        instances.setdefault(instance.node, []).append(instance)
    return [_use(store, each, instances.get(each.id, ())) for each in found]


def node(store: Store, text: str) -> NodeUse:
    """The node of a name or an id."""
    found = find(store, text)
    return _use(store, found, store.instances(node=found.id))


def names(store: Store) -> dict[str, str]:
    """The names of the nodes by their ids, where there are several: of one nobody asks which."""
    found = [each for each in store.nodes() if each.is_known]
    return {each.id: each.facts.name for each in found} if len(found) > 1 else {}


def _use(store: Store, node: NodeRecord, instances: Sequence[Instance]) -> NodeUse:
    running = len(store.running(node=node.id)) if instances else 0  # nothing runs but on instances
    return NodeUse(node, tuple(instances), running)


def find(store: Store, text: str) -> NodeRecord:
    """The node of a name, an id or the beginning of one; of several of one name the one that is up.

    Raises:
        InputNotFound: there is none.
        UsageError: there are several.
    """
    every = store.nodes()
    found = [each for each in every if each.id == text]
    found = found or [each for each in every if each.facts.name == text]
    if not found and len(text) >= _SHORTEST_ID:
        found = [each for each in every if each.id.startswith(text)]
    if len(found) > 1:
        found = [each for each in found if each.state is not NodeState.REMOVED] or found
    if len(found) > 1:
        found = [each for each in found if each.is_up] or found
    if not found:
        raise InputNotFound(f"There is no node {text[:70]!r}.", hint="`pitchey nodes list` names them.")
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise UsageError(f"There are {len(found)} nodes {text!r}.", hint=f"Name one by its id: {ids}.")
    return found[0]


def check_removable(node: NodeRecord, *, force: bool) -> None:
    """Raise UsageError for a node that may be alive: what it runs would be done twice."""
    if node.state is NodeState.REMOVED:
        raise UsageError(
            f"The node {node.facts.name} has been removed.", hint="`pitchey daemon start` there undoes it."
        )
    if node.is_up and not force:
        raise UsageError(
            f"The node {node.facts.name} is {node.state}.",
            hint="`pitchey daemon stop` on its machine ends it; --force takes its jobs from it, and ends it.",
        )


def removed_sentence(node: NodeRecord, taken: TakenOver) -> str:
    """What has come of it."""
    said = f"The node {node.facts.name} is removed"
    if not (taken.jobs or taken.instances):
        return f"{said}."
    jobs = "1 job waits" if len(taken.jobs) == 1 else f"{len(taken.jobs)} jobs wait"
    instances = len(taken.instances)
    are = "1 of its instances is" if instances == 1 else f"{instances} of its instances are"
    return f"{said}; {jobs} again, and {are} out of the books."
