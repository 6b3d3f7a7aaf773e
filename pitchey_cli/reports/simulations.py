"""What a simulation has found, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pitchey_cli.domain.frontier import Trial
from pitchey_cli.domain.prices import NANODOLLARS, dollars
from pitchey_cli.domain.simulation import PoolResult, Result
from pitchey_cli.reports.wording import duration, percent
from pitchey_cli.values import dataclass

_COLUMNS = ("jobs", "wait", "p50", "p95", "p99", "longest", "hours", "busy", "cost", "started", "woken", "peak")
_CHART_LINES = 18
_NAME_COLUMNS = 4


@dataclass(frozen=True)
class Run:
    """What was simulated."""

    load: str
    nodes: int
    seed: int


def table(result: Result, run: Run) -> RenderableType:
    """One run: a row for each pool, and one for all of them."""
    shown = _table("pool", *_COLUMNS)
    for pool in result.pools:
        shown.add_row(pool.name, *_cells(pool))
    if len(result.pools) > 1:
        shown.add_row(result.total.name, *_cells(result.total), style="bold")
    return Group(shown, Text("\n".join([_summary(result, run), *_short_of_room([result], run)])))


def sweep_table(key: str, trials: Sequence[Trial], run: Run) -> RenderableType:
    """One row for each value of a setting."""
    shown = _table(key.rpartition(".")[2], *_COLUMNS, "")
    for trial in trials:
        mark = Text("frontier", style="green") if trial.is_on_frontier else ""
        shown.add_row(trial.value, *_cells(trial.result.total), mark)
    left = [
        f"{trial.value}: {trial.result.total.still_waiting:,}" for trial in trials if trial.result.total.still_waiting
    ]
    best = ", ".join(trial.value for trial in trials if trial.is_on_frontier)
    result = trials[0].result
    words = f"{run.load} load, {duration(result.seconds)} on {_nodes(run)}, seed {run.seed}."
    if left:  # their waits are in no quantile, because nobody knows them
        words += f" Still waiting at the end: {'; '.join(left)}."
    lines = [f"{words} On the frontier of cost and p95 wait: {best}."]
    lines += _short_of_room([trial.result for trial in trials], run)
    if len(trials) > 1 and all(trial.result == result for trial in trials):
        lines.append(f"{key} makes no difference to this load.")
    return Group(shown, Text("\n".join(lines)))


def _short_of_room(results: Sequence[Result], run: Run) -> list[str]:
    """Where it is the host that kept a pool small, and no setting."""
    rooms: dict[str, set[int]] = {}
    for pool in (pool for result in results for pool in result.pools if pool.is_short_of_room):
        rooms.setdefault(pool.name, set()).add(pool.room)
    where = "the host has" if run.nodes == 1 else f"the {run.nodes:,} nodes have"
    return [
        f"{name}: {where} room for {' or '.join(f'{each:,}' for each in sorted(found))}"
        f" instance{'' if found == {1} else 's'}, and jobs waited for more."
        for name, found in rooms.items()
    ]


def chart(key: str, trials: Sequence[Trial], *, width: int) -> RenderableType:
    """The cost against the wait; what is on the frontier is joined by a line."""
    import plotext  # late: only a sweep draws

    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, _CHART_LINES)
    figure.title(f"cost and p95 wait by {key}")
    figure.label("cost, $", "x")
    figure.label("p95 wait, s", "y")
    points = [(_dollars(each.result.total), each.result.total.waits.p95) for each in trials]
    costs = [cost for cost, _ in points]
    # An axis without a length cannot be drawn: where all cost the same it begins at nothing.
    left = min(costs) if min(costs) < max(costs) else 0.0
    margin = 2 * ((max(costs) - left) or 1.0) / width  # between a point and its name
    best = sorted(point for point, each in zip(points, trials, strict=True) if each.is_on_frontier)
    if len(best) > 1:
        line = figure.signal([cost for cost, _ in best], [wait for _, wait in best], marker="·")
        line.lines(True)
        figure.draw(line)
    figure.draw(figure.signal([max(costs) + _NAME_COLUMNS * margin], [0.0], marker=" "))  # room for the last name
    figure.ruler("x").lim(left, max(costs) + _NAME_COLUMNS * margin)
    figure.ruler("y").lim(0, max(wait for _, wait in points) or 1.0)
    # The frontier last: where points lie upon each other, it is what is seen.
    for (cost, wait), each in sorted(zip(points, trials, strict=True), key=lambda pair: pair[1].is_on_frontier):
        figure.draw(figure.signal([cost], [wait], marker="●" if each.is_on_frontier else "○"))
        figure.draw(figure.text(cost + margin, wait, each.value, alignment="left"))
    return Text(figure.build().string(colorless=True))


def as_json(result: Result, run: Run) -> dict[str, Any]:
    """One run."""
    return {"schema": 1, **_run(run), **_result(result)}


def sweep_as_json(key: str, trials: Sequence[Trial], run: Run) -> dict[str, Any]:
    """Several runs, each with its value of the setting."""
    runs = [{"value": each.value, "isOnFrontier": each.is_on_frontier, **_result(each.result)} for each in trials]
    return {"schema": 1, **_run(run), "setting": key, "runs": runs}


def _table(*columns: str) -> Table:
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(column, justify="right" if column in _COLUMNS else "left", no_wrap=True)
    return shown


def _cells(pool: PoolResult) -> list[str]:
    waits = pool.waits
    return [
        f"{pool.jobs:,}",
        *(_wait(each) for each in (waits.mean, waits.p50, waits.p95, waits.p99, waits.longest)),
        f"{pool.instance_hours:,.1f}",
        percent(pool.busy_share),
        dollars(pool.cost_nanodollars),
        f"{pool.cold_starts:,}",
        f"{pool.unpauses:,}",
        f"{pool.peak_instances:,}",
    ]


def _wait(seconds: float) -> str:
    return "0" if not seconds else f"{seconds * 1e3:.1f} ms" if seconds < 0.1 else duration(seconds)


def _dollars(pool: PoolResult) -> float:
    return pool.cost_nanodollars / NANODOLLARS


def _summary(result: Result, run: Run) -> str:
    total = result.total
    left = f" Still waiting at the end: {total.still_waiting:,}." if total.still_waiting else ""
    decisions = f"{total.asked:,} decisions, {total.decisions:,} of them changed something."
    return f"{run.load} load, {duration(result.seconds)} on {_nodes(run)}, seed {run.seed}; {decisions}{left}"


def _nodes(run: Run) -> str:
    return "1 node" if run.nodes == 1 else f"{run.nodes:,} nodes"


def _run(run: Run) -> dict[str, Any]:
    return {"load": run.load, "nodes": run.nodes, "seed": run.seed}


def _result(result: Result) -> dict[str, Any]:
    pools = [_pool(pool) for pool in result.pools]
    return {"seconds": result.seconds, "pools": pools, "total": _pool(result.total)}


def _pool(pool: PoolResult) -> dict[str, Any]:
    waits = pool.waits
    return {
        "name": pool.name,
        "jobs": pool.jobs,
        "waitSeconds": {
            "mean": waits.mean,
            "p50": waits.p50,
            "p95": waits.p95,
            "p99": waits.p99,
            "longest": waits.longest,
            "shareWaiting": waits.share_waiting,
        },
        "stillWaiting": pool.still_waiting,
        "instanceHours": pool.instance_hours,
        "busyShare": pool.busy_share,
        "costNanodollars": pool.cost_nanodollars,
        "coldStarts": pool.cold_starts,
        "unpauses": pool.unpauses,
        "peakInstances": pool.peak_instances,
        "meanRunning": pool.mean_running,
        "peakRunning": pool.peak_running,
        "decisions": pool.decisions,
        "asked": pool.asked,
        "isShortOfRoom": pool.is_short_of_room,
    }
