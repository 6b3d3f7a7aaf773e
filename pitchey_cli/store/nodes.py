"""The part of the store's port that is about the nodes that share it. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from pitchey_cli.domain.job import JobId
from pitchey_cli.domain.nodes import NOT_ASKED, Epoch, Health, NodeFacts, NodeRecord, Room
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class TakenOver:
    """What was taken from a node that is gone."""

    jobs: tuple[JobId, ...]  #: that wait again, or were to be cancelled
    instances: tuple[str, ...]  #: that are in the books no longer


@dataclass(frozen=True)
class Elsewhere:
    """What other nodes have of a pool."""

    instances: int
    free_slots: int


class Nodes(Protocol):
    """Who works on the database. What a silent node is, and what is done about it, domain/nodes.py says."""

    def enter(self, node_id: str, facts: NodeFacts, room: Room, health: Health = NOT_ASKED, *, now: datetime) -> Epoch:
        """A daemon starts to work as a node. What it ran before stays its own, under the new epoch."""

    def beat(self, under: Epoch, room: Room, health: Health = NOT_ASKED, *, now: datetime) -> bool:
        """Count a node's beat up; False when its epoch is over, and nothing that it runs is its own any more."""

    def check_schema(self) -> None:
        """Make sure that this program may still work on the database.

        Raises:
            SchemaTooNew: another node has brought it up to a version that is not for this one.
        """

    def time_there(self) -> datetime | None:
        """The clock of the server that has the database; None where there is no server."""

    def may_take(self, under: Epoch) -> bool:
        """Whether a node may take anything new: its epoch lasts, and nobody has drained it."""

    def leave(self, under: Epoch, *, now: datetime) -> bool:
        """A daemon has ended. False: it leaves instances behind, or its epoch is over."""

    def nodes(self) -> Sequence[NodeRecord]:
        """All nodes, by name; those that were removed as well."""

    def node(self, node_id: str) -> NodeRecord | None:
        """One of them; None when there is none."""

    def take_over(self, gone: NodeRecord, *, why: str, now: datetime) -> TakenOver | None:
        """End a node's epoch, if it is still as it was seen; None when somebody was quicker, or it lives.

        Its attempts end as interrupted, so their jobs wait again and none is used up; its instances leave the books at
        their last sign of life. All of it, or nothing, and by one node alone.
        """

    def drain_node(self, node_id: str, *, is_drained: bool, now: datetime) -> bool:
        """Let a node take nothing new, or again; False when it is so already, or there is none."""

    def remove_node(self, node_id: str, *, now: datetime) -> TakenOver | None:
        """Forget a node, alive or not, and take over what it runs; None when it has been, or there is none."""

    def pools_elsewhere(self, node_id: str) -> Mapping[PoolKey, Elsewhere]:
        """What all other nodes have."""
