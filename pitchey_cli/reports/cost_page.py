"""The HTML page of `pitchey cost`: one file, with all that it shows in it. Pure: a report goes in, text comes out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.resources import files

from pitchey_cli.domain.budget import Standing
from pitchey_cli.domain.cost import Line
from pitchey_cli.domain.daily import Day
from pitchey_cli.domain.pool_history import Stretch
from pitchey_cli.domain.prices import NANODOLLARS, dollars
from pitchey_cli.domain.spending import By, Report
from pitchey_cli.reports import drawing
from pitchey_cli.reports.drawing import Chart, Label, Part
from pitchey_cli.reports.wording import going_on, money, percent, printable
from pitchey_cli.values import dataclass

GENERATOR = "pitchey cost"  #: stands in the head of the page: what a report of ours is known by
_MOST_ORGANISATIONS = 12  # bars; the table has all
_TABLE_STRETCHES = 24
_TIMES = 5  # on the axis
_SHORT = timedelta(days=1)  # within which a time needs no date


@dataclass(frozen=True)
class Material:
    """What the page is made of. `report` has the tables by service and by organisation."""

    report: Report
    days: Sequence[Day]
    budgets: Sequence[Standing] = ()
    pools: Sequence[Stretch] = ()
    advice: Sequence[tuple[str, str]] = ()  #: sentences, each with its command
    remarks: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A chart, and the same in a table."""

    title: str
    says: str
    chart: Chart
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def page(material: Material) -> str:
    """The whole page."""
    from jinja2 import Environment  # late: nothing else needs it

    report = material.report
    template = (files("pitchey_cli.reports") / "templates" / "cost.html.j2").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    until = min(report.span.until, report.now)
    of = [str(report.service)] if report.service else []
    of += [f"organisation {printable(report.organisation)}"] if report.organisation is not None else []
    return environment.from_string(template).render(
        generator=GENERATOR,
        since=_local(report.span.since, report),
        until=_local(until, report),
        made=_local(report.now, report),
        of=of,
        facts=_facts(report),
        sections=list(_sections(material)),
        advice=material.advice,
        remarks=material.remarks,
    )


def _local(moment: datetime, report: Report) -> str:
    return f"{moment.astimezone(report.now.tzinfo):%Y-%m-%d %H:%M}"


def _facts(report: Report) -> list[tuple[str, str, str]]:
    whole, spent = report.whole, report.spent
    failed = whole.by_line[Line.FAILED]
    facts = [("spent", dollars(spent), f"{whole.attempts:,} attempts ended")]
    if not report.is_over:
        by = f"by {_local(report.span.until, report)}, {going_on(report.pace)}"
        facts.append(("projected", money(report.projected), by))
    facts.append(("work", dollars(whole.by_line[Line.WORK]), _share(whole.by_line[Line.WORK], spent)))
    facts.append(("waste", dollars(failed), f"{_share(failed, spent)} in attempts that did not complete"))
    if report.has_instances:
        facts.append(("idle", dollars(whole.idle), f"{_share(whole.idle, spent)}, starts and pauses in it"))
    if report.always_on:
        always_on = dollars(report.always_on)
        saved = dollars(max(0, report.always_on - spent))
        facts.append(("saved", saved, f"against one instance of each service all the time: {always_on}"))
    return facts


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else "0 %"


def _sections(material: Material) -> list[Section]:
    found = [_by_day(material), _by_organisation(material.report), _where_it_went(material.report)]
    if material.budgets:
        found.append(_budgets(material.budgets))
    pools = material.pools
    if any(each.waiting or each.instances for each in pools):
        waiting, instances = ([each.waiting for each in pools], [each.instances for each in pools])
        found.append(_over_time("Jobs that waited", "waiting", pools, waiting, material.report))
        found.append(_over_time("Instances", "instances", pools, instances, material.report))
    return found


def _by_day(material: Material) -> Section:
    days, report = material.days, material.report
    services = sorted({service for day in days for service in day.used})
    stacks = []
    for day in days:
        parts = [(str(service), day.used.get(service, 0)) for service in services]
        if report.has_instances:
            parts.append(("idle", day.idle))
        stacks.append([Part(kind, cost / NANODOLLARS, f"{day.date} {kind} {dollars(cost)}") for kind, cost in parts])
    chart = drawing.columns([f"{day.date:%m-%d}" for day in days], stacks)
    idle = ("idle",) if report.has_instances else ()
    rows = [
        (
            f"{day.date}",
            dollars(day.total),
            *(dollars(day.used.get(service, 0)) for service in services),
            *((dollars(day.idle),) if idle else ()),
        )
        for day in days
    ]
    says = "What jobs of each service used, and what was idle." if idle else "What jobs of each service used."
    return Section("Cost per day", says, chart, ("day", "cost", *map(str, services), *idle), tuple(rows))


