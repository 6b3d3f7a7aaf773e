"""How pools scale, as tables, words and JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.job import Instance
from pitchey_cli.domain.observation import Forecast, LastDecision, Measure, ScalingEvent, WarmRequest
from pitchey_cli.domain.overview import PoolUse
from pitchey_cli.domain.timings import Timing
from pitchey_cli.reports.as_json import SCHEMA, time
from pitchey_cli.reports.tables import cell, loaded_models, plain_table
from pitchey_cli.reports.wording import ago, duration, money, printable, size
from processors.vocabulary import Service

_NO_NAMES: Mapping[str, str] = MappingProxyType({})
_METRICS = {
    "stable_demand": "jobs at once, stable window",
    "panic_demand": "jobs at once, panic window",
    "wait_seconds": "wait of those in the queue",
    "cpu": "CPU of busy instances",
    "memory": "memory of busy instances",
}
_POOL = {"slots": "slots of an instance", "is_head_refused": "the next job fits nowhere"}
_MEASURES = {
    Measure.START: "start",
    Measure.UNPAUSE: "wake",
    Measure.COLD_PICKUP: "cold pick-up",
    Measure.WARM_PICKUP: "warm pick-up",
}


def status(
    pools: Sequence[PoolUse],
    decisions: Sequence[LastDecision],
    measured: Mapping[Service, Mapping[Measure, Timing]],
    warm: Sequence[WarmRequest],
    forecasts: Sequence[Forecast],
    *,
    now: datetime,
) -> RenderableType:
    """The pools as they are now, and what the last decision about each was."""
    counts = ("ready", "starting", "paused", "waiting", "running")
    table = plain_table("pool", *counts, "last wanted", "by", "when", "why", right=(*counts, "last wanted"))
    decided = {each.pool: each for each in decisions}
    for pool in pools:
        last = decided.get(pool.pool)
        found = last.explanation if last else {}
        table.add_row(
            cell(str(pool.pool)),
            *(f"{count:,}" for count in (pool.ready, pool.starting, pool.paused, pool.waiting, pool.running)),
            str(found.get("wanted", "-")),
            found.get("rule", "-"),
            ago(last.at, now) if last else "-",
            cell(found.get("why", "nothing has been decided about it yet")),
        )
    parts: list[RenderableType] = [table]
    if measured:
        parts += [Text(), _times(measured)]
    for request in warm:
        until = f"{request.until.astimezone():%Y-%m-%d %H:%M}"
        verb = "is" if request.instances == 1 else "are"
        parts.append(Text(f"{request.instances} of {request.pool} {verb} kept warm until {until}."))
    parts += [Text(_forecast(each)) for each in forecasts]
    return Group(*parts)


def _forecast(found: Forecast) -> str:
    says = f"forecast for {found.service}: {found.instances} instances ({found.why})"
    if found.error is None or found.naive_error is None or found.flat_error is None:
        return f"{says}; in shadow: {found.history_days:.1f} days of history are too few to test it"
    errors = (
        f"error {found.error:.2f} jobs in 5 min, seasonal guess {found.naive_error:.2f}, average {found.flat_error:.2f}"
    )
    return f"{says}; {'in force' if found.is_in_force else 'in shadow'}: {errors}, {found.history_days:.1f} days"


def _times(measured: Mapping[Service, Mapping[Measure, Timing]]) -> RenderableType:
    times = plain_table(
        "service", "what takes time", "times", "median", "longest", right=("times", "median", "longest")
    )
    for service, by_measure in measured.items():
        for measure, found in by_measure.items():
            times.add_row(service, _MEASURES[measure], f"{found.times:,}", span(found.median), span(found.longest))
    return times


def span(seconds: float) -> str:
    """A span that may be a matter of milliseconds."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else duration(seconds)


def history(events: Sequence[ScalingEvent], *, nodes: Mapping[str, str] = _NO_NAMES) -> RenderableType:
    """What has changed about the pools, the newest last.

    Args:
        nodes: the names of those that have decided, where that is to be told.
    """
    if not events:
        return Text("Nothing has changed about any pool.")
    rows = plain_table("time", *(["node"] if nodes else []), "pool", "change", "rule", "why")
    for each in events:
        change = f"wanted {each.was} -> {each.wanted}" if each.change == "wanted" else f"{each.change}"
        rows.add_row(
            f"{each.at.astimezone():%Y-%m-%d %H:%M:%S}",
            *([cell(nodes.get(each.node, each.node))] if nodes else []),
            cell(str(each.pool)),
            f"{change} {each.instance_id}".replace("_", " ").strip(),
            each.rule,
            cell(each.why),
        )
    return rows


def held(sentences: Sequence[str]) -> RenderableType:
    """The jobs that no decision counts, because no instance would help them."""
    return Text("\n".join(("", *sentences)))


