"""Rows of instances and of the ledger to domain values and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import time
from functools import lru_cache
from typing import Any

from pitchey_cli.domain.cost import Account, Entry, Life, Line, LiveAttempt
from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel
from pitchey_cli.domain.prices import PriceWindow, Tariff
from pitchey_cli.domain.windows import Window
from pitchey_cli.store import rows
from processors.vocabulary import Service


def instance_values(instance: Instance) -> tuple[Any, ...]:
    """An instance as the values of `insert_instance`."""
    return (
        instance.id,
        instance.service.value,
        instance.node,
        instance.engine,
        instance.image,
        instance.slots,
        instance.size,
        instance.organisation,
        instance.state.value,
        instance.requested_cpus,
        instance.requested_memory_bytes,
        instance.granted_cpus,
        instance.granted_memory_bytes,
        rows.micros(instance.created_at),
        rows.micros_or_none(instance.ready_at),
        rows.micros_or_none(instance.stopped_at),
        instance.note,
        instance.instance_type,
        instance.region,
        rows.encode(instance.tariff),
        instance.boot,
        instance.created_tick,
        instance.ready_tick,
        max(instance.seen_tick, instance.created_tick),
        instance.stopped_tick,
        instance.paused_tick,
        instance.paused_ticks,
        instance.cost_nanodollars,
        models_value(instance.models),
    )


def models_value(models: Sequence[LoadedModel]) -> str:
    """Loaded models, as they stand in a row."""
    return rows.encode({each.name: each.memory_bytes for each in models})


def instance_from(row: rows.Row) -> Instance:
    """A row of container_instances."""
    return Instance(
        id=row["id"],
        service=Service(row["service"]),
        node=row["node"],
        engine=row["engine"],
        image=row["image"],
        slots=row["slots"],
        size=row["size"],
        organisation=row["organisation"],
        state=InstanceState(row["state"]),
        requested_cpus=row["requested_cpus"],
        requested_memory_bytes=row["requested_memory_bytes"],
        granted_cpus=row["granted_cpus"],
        granted_memory_bytes=row["granted_memory_bytes"],
        created_at=rows.moment(row["created_at"]),
        ready_at=rows.moment_or_none(row["ready_at"]),
        stopped_at=rows.moment_or_none(row["stopped_at"]),
        note=row["note"],
        instance_type=row["instance_type"],
        region=row["region"],
        tariff=tariff_from(row["tariff"]),
        boot=row["boot"],
        created_tick=row["created_tick"],
        ready_tick=row["ready_tick"],
        seen_tick=row["seen_tick"],
        stopped_tick=row["stopped_tick"],
        paused_tick=row["paused_tick"],
        paused_ticks=row["paused_ticks"],
        cost_nanodollars=row["cost_nanodollars"],
        models=tuple(LoadedModel(*each) for each in json.loads(row["models"]).items()),
    )


@lru_cache(maxsize=64)
def tariff_from(text: str) -> Tariff:
    """A tariff as `encode` wrote it."""
    data = json.loads(text)
    windows = tuple(PriceWindow(_window(**each["window"]), each["factor"]) for each in data["windows"])
    return Tariff(data["nanodollars_per_hour"], windows, data["timezone"])


def _window(start: str, end: str) -> Window:
    return Window(time.fromisoformat(start), time.fromisoformat(end))


def life_from(row: rows.Row) -> Life:
    """What of an instance decides its bill."""
    return Life(
        Service(row["service"]),
        row["instance_type"],
        row["region"],
        row["slots"],
        tariff_from(row["tariff"]),
        rows.moment(row["created_at"]),
        row["created_tick"],
    )


def entry_values(entry: Entry) -> tuple[Any, ...]:
    """An entry as the values of `book`."""
    return (
        entry.account.organisation,
        rows.micros(entry.hour),
        entry.service.value,
        entry.instance_type,
        entry.region,
        entry.account.batch,
        entry.line.value,
        entry.ticks,
        entry.nanodollars,
        entry.attempts,
    )


def entry_from(row: rows.Row) -> Entry:
    """A row of container_costs."""
    return Entry(
        rows.moment(row["hour"]),
        Service(row["service"]),
        row["instance_type"],
        row["region"],
        Account(row["organisation"], row["batch"]),
        Line(row["line"]),
        row["ticks"],
        row["nanodollars"],
        row["attempts"],
    )


def live_attempt_from(row: rows.Row) -> LiveAttempt:
    """A row of `live_attempts`."""
    account = Account(row["payer"], row["batch"])
    return LiveAttempt(instance_from(row), account, row["started_tick"], row["taken"])
