"""What is said of nodes; see said.py."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from pitchey_cli.api.route import Said
from pitchey_cli.domain.nodes import NodeState
from processors.vocabulary import Service


class NodeSaid(Said):
    """One node, and what it is doing."""

    schema_: int = Field(alias="schema")
    id: str
    name: str
    state: NodeState
    is_silent: bool
    is_away: bool
    version: str
    database_schema: int
    engine: str
    services: list[Service]
    region: str
    labels: list[str]
    has_gpu: bool
    is_spot: bool
    is_foreground: bool
    price_factor: float
    lease_seconds: float
    epoch: int
    started_at: datetime
    beat_at: datetime
    cpus: float
    memory_bytes: int
    free_cpus: float
    free_memory_bytes: int
    disk_free_bytes: int | None
    engine_away_seconds: float | None
    instances: int
    running: int


class NodesSaid(Said):
    """The nodes, by name."""

    nodes: list[NodeSaid]


class NodeRemovedSaid(Said):
    """What was taken from a node that is no more."""

    jobs: list[str]
    instances: list[str]
