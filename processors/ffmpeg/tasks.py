"""A job as a list of tasks, each with its share of the progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processors.ffmpeg.streams import Probe
from processors.protocol import OutputFile, Result
from processors.worker.context import Context

#: how much of a task is done, from 0 to 1, or None where that is unknown; and seconds of media per second of work
Report = Callable[[float | None, float | None], None]

_ETA_AFTER_SECONDS = 1.0  # an estimate from less would jump


@dataclass(frozen=True, slots=True)
class Source:
    """The file that is worked on."""

    path: Path
    name: str  #: what the user calls it
    probe: Probe


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a task."""

    outputs: Sequence[OutputFile] = ()
    details: Mapping[str, Any] = field(default_factory=dict)  #: for the details of the whole result


@dataclass(frozen=True, slots=True)
class Task:
    """A part of a job."""

    stage: str  #: as the progress calls it
    cost: float  #: as much as so many seconds of the main work; for shares of the progress only
    run: Callable[[Report], Made]


def carry_out(
    context: Context[Any], tasks: Sequence[Task], details: Mapping[str, Any], *, length: float | None = None
) -> Result:
    """Run tasks one after the other, and say how far the whole is.

    Args:
        details: of the result, beside what the tasks add; the notes of all are one list, and the seconds that each
            stage took are told.
        length: seconds of media that are worked on, where that is known, for the speed of the whole.
    """
    started = time.monotonic()
    total = sum(task.cost for task in tasks) or 1.0
    outputs: list[OutputFile] = []
    merged = dict(details)
    done = 0.0
    seconds: dict[str, float] = {}
    for task in tasks:

        def report(fraction: float | None, speed: float | None, task: Task = task, done: float = done) -> None:
            if fraction is None:
                context.progress(task.stage, None, speed=speed)
                return
            whole = (done + task.cost * min(1.0, max(0.0, fraction))) / total
            elapsed = time.monotonic() - started
            eta = elapsed * (1 - whole) / whole if whole > 0 and elapsed > _ETA_AFTER_SECONDS else None
            context.progress(task.stage, whole, eta_seconds=eta, speed=speed)

        began = time.monotonic()
        made = task.run(report)
        seconds[task.stage] = seconds.get(task.stage, 0.0) + time.monotonic() - began
        outputs += made.outputs
        notes = [*merged.get("notes", ()), *made.details.get("notes", ())]
        merged |= {**made.details, **({"notes": notes} if notes else {})}
        done += task.cost
        context.progress(task.stage, done / total)
    context.progress("done", 1.0)
    took = {stage: round(each, 2) for stage, each in seconds.items()}
    return Result(
        outputs=outputs, details={**merged, "stageSeconds": took, **_speed(time.monotonic() - started, length)}
    )


def _speed(took: float, length: float | None) -> dict[str, float]:
    """Seconds of media for a second of work, over all stages."""
    return {"speed": round(length / took, 2)} if length and took > 0 else {}
