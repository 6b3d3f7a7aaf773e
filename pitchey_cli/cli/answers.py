"""What a model answers: printed, where nobody has said into which folder it is to go."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.cli import terminal
from pitchey_cli.domain.job import Output
from pitchey_cli.reports.escaping import coloured_bytes

ROLE = "answer"
_BINARY = "application/octet-stream"
_CHUNK_BYTES = 1 << 20
_WRITES = "text-generation"  # the task whose answer is text


def is_shown(outputs: Sequence[Output]) -> bool:
    """Whether all that came out is words that a model answers with."""
    return bool(outputs) and all(each.role == ROLE and each.media_type != _BINARY for each in outputs)


def show(outputs: Sequence[Output], artifacts: Artifacts, *, is_text_wanted: bool = False) -> None:
    """Print answers as they are, but on a terminal without what would steer it.

    Args:
        is_text_wanted: of a document with text that a model has written, that text alone: an earlier job's, say.
    """
    sys.stdout.flush()
    for output in outputs:
        if is_text_wanted and (written := _written(artifacts.path(output.sha256))) is not None:
            terminal.show_line(written, has_colours=True)
            continue
        with artifacts.path(output.sha256).open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                sys.stdout.buffer.write(coloured_bytes(data) if sys.stdout.isatty() else data)
    sys.stdout.buffer.flush()


def _written(path: Path) -> str | None:
    try:
        document = json.loads(path.read_bytes())
        if document["task"] != _WRITES:
            return None
        several = document["output"] if isinstance(document["output"], list) else [document["output"]]
        return "\n".join(str(each["generated_text"]) for each in several)
    except (ValueError, KeyError, TypeError):
        return None