def explanation(decision: LastDecision, *, now: datetime, nodes: Mapping[str, str] = _NO_NAMES) -> RenderableType:
    """The last decision about a pool: what went in, what each rule asked for, what bounded it.

    Args:
        nodes: the names of those that have decided, where that is to be told.
    """
    found = decision.explanation
    name = printable(str(decision.pool))
    where = f" on {printable(nodes.get(decision.node, decision.node))}" if nodes else ""
    inputs = plain_table("input", "value")
    for key, value in found["pool"].items():
        inputs.add_row(
            key.replace("_", " ").replace("is head refused", "the next job fits nowhere"), _plain(key, value)
        )
    for key, words in _METRICS.items():
        inputs.add_row(words, _plain(key, found["metrics"][key]))
    headroom = found["headroom"]
    room = "any number" if headroom["instances"] is None else str(headroom["instances"])
    inputs.add_row("more that the host has room for", room)
    inputs.add_row("pressure on the host", printable(headroom["pressure"]) or "none")
    parts: list[RenderableType] = [
        Text(f"{name}{where}: {found['was']} -> {found['wanted']} instances, {ago(decision.at, now)}")
    ]
    parts += [Text(), inputs, Text()]
    wishes = plain_table("rule", "asks for", "because", right=("asks for",))
    for wish in found["wishes"]:
        marked = Text(wish["rule"], style="bold" if wish["rule"] == found["rule"] else "")
        wishes.add_row(marked, str(wish["instances"]), cell(wish["why"]))
    parts.append(wishes if found["wishes"] else Text("No rule asks for anything."))
    if found["clamps"]:
        clamps = plain_table("bounded by", "to", "because", right=("to",))
        for clamp in found["clamps"]:
            clamps.add_row(clamp["limit"], str(clamp["instances"]), cell(clamp["why"]))
        parts += [Text(), clamps]
    winner = "nobody asked for any" if found["rule"] == "nothing" else f"{found['rule']} won"
    parts += [Text(), Text(f"{winner}; {found['wanted']} are to take work.")]
    return Group(*parts)


def _plain(key: str, value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("cpu", "memory"):
        return f"{value:.0%}"
    if key == "wait_seconds":
        return duration(value)
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def instances(
    found: Sequence[tuple[Instance, int]], *, now: datetime, nodes: Mapping[str, str] = _NO_NAMES
) -> RenderableType:
    """Instances, the newest last, each with the nanodollars that it has cost.

    Args:
        nodes: the names of those that they are on, where that is to be told.
    """
    if not found:
        return Text("No instances.")
    has_models = any(each.models for each, _ in found)
    rows = plain_table(
        "instance",
        *(["node"] if nodes else []),
        "state",
        "type",
        "slots",
        "CPUs",
        "memory",
        "started",
        "ready after",
        "lived",
        "cost",
        *(["models"] if has_models else []),
        "note",
        right=("slots", "CPUs", "memory", "cost"),
    )
    for each, cost in found:
        took = None if each.ready_at is None else (each.ready_at - each.created_at).total_seconds()
        rows.add_row(
            each.id,
            *([cell(nodes.get(each.node, each.node))] if nodes else []),
            each.state,
            cell(f"{each.instance_type} of {each.pool.owner}" if each.pool.owner else each.instance_type),
            str(each.slots),
            f"{each.granted_cpus:g}",
            size(each.granted_memory_bytes),
            ago(each.created_at, now),
            duration(took),
            "-" if each.stopped_at is None else duration((each.stopped_at - each.created_at).total_seconds()),
            money(cost),
            *([cell(loaded_models(each))] if has_models else []),
            cell(each.note or ""),
        )
    return rows


# --- JSON


def _camel(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {_camel_name(key): _camel(each) for key, each in value.items()}
    return [_camel(each) for each in value] if isinstance(value, list) else value


def _camel_name(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def pool_as_json(
    pool: PoolUse, decision: LastDecision | None, *, nodes: Mapping[str, str] = _NO_NAMES
) -> dict[str, Any]:
    """A pool as it is now, and the last decision about it."""
    return {
        "schema": SCHEMA,
        "service": pool.service,
        "instanceType": pool.pool.size or None,
        "organisation": pool.pool.organisation or None,
        "ready": pool.ready,
        "starting": pool.starting,
        "paused": pool.paused,
        "waiting": pool.waiting,
        "running": pool.running,
        "lastDecision": None if decision is None else decision_as_json(decision, nodes=nodes),
    }


def decision_as_json(decision: LastDecision, *, nodes: Mapping[str, str] = _NO_NAMES) -> dict[str, Any]:
    """The last decision about a pool; the node is named where there are several."""
    return {
        "schema": SCHEMA,
        "service": decision.service,
        "instanceType": decision.pool.size or None,
        "organisation": decision.pool.organisation or None,
        "node": nodes.get(decision.node),
        "at": time(decision.at),
        **_camel(decision.explanation),
    }


def event_as_json(event: ScalingEvent, *, nodes: Mapping[str, str] = _NO_NAMES) -> dict[str, Any]:
    """One change; the node is named where there are several."""
    return {
        "schema": SCHEMA,
        "id": event.id,
        "at": time(event.at),
        "service": event.service,
        "instanceType": event.pool.size or None,
        "organisation": event.pool.organisation or None,
        "node": nodes.get(event.node),
        "change": event.change,
        "was": event.was,
        "wanted": event.wanted,
        "rule": event.rule or None,
        "instanceId": event.instance_id or None,
        "why": event.why,
    }