def _by_organisation(report: Report) -> Section:
    found = sorted(report.tables[By.ORGANISATION].items(), key=lambda each: -each[1].used)
    rows = [
        (
            printable(name or "(none)"),
            f"{sums.attempts:,}",
            dollars(sums.used),
            dollars(sums.by_line[Line.WORK]),
            dollars(sums.by_line[Line.FAILED]),
        )
        for name, sums in found
    ]
    shown = found[:_MOST_ORGANISATIONS]
    stacks = [
        [
            Part(kind, sums.by_line[line] / NANODOLLARS, f"{printable(name)} {kind} {dollars(sums.by_line[line])}")
            for kind, line in (("work", Line.WORK), ("waste", Line.FAILED))
        ]
        for name, sums in shown
    ]
    chart = drawing.rows([row[0] for row in rows[: len(shown)]], stacks, [row[2] for row in rows[: len(shown)]])
    says = "What their attempts used; what was idle is nobody's."
    return Section("By organisation", says, chart, ("organisation", "attempts", "cost", "work", "waste"), tuple(rows))


def _where_it_went(report: Report) -> Section:
    whole = report.whole
    names = [
        ("work", "attempts that completed", whole.by_line[Line.WORK]),
        ("waste", "attempts that did not", whole.by_line[Line.FAILED]),
    ]
    if report.has_instances:
        start, paused = whole.by_line[Line.START], whole.by_line[Line.PAUSED]
        names += [
            ("starts", "instances that started", start),
            ("paused", "instances that were paused", paused),
            ("idle", "instances that waited", max(0, whole.idle - start - paused)),
        ]
    stacks = [[Part(kind, cost / NANODOLLARS, f"{what} {dollars(cost)}")] for kind, what, cost in names]
    chart = drawing.rows([kind for kind, _, _ in names], stacks, [dollars(cost) for _, _, cost in names])
    rows = tuple((what, dollars(cost), _share(cost, report.spent)) for _, what, cost in names)
    return Section("Work, waste and idle", "Where the money went.", chart, ("for", "cost", "share"), rows)


def _budgets(found: Sequence[Standing]) -> Section:
    names, stacks, ends, rows = [], [], [], []
    for each in found:
        budget = each.budget
        name = f"{printable(str(budget.scope))}, {budget.period}"
        share = min(each.percent, 100.0)
        kind = "used up" if each.is_capped else "spent"
        names.append(name)
        stacks.append([Part(kind, share, f"{name}: {each.percent:.0f} %"), Part("left", 100 - share, f"{name}: left")])
        ends.append(f"{each.percent:.0f} %")
        rows.append(
            (name, dollars(budget.nanodollars), dollars(each.spent), dollars(each.left), f"{each.percent:.0f} %")
        )
    chart = drawing.rows(names, stacks, ends)
    says = "How far each has come in the period that is now."
    return Section("Budgets", says, chart, ("budget", "amount", "spent", "left", "share"), tuple(rows))


def _over_time(title: str, kind: str, pools: Sequence[Stretch], values: Sequence[int], report: Report) -> Section:
    zone = report.now.tzinfo
    form = "%H:%M" if pools[-1].begin - pools[0].begin < _SHORT else "%m-%d %H:%M"
    every = max(1, len(pools) // _TIMES)
    names = [
        Label((place + 0.5) / len(pools), f"{each.begin.astimezone(zone):{form}}")
        for place, each in enumerate(pools)
        if place % every == every // 2
    ]
    size = -(-len(pools) // _TABLE_STRETCHES)
    rows = tuple(
        (_local(pools[begin].begin, report), f"{max(values[begin : begin + size]):,}")
        for begin in range(0, len(pools), size)
    )
    says = "The most there were at a time, of all pools together; at most the last 7 days."
    return Section(title, says, drawing.steps(names, ((kind, values),)), ("from", kind), rows)
