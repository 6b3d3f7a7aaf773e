"""Shows how files come from a server, where somebody watches."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pitchey_cli.artifacts.port import ProgressCallback
from pitchey_cli.cli import terminal
from pitchey_cli.reports.wording import printable


@contextmanager
def fetch_progress(name: str, size: int) -> Iterator[ProgressCallback]:
    """A bar for one file.

    Args:
        size: in bytes.
    """
    if not terminal.is_interactive():
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("fetching {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=terminal.messages(), transient=True) as progress:
        task = progress.add_task(printable(name), total=size)
        yield lambda done, total: progress.update(task, completed=done, total=total)
