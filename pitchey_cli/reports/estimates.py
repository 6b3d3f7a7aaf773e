"""What jobs are expected to take and cost, for people and for programs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.estimate import LEAST, Expectation
from pitchey_cli.domain.spot import overhead
from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import duration, money, percent, size
from pitchey_cli.values import dataclass

_FEW = 20  # inputs that each get a row
_FAR_MORE = 9.0  # beyond ten times as long, no percentage says anything


@dataclass(frozen=True)
class _Sums:
    jobs: int = 0  # that there is an estimate of
    seconds: tuple[float, float, float] = (0.0, 0.0, 0.0)  # expected, low, high
    nanodollars: tuple[int, int, int] = (0, 0, 0)
    undisturbed: float = 0.0  # what is expected where nothing is interrupted


def table(found: Sequence[Expectation], service: str, *, remarks: Sequence[str] = ()) -> RenderableType:
    """A row for each job where there are few, their sum, and what it all stands on.

    Args:
        remarks: what else is to be known before they are submitted.
    """
    columns = ("job", "input", "time", "10-90 %", "cost", "10-90 % ")
    rows = plain_table(*columns, right=("input", "time", "cost"))
    if len(found) <= _FEW:
        for each in found:
            rows.add_row(cell(each.name), size(each.input_bytes), *_cells(_sums([each])))
    sums = _sums(found)
    if len(found) > 1:
        known = [each.input_bytes for each in found if each.input_bytes is not None]
        rows.add_row(f"all {sums.jobs:,}", size(sum(known)) if known else "-", *_cells(sums), style="bold")
    return Group(rows, *(Text(line) for line in _words(found, sums, service, remarks)))


def _cells(sums: _Sums) -> tuple[str, str, str, str]:
    if not sums.jobs:
        return "unknown", "", "unknown", ""
    (seconds, *span), (cost, *costs) = sums.seconds, sums.nanodollars
    return duration(seconds), " to ".join(map(duration, span)), money(cost), " to ".join(map(money, costs))


def _words(found: Sequence[Expectation], sums: _Sums, service: str, remarks: Sequence[str]) -> list[str]:
    said: list[str] = []
    for each in found:
        if each.estimate is None:
            continue
        given = each.estimate
        by = "by the size of the input" if given.is_by_size else "whatever the size of the input"
        like = f" like it ({', '.join(given.alike)})" if any(given.alike) else ""
        said.append(
            f"From the last {given.jobs} {service} jobs{like}, {by}: on these the same rule was wrong by "
            f"{percent(given.error)} in the median."
        )
    said = list(dict.fromkeys(said))
    if far := sum(1 for each in found if each.estimate is not None and each.estimate.is_far):
        said.append(f"{far} of {len(found)} inputs are far larger than any that has completed: a guess.")
    if unknown := len(found) - sums.jobs:
        which = "" if unknown == len(found) else f" of {unknown} of the {len(found)} jobs"
        kind = "its" if len(found) == 1 else "their"
        said.append(f"Nothing can be said{which}: fewer than {LEAST} {service} jobs of {kind} kind have completed.")
    said += _words_of_spot(found, sums)
    if sums.jobs:
        said.append("Time at work, one after the other; the cost is that of the slots, without starts and idle time.")
    return [*said, *remarks, "Nothing was submitted."]


def _words_of_spot(found: Sequence[Expectation], sums: _Sums) -> list[str]:
    """What it means that this node may be taken away."""
    spot = found[0].spot if found else None
    if spot is None or not sums.jobs:
        return []
    said = []
    if spot.interruptions_per_hour:
        more = overhead(sums.seconds[0], sums.undisturbed)
        added = f"add {_share(more)}" if more < _FAR_MORE else f"make it more than {_FAR_MORE + 1:.0f} times as long"
        said.append(
            f"This node may be taken away, {spot.interruptions_per_hour:g} times an hour, and what it interrupts begins"
            f" anew: interruptions are expected to {added}, which is in the times and costs, on average."
        )
    if dearer := _dearer(found):
        said.append(
            f"{dearer} of {len(found)} are expected to cost more here, at {spot.factor:g} of the usual price, than at"
            " the usual price where nothing is interrupted."
        )
    return said


def _share(share: float) -> str:
    """A share that may be small; next to nothing is not said to be nothing."""
    return (
        f"{share * 100:.1f} %" if 0.001 <= share < 0.0995 else percent(share) if share >= 0.001 else "less than 0.1 %"
    )


def _dearer(found: Sequence[Expectation]) -> int:
    return sum(
        1
        for each in found
        if each.spot is not None and each.estimate is not None and each.spot.is_dearer(each.estimate.seconds)
    )


def as_json(found: Sequence[Expectation], service: str) -> dict[str, Any]:
    """Every job, and their sum."""
    sums = _sums(found)
    return {
        "schema": 1,
        "service": service,
        "jobs": len(found),
        "estimated": sums.jobs,
        "total": _numbers(sums),
        "spot": _spot(found, sums),
        "inputs": [
            {"name": each.name, "inputBytes": each.input_bytes, **_numbers(_sums([each])), **_stands_on(each)}
            for each in found
        ],
    }


def _spot(found: Sequence[Expectation], sums: _Sums) -> dict[str, Any] | None:
    spot = found[0].spot if found else None
    if spot is None:
        return None
    return {
        "priceFactor": spot.factor,
        "interruptionsPerHour": spot.interruptions_per_hour,
        "overhead": round(overhead(sums.seconds[0], sums.undisturbed), 6) if sums.jobs else None,
        "undisturbedSeconds": round(sums.undisturbed, 3) if sums.jobs else None,
        "dearerThanUsual": _dearer(found),
    }


def _stands_on(each: Expectation) -> dict[str, Any]:
    given = each.estimate
    if given is None:
        return {"basis": None}
    return {
        "basis": {
            "jobs": given.jobs,
            "alike": list(given.alike),
            "bySize": given.is_by_size,
            "medianError": round(given.error, 4),
            "isFar": given.is_far,
        }
    }


def _numbers(sums: _Sums) -> dict[str, Any]:
    if not sums.jobs:
        return {"seconds": None, "costNanodollars": None}
    seconds, cost = sums.seconds, sums.nanodollars
    return {
        "seconds": dict(zip(("expected", "p10", "p90"), (round(each, 3) for each in seconds), strict=True)),
        "costNanodollars": dict(zip(("expected", "p10", "p90"), cost, strict=True)),
    }


def _sums(found: Sequence[Expectation]) -> _Sums:
    """Their ends are added up as they are: as if all were quick, or all slow. It is never too narrow."""
    sums = _Sums()
    for each in found:
        if each.estimate is not None:
            given = each.times()
            seconds = tuple(old + new for old, new in zip(sums.seconds, given, strict=True))
            cost = tuple(old + each.cost(new) for old, new in zip(sums.nanodollars, given, strict=True))
            undisturbed = sums.undisturbed + each.estimate.seconds
            sums = _Sums(sums.jobs + 1, seconds, cost, undisturbed)  # type: ignore[arg-type]  # three of each
    return sums
