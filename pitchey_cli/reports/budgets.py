"""Budgets, and how far they have come, as a table and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.prices import NANODOLLARS, dollars
from pitchey_cli.domain.projection import Pace
from pitchey_cli.reports.tables import plain_table
from pitchey_cli.reports.wording import going_on, money, printable

_SCHEMA = 1


def table(found: Sequence[tuple[Standing, Pace]], *, now: datetime) -> RenderableType:
    """All budgets, and what their projections go by."""
    if not found:
        return Text("No budgets. `pitchey budget set --period month 25.00` sets one.")
    rows = plain_table(
        "organisation", "service", "period", "budget", "spent", "left", "projected", "ends", "",
        right=("budget", "spent", "left", "projected"),
    )  # fmt: skip
    for each, pace in found:
        budget = each.budget
        rows.add_row(
            Text(printable(budget.scope.organisation) or "all"),
            budget.scope.service or "all",
            budget.period,
            dollars(budget.nanodollars),
            dollars(each.spent),
            dollars(each.left),
            money(pace.projected(each.spent, now=now, end=each.span.end)),
            f"{each.span.end.astimezone():%Y-%m-%d %H:%M %Z}",
            _state(each),
        )
    said = dict.fromkeys(f"{each.budget.scope}: {going_on(pace)}." for each, pace in found)
    return Group(rows, Text(), *(Text(printable(each)) for each in said))


def _state(standing: Standing) -> Text:
    if standing.is_capped:
        return Text("used up: jobs wait", style="red")
    passed = standing.reached
    return Text(f"above {passed[-1]} %", style="yellow") if passed else Text("")


def document(standing: Standing, pace: Pace, *, now: datetime) -> dict[str, Any]:
    """One budget."""
    budget, projected = standing.budget, pace.projected(standing.spent, now=now, end=standing.span.end)
    return {
        "schema": _SCHEMA,
        "organisation": budget.scope.organisation or None,
        "service": budget.scope.service,
        "period": budget.period,
        "begin": _time(standing.span.begin),
        "end": _time(standing.span.end),
        "amountUsd": budget.nanodollars / NANODOLLARS,
        "spentUsd": standing.spent / NANODOLLARS,
        "leftUsd": standing.left / NANODOLLARS,
        "projectedUsd": None if projected is None else projected / NANODOLLARS,
        "historySeconds": int(pace.history.total_seconds()),
        "percent": round(standing.percent, 3),
        "reached": list(standing.reached),
        "isCapped": standing.is_capped,
    }


def holding_all(held: Iterable[tuple[Sequence[Standing], int]]) -> list[dict[str, Any]]:
    """The budgets that are used up, each with all the jobs that wait for it, though they may wait for others too."""
    jobs = Counter[Standing]()
    for standings, count in held:
        jobs.update(dict.fromkeys(standings, count))
    return [holding(each, jobs=count) for each, count in jobs.items()]


def left(standing: Standing) -> dict[str, Any]:
    """A budget that is used up, or of which little is left."""
    return holding(standing) | {"leftUsd": standing.left / NANODOLLARS, "isCapped": standing.is_capped}


def holding(standing: Standing, *, jobs: int | None = None) -> dict[str, Any]:
    """The budget that holds jobs."""
    budget = standing.budget
    return {
        "organisation": budget.scope.organisation or None,
        "service": budget.scope.service,
        "period": budget.period,
        "until": _time(standing.span.end),
    } | ({} if jobs is None else {"jobs": jobs})


def _time(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")
