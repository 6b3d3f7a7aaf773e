"""The jobs of a pipeline as a tree. Pure: jobs in, something that rich can print out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import RenderableType
from rich.text import Text
from rich.tree import Tree

from pitchey_cli.domain.job import Job, JobId, JobState
from pitchey_cli.reports.tables import STATE_COLOURS
from pitchey_cli.reports.wording import duration, percent, printable

_MOST_CHILDREN = 20  # more of them say no more than their sum


def batch(name: str, roots: Sequence[Job], children: Mapping[JobId, Sequence[Job]], *, now: datetime) -> RenderableType:
    """All jobs of a batch, each below the one that it works on."""
    tree = Tree(Text(printable(name), style="bold"))
    _hang(tree, roots, children, now)
    return tree


def _hang(tree: Tree, jobs: Sequence[Job], children: Mapping[JobId, Sequence[Job]], now: datetime) -> None:
    for job in jobs[:_MOST_CHILDREN]:
        _hang(tree.add(_line(job, now)), children.get(job.id, ()), children, now)
    if rest := jobs[_MOST_CHILDREN:]:
        counts = {state: sum(job.state is state for job in rest) for state in JobState}
        states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        tree.add(Text(f"and {len(rest)} more: {states}"))


def _line(job: Job, now: datetime) -> Text:
    line = Text.assemble(
        printable(job.name), "  ", (str(job.state), STATE_COLOURS.get(job.state, "")), (f"  {job.id}", "dim")
    )
    if job.state is JobState.RUNNING:
        line.append(f"  {percent(job.progress)} {printable(job.stage or '')}".rstrip())
    if job.started_at is not None:
        line.append(f"  {duration(((job.finished_at or now) - job.started_at).total_seconds())}")
    if job.error is not None and job.state is not JobState.RUNNING:
        line.append(f"  {printable(job.error.message)}", style="red" if job.state is JobState.DEAD else "")
    return line
