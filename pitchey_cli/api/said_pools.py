"""What is said of instances, scaling and money; see said.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from pitchey_cli.api.route import Said
from processors.vocabulary import Service


class LoadedModelSaid(Said):
    """A model that an instance has loaded, and the memory that it counts for."""

    name: str
    memory_bytes: int


class InstanceSaid(Said):
    """One instance, and what it has cost."""

    id: str
    service: Service
    organisation: str | None
    node: str | None
    node_name: str | None
    engine: str
    image: str
    slots: int
    state: str
    requested_cpus: float
    requested_memory_bytes: int
    granted_cpus: float
    granted_memory_bytes: int
    created_at: datetime
    ready_at: datetime | None
    stopped_at: datetime | None
    note: str | None
    models: list[LoadedModelSaid]
    cost_usd: float


class InstancesSaid(Said):
    """Instances, the oldest first."""

    instances: list[InstanceSaid]


class WarmSaid(Said):
    """What is kept warm."""

    service: Service
    organisation: str | None
    instances: int
    until: datetime


class CoolSaid(Said):
    """What is kept warm no more."""

    service: Service
    was_warm: bool


class PoolSaid(Said):
    """A pool as it is now, and the last decision about it."""

    schema_: int = Field(alias="schema")
    service: Service
    instance_type: str | None
    organisation: str | None
    ready: int
    starting: int
    paused: int
    waiting: int
    running: int
    last_decision: dict[str, Any] | None


class ScalingSaid(Said):
    """All pools."""

    pools: list[PoolSaid]


class ScalingEventSaid(Said):
    """A change of a pool."""

    schema_: int = Field(alias="schema")
    id: int
    at: datetime
    service: Service
    instance_type: str | None
    organisation: str | None
    node: str | None
    change: str
    was: int
    wanted: int
    rule: str | None
    instance_id: str | None
    why: str


class ScalingEventsSaid(Said):
    """Changes, the newest first."""

    events: list[ScalingEventSaid]
    next: str | None


class CostSaid(Said):
    """What a period has cost; the numbers are those of `pitchey cost --json`."""

    model_config = ConfigDict(extra="allow")

    schema_: int = Field(alias="schema")
    since: datetime
    until: datetime
    now: datetime
    by: dict[str, list[dict[str, Any]]]


class BudgetSaid(Said):
    """A budget, and how far it has come."""

    schema_: int = Field(alias="schema")
    organisation: str | None
    service: Service | None
    period: str
    begin: datetime
    end: datetime
    amount_usd: float
    spent_usd: float
    left_usd: float
    projected_usd: float | None
    history_seconds: int
    percent: float
    reached: list[int]
    is_capped: bool


class BudgetsSaid(Said):
    """All budgets."""

    budgets: list[BudgetSaid]
