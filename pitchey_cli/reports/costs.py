"""What `pitchey cost` shows: tables, JSON and CSV. Pure: a report goes in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pitchey_cli.domain.cost import Line
from pitchey_cli.domain.spending import BY_ACCOUNT, By, Report, Sums
from pitchey_cli.reports.tables import plain_table
from pitchey_cli.reports.wording import going_on, money, percent, printable

_SCHEMA = 1
_IDLE = "idle"
_NAMELESS = {By.BATCH: "(none)", By.TYPE: "(unknown)"}


def tables(report: Report) -> RenderableType:
    """The period at a glance, then its tables."""
    return Group(_facts(report), *(_table(report, by) for by in report.tables))


def _facts(report: Report) -> Table:
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(justify="right")
    facts.add_column(overflow="fold")
    whole, span = report.whole, report.span
    since, until = (_local(each, report) for each in (span.since, min(span.until, report.now)))
    of = [str(report.service)] if report.service else []
    of += [f"organisation {printable(report.organisation)}"] if report.organisation is not None else []
    facts.add_row("spent", money(report.spent), Text(", ".join([f"{since} to {until}", *of])))
    if not report.is_over:
        facts.add_row("projected", money(report.projected), f"by {_local(span.until, report)}, {going_on(report.pace)}")
    attempts = f"{whole.attempts:,} attempt{'' if whole.attempts == 1 else 's'} ended"
    facts.add_row("work", money(whole.by_line[Line.WORK]), f"{_share(whole.by_line[Line.WORK], report)}{attempts}")
    failed = whole.by_line[Line.FAILED]
    facts.add_row("waste", money(failed), f"{_share(failed, report)}attempts that did not complete")
    if report.has_instances:
        start, paused = money(whole.by_line[Line.START]), money(whole.by_line[Line.PAUSED])
        facts.add_row(
            "idle", money(whole.idle), f"{_share(whole.idle, report)}of it {start} in starts, {paused} paused"
        )
    if report.always_on:
        saved = report.always_on - report.spent
        always_on = money(report.always_on)
        if saved >= 0:
            said = f"by scaling to zero, against one instance of each service all the time: {always_on}"
        else:
            said = f"nothing: one instance of each service all the time would have cost less: {always_on}"
        facts.add_row("saved", money(max(0, saved)), said)
    return facts


def _share(part: int, report: Report) -> str:
    return f"{percent(part / report.spent)}, " if report.spent else ""


def _local(moment: datetime, report: Report) -> str:
    return f"{moment.astimezone(report.now.tzinfo):%Y-%m-%d %H:%M}"


def _table(report: Report, by: By) -> RenderableType:
    rows = report.tables[by]
    if not rows:
        return Text(f"\nNothing to show by {by}.")
    has_instances = report.has_instances and by not in BY_ACCOUNT
    columns = ["attempts", "cost", "work", "waste", *(("idle", "starts", "paused") if has_instances else ())]
    table = plain_table(by, *columns, right=columns)
    for name, sums in rows.items():
        work, failed = money(sums.by_line[Line.WORK]), money(sums.by_line[Line.FAILED])
        cells = [f"{sums.attempts:,}", money(sums.used), work, failed]
        if has_instances:
            cells[1] = money(sums.by_line[Line.INSTANCE])
            cells += [money(sums.idle), money(sums.by_line[Line.START]), money(sums.by_line[Line.PAUSED])]
        table.add_row(Text(printable(name or _NAMELESS.get(by, "(none)"))), *cells)
    if _has_idle_row(report, by):
        table.add_row(_IDLE, "", money(report.whole.idle), "", "")
    return table


def as_json(report: Report) -> dict[str, Any]:
    """Whole nanodollars: the sum over all that attempts cost and `idle` is what was spent, exactly."""
    always_on = report.always_on
    return {
        "schema": _SCHEMA,
        "since": _zulu(report.span.since),
        "until": _zulu(report.span.until),
        "now": _zulu(report.now),
        "service": report.service,
        "organisation": report.organisation,
        "spentNanodollars": report.spent,
        "projectedNanodollars": report.projected,
        "historySeconds": int(report.pace.history.total_seconds()),
        **_numbers(report.whole, has_instances=report.has_instances),
        "alwaysOnNanodollars": always_on,
        "savedNanodollars": None if always_on is None else always_on - report.spent,
        "by": {
            by: [
                {"name": name, **_numbers(sums, has_instances=report.has_instances and by not in BY_ACCOUNT)}
                for name, sums in rows.items()
            ]
            + ([{"name": _IDLE, **_idle(report)}] if _has_idle_row(report, by) else [])
            for by, rows in report.tables.items()
        },
    }


def as_csv(report: Report) -> Iterator[str]:
    """The tables, one below the other; whole nanodollars, and empty where there is no number."""
    heads = ["by", "name", *(_snake(name) for name in _numbers(Sums(), has_instances=True))]
    yield _line(heads)
    for by, rows in report.tables.items():
        has_instances = report.has_instances and by not in BY_ACCOUNT
        for name, sums in rows.items():
            yield _line([by, name, *_numbers(sums, has_instances=has_instances).values()])
        if _has_idle_row(report, by):
            yield _line([by, _IDLE, *_idle(report).values()])


def _has_idle_row(report: Report, by: By) -> bool:
    """Whether what nobody used stands beside what accounts did, so that the rows add up to what was spent."""
    return by in BY_ACCOUNT and report.has_instances and bool(report.tables[by] or report.whole.idle)


def _idle(report: Report) -> dict[str, int | None]:
    """What nobody used, as a row: of an account that is called the same, `idleNanodollars` is empty."""
    return {**_numbers(Sums(), has_instances=False), "idleNanodollars": report.whole.idle}


def _numbers(sums: Sums, *, has_instances: bool) -> dict[str, int | None]:
    def of_instances(number: int) -> int | None:
        return number if has_instances else None

    return {
        "attempts": sums.attempts,
        "instanceNanodollars": of_instances(sums.by_line[Line.INSTANCE]),
        "workNanodollars": sums.by_line[Line.WORK],
        "failedNanodollars": sums.by_line[Line.FAILED],
        "idleNanodollars": of_instances(sums.idle),
        "startNanodollars": of_instances(sums.by_line[Line.START]),
        "pausedNanodollars": of_instances(sums.by_line[Line.PAUSED]),
    }


def _snake(name: str) -> str:
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name)


def _line(cells: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(cells)
    return out.getvalue()


def _zulu(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
