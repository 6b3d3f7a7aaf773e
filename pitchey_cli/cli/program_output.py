"""A program's output as if it had run here: stdout on stdout, stderr on stderr; byte for byte, but on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.cli import terminal
from pitchey_cli.domain.job import Job, Output
from pitchey_cli.operations import programs
from pitchey_cli.operations.result import Exported
from pitchey_cli.reports import programs as reports
from pitchey_cli.reports.escaping import coloured_bytes
from pitchey_cli.reports.wording import printable, size


def show_written(details: Mapping[str, Any], outputs: Sequence[Output], artifacts: Artifacts, *, is_exec: bool) -> None:
    """Print both streams, and on a line of its own the value that was returned, unless that is null.

    Args:
        is_exec: nothing but the streams, as they are, also on a terminal.
    """
    stdout = programs.written(details, "stdout", outputs, artifacts)
    if not is_exec and (value := programs.returned(details, outputs, artifacts)):
        separator = b"" if stdout.endswith(b"\n") or not stdout else b"\n"
        stdout += separator + value.rstrip(b"\n") + b"\n"
    stderr = programs.written(details, "stderr", outputs, artifacts)
    for stream, said in ((sys.stdout, stdout), (sys.stderr, stderr)):
        stream.flush()
        stream.buffer.write(said if is_exec or not stream.isatty() else coloured_bytes(said))
        stream.buffer.flush()


def show_ending(job: Job, details: Mapping[str, Any], files: Sequence[Exported], *, is_named: bool) -> None:
    """Say on stderr how it ended, what of its output is missing, and where its files are.

    Args:
        is_named: say whose ending it is: there are several.
    """
    name = f"{printable(job.name)}: " if is_named else ""
    for line in (reports.verdict_line(details), *reports.remarks(details)):
        terminal.say(name + line)
    for each in files:
        terminal.say(f"{name}wrote {printable(str(each.path))}, {size(each.output.size)}")
