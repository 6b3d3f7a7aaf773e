"""What a model answers: printed, where nobody has said into which folder it is to go."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.job import Output
from pitchey_cli.reports.escaping import coloured_bytes

ROLE = "answer"
_BINARY = "application/octet-stream"
_CHUNK_BYTES = 1 << 20


def is_shown(outputs: Sequence[Output]) -> bool:
    """Whether all that came out is words that a model answers with."""
    return bool(outputs) and all(each.role == ROLE and each.media_type != _BINARY for each in outputs)


def show(outputs: Sequence[Output], artifacts: Artifacts) -> None:
    """Print answers as they are, but on a terminal without what would steer it."""
    sys.stdout.flush()
    for output in outputs:
        with artifacts.path(output.sha256).open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                sys.stdout.buffer.write(coloured_bytes(data) if sys.stdout.isatty() else data)
    sys.stdout.buffer.flush()
