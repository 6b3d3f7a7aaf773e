"""The nodes in the store. When one counts as gone domain/nodes.py decides; sql_store.py takes over what it ran."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pitchey_cli.domain.nodes import NOT_ASKED, Epoch, Health, NodeFacts, NodeRecord, NodeState, Room
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.store import rows
from pitchey_cli.store.budgeting import Budgeting
from pitchey_cli.store.nodes import Elsewhere
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.steps import check, newest
from processors.vocabulary import Service


class Members(Budgeting):
    """Who works on a store."""

    def enter(self, node_id: str, facts: NodeFacts, room: Room, health: Health = NOT_ASKED, *, now: datetime) -> Epoch:
        """A daemon starts to work as a node."""
        at = rows.micros(now)
        values = {"id": node_id, "now": at, **_facts_values(facts), **_room_values(room), **_health_values(health)}
        with self._db.transaction():
            epoch = Epoch(node_id, int(self._db.value(QUERIES["enter_node"], values)))
            if not facts.is_foreground:  # each `pitchey run` is a node; nobody wants to hear of it
                self._tell(node_id, facts.name, "node_up", {"version": facts.version, "epoch": epoch.number}, now)
        return epoch

    def beat(self, under: Epoch, room: Room, health: Health = NOT_ASKED, *, now: datetime) -> bool:
        """Count a node's beat up; False when its epoch is over."""
        values = {
            **rows.epoch_values(under),
            "now": rows.micros(now),
            **_room_values(room),
            **_health_values(health),
        }
        return self._db.row(QUERIES["beat"], values) is not None

    def check_schema(self) -> None:
        """Make sure that this program may still work on the database."""
        if (found := self._db.schema_version()) > (known := newest()):
            said = self._db.value(QUERIES["readable_by"])
            check("The database", found=found, known=known, readable_by=None if said is None else int(said))

    def time_there(self) -> datetime | None:
        """The clock of the server that has the database."""
        return rows.moment_or_none(self._db.value(QUERIES["time_there"]))

    def may_take(self, under: Epoch) -> bool:
        """Whether a node may take anything new."""
        return bool(self._db.value(QUERIES["may_act"], rows.epoch_values(under)) == 0)

    def leave(self, under: Epoch, *, now: datetime) -> bool:
        """A daemon has ended. False: it leaves instances behind, or its epoch is over."""
        with self._db.transaction():
            left = self._db.row(QUERIES["leave_node"], {**rows.epoch_values(under), "now": rows.micros(now)})
            if left is not None and not left["is_foreground"]:
                self._tell(under.node_id, left["name"], "node_down", {"why": "its daemon has ended"}, now)
        return left is not None

    def nodes(self) -> Sequence[NodeRecord]:
        """All nodes, by name."""
        return [_node_from(row) for row in self._db.rows(QUERIES["nodes"])]

    def drain_node(self, node_id: str, *, is_drained: bool, now: datetime) -> bool:
        """Let a node take nothing new, or again."""
        with self._db.transaction():
            change = {"id": node_id, "is_drained": int(is_drained)}
            if (changed := self._db.row(QUERIES["set_drained"], change)) is not None:
                self._tell(node_id, changed["name"], "node_drained" if is_drained else "node_undrained", {}, now)
        return changed is not None

    def pools_elsewhere(self, node_id: str) -> Mapping[PoolKey, Elsewhere]:
        """What all other nodes have."""
        found = self._db.rows(QUERIES["pools_elsewhere"], {"node": node_id})
        return {rows.pool_from(row): Elsewhere(row["instances"], max(0, row["slots"] - row["taken"])) for row in found}

    def node(self, node_id: str) -> NodeRecord | None:
        """One of them."""
        row = self._db.row(QUERIES["node"], {"id": node_id})
        return None if row is None else _node_from(row)

    def _tell(self, node_id: str, name: str, kind: str, data: Mapping[str, Any], now: datetime) -> None:
        self._raise_event(kind, {"node": node_id, "name": name, **data}, now=now)


def _facts_values(facts: NodeFacts) -> dict[str, Any]:
    return {
        "name": facts.name,
        "version": facts.version,
        "schema": facts.schema,
        "engine": facts.engine,
        "services": rows.encode([each.value for each in facts.services]),
        "region": facts.region,
        "is_spot": int(facts.is_spot),
        "price_factor": facts.price_factor,
        "labels": rows.encode(list(facts.labels)),
        "has_gpu": int(facts.has_gpu),
        "lease_seconds": facts.lease_seconds,
        "is_foreground": int(facts.is_foreground),
        "host": facts.host,
        "start": facts.start,
    }


def _room_values(room: Room) -> dict[str, Any]:
    return {
        "cpus": room.cpus,
        "memory_bytes": room.memory_bytes,
        "free_cpus": room.free_cpus,
        "free_memory_bytes": room.free_memory_bytes,
    }


def _health_values(health: Health) -> dict[str, Any]:
    return {"disk_free_bytes": health.disk_free_bytes, "engine_away_seconds": health.engine_away_seconds}


def _node_from(row: rows.Row) -> NodeRecord:
    state, is_drained = NodeState(row["state"]), bool(row["is_drained"])
    return NodeRecord(
        id=row["id"],
        facts=NodeFacts(
            name=row["name"],
            version=row["version"],
            schema=row["schema"],
            engine=row["engine"],
            services=tuple(Service(each) for each in json.loads(row["services"]) if each in set(Service)),
            region=row["region"],
            is_spot=bool(row["is_spot"]),
            price_factor=row["price_factor"],
            labels=tuple(json.loads(row["labels"])),
            has_gpu=bool(row["has_gpu"]),
            lease_seconds=row["lease_seconds"],
            is_foreground=bool(row["is_foreground"]),
            host=row["host"],
            start=row["start_id"],
        ),
        epoch=row["epoch"],
        beat=row["beat"],
        state=NodeState.DRAINING if state is NodeState.UP and is_drained else state,
        started_at=rows.moment(row["started_at"]),
        beat_at=rows.moment(row["beat_at"]),
        is_drained=is_drained,
        room=Room(row["cpus"], row["memory_bytes"], row["free_cpus"], row["free_memory_bytes"]),
        health=Health(row["disk_free_bytes"], row["engine_away_seconds"]),
        lost_at=rows.moment_or_none(row["lost_at"]),
    )
