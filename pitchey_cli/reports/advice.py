"""What would have been better, in sentences and as JSON. Pure."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from pitchey_cli.domain.advice import LEAST_JOBS, LEAST_SECONDS, Advice, Advised
from pitchey_cli.domain.prices import dollars
from pitchey_cli.domain.simulation import PoolResult
from pitchey_cli.reports.as_json import time
from pitchey_cli.reports.wording import duration


def text(found: Advised) -> RenderableType:
    """A sentence for each, and the command that sets it."""
    parts: list[Text] = [Text()]
    for each in found.advice:
        parts += [Text(sentence(each)), Text(f"  {command(each)}")]
    return Group(*parts, *(Text(line) for line in remarks(found)))


def sentence(each: Advice) -> str:
    """What would have been."""
    was, would_be = each.was, each.would_be
    saved = f"{dollars(abs(each.saved))} {'less' if each.saved >= 0 else 'more'}"
    starts = would_be.cold_starts - was.cold_starts
    more = f"{abs(starts):,} {'more' if starts > 0 else 'fewer'}" if starts else "no more"
    waits = f"p95 wait {duration(would_be.waits.p95)} instead of {duration(was.waits.p95)}"
    setting = f"{each.setting.key} = {each.setting.value:g} instead of {each.instead_of:g}"
    return f"{setting} would have cost {saved} and {more} cold start{'' if abs(starts) == 1 else 's'} ({waits})."


def command(each: Advice) -> str:
    """What sets it."""
    return f"pitchey config set {each.setting.key} {each.setting.value:g}"


def remarks(found: Advised) -> list[str]:
    """What the advice stands on, and what there is none about."""
    said = []
    if found.jobs:
        jobs = ", ".join(f"{count:,} {service} jobs" for service, count in found.jobs.items())
        span = f"{found.since.astimezone():%Y-%m-%d %H:%M} to {found.until.astimezone():%Y-%m-%d %H:%M}"
        what = "Each was tried alone" if found.advice else "Nothing that was tried is clearly better than what is set"
        said.append(f"{what}, in a simulation of the {jobs} that came from {span}.")
    for short in found.too_little:
        jobs = f"{short.jobs} job{'' if short.jobs == 1 else 's'} in {duration(short.seconds)}"
        least = f"{LEAST_JOBS} in {duration(LEAST_SECONDS)}"
        said.append(f"services.{short.service}: {jobs}: too little history to advise on; it takes {least}.")
    return said or ["No job has come in this period: there is nothing to advise on."]


def as_json(found: Advised) -> dict[str, Any]:
    """The same in numbers."""
    return {
        "since": time(found.since),
        "until": time(found.until),
        "jobs": dict(found.jobs),
        "advice": [
            {
                "setting": each.setting.key,
                "value": each.setting.value,
                "insteadOf": each.instead_of,
                "savedNanodollars": each.saved,
                "was": _numbers(each.was),
                "wouldBe": _numbers(each.would_be),
                "command": command(each),
            }
            for each in found.advice
        ],
        "tooLittleHistory": [
            {"service": each.service, "jobs": each.jobs, "seconds": round(each.seconds)} for each in found.too_little
        ],
    }


def _numbers(result: PoolResult) -> dict[str, Any]:
    return {
        "costNanodollars": result.cost_nanodollars,
        "coldStarts": result.cold_starts,
        "p95WaitSeconds": round(result.waits.p95, 3),
    }
