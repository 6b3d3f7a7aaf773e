"""The nodes that share a queue, as a table and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.nodes import NodeState, NodeUse
from pitchey_cli.reports.as_json import SCHEMA, time
from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import ago, duration, printable, size

_STYLES = {NodeState.UP: "green", NodeState.DRAINING: "yellow", NodeState.DOWN: "dim", NodeState.REMOVED: "dim"}


def table(found: Sequence[NodeUse], *, now: datetime) -> RenderableType:
    """All nodes."""
    if not found:
        return Text("No nodes. `pitchey daemon start` makes this machine one.")
    rows = plain_table(
        "node", "state", "version", "engine", "services", "labels", "instances", "running", "free", "last beat",
        right=("instances", "running", "free"),
    )  # fmt: skip
    for each in found:
        node, facts = each.node, each.node.facts
        rows.add_row(
            cell(facts.name),
            _state(each, now),
            cell(facts.version),
            cell(facts.engine),
            ", ".join(facts.services),
            cell(_labels(each)),
            f"{len(each.instances):,}",
            f"{each.running:,}",
            size(node.room.free_memory_bytes) if node.is_up else "",
            ago(node.beat_at, now),
        )
    return rows


def versions(found: Sequence[NodeUse], *, now: datetime) -> RenderableType:
    """What each node works with."""
    if not found:
        return Text("No nodes.")
    rows = plain_table("node", "state", "version", "knows schema", "last beat", right=("knows schema",))
    for each in found:
        facts = each.node.facts
        rows.add_row(
            cell(facts.name), _state(each, now), cell(facts.version), str(facts.schema), ago(each.node.beat_at, now)
        )
    return rows


def whole(use: NodeUse, *, now: datetime) -> RenderableType:
    """One node."""
    node, room = use.node, use.node.room
    lines = [
        f"id          {node.id}, epoch {node.epoch}",
        f"started     {ago(node.started_at, now)}, schema {node.facts.schema}, lease {node.facts.lease_seconds:g} s",
        f"room        {room.free_cpus:g} of {room.cpus:g} CPUs, {size(room.free_memory_bytes)} of"
        f" {size(room.memory_bytes)} free",
        f"disk        {_free(node.health.disk_free_bytes)}",
        f"engine      {_answered(node.health.engine_away_seconds)}",
        f"price       {node.facts.price_factor:g} times the usual one",
    ]
    lines += [f"instance    {each.id} {each.state}, {each.slots} slots" for each in use.instances]
    return Group(table([use], now=now), Text(), *(Text(printable(each)) for each in lines))


def _free(disk_bytes: int | None) -> str:
    return "not known" if disk_bytes is None else f"{size(disk_bytes)} free"


def _answered(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    return f"has not answered for {duration(seconds)}" if seconds else "answers"


def _state(use: NodeUse, now: datetime) -> Text:
    if use.node.lost_at is not None and use.node.is_away(now):
        return Text("away", style="red")
    if use.node.is_silent(now):
        return Text("silent", style="red")
    return Text(use.node.state, style=_STYLES[use.node.state])


def _labels(use: NodeUse) -> str:
    facts = use.node.facts
    own = [f"region={facts.region}", *(["gpu"] if facts.has_gpu else []), *(["spot"] if facts.is_spot else [])]
    return ", ".join([*own, *facts.labels])


def document(use: NodeUse, *, now: datetime) -> dict[str, Any]:
    """One node."""
    node, facts, room = use.node, use.node.facts, use.node.room
    return {
        "schema": SCHEMA,
        "id": node.id,
        "name": facts.name,
        "state": node.state,
        "isSilent": node.is_silent(now),
        "isAway": node.is_away(now),
        "version": facts.version,
        "databaseSchema": facts.schema,
        "engine": facts.engine,
        "services": list(facts.services),
        "region": facts.region,
        "labels": list(facts.labels),
        "hasGpu": facts.has_gpu,
        "isSpot": facts.is_spot,
        "isForeground": facts.is_foreground,
        "priceFactor": facts.price_factor,
        "leaseSeconds": facts.lease_seconds,
        "epoch": node.epoch,
        "startedAt": time(node.started_at),
        "beatAt": time(node.beat_at),
        "cpus": room.cpus,
        "memoryBytes": room.memory_bytes,
        "freeCpus": room.free_cpus,
        "freeMemoryBytes": room.free_memory_bytes,
        "diskFreeBytes": node.health.disk_free_bytes,
        "engineAwaySeconds": node.health.engine_away_seconds,
        "instances": len(use.instances),
        "running": use.running,
    }
