"""What a program of the code service has written, out of its job's details and outputs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.job import Output
from pitchey_cli.domain.program import STREAMS, last_phase


def written(details: Mapping[str, Any], stream: str, outputs: Sequence[Output], artifacts: Artifacts) -> bytes:
    """All that was kept of what a program, or a compiler that found errors, wrote to stdout or stderr.

    Raises:
        InputNotFound: it was long, and the file that holds it has been removed.
    """
    kept = last_phase(details).get(stream) or {}
    if (name := kept.get("file")) is not None:
        found = next((each for each in outputs if each.path == name and each.role in STREAMS), None)
        if found is not None:
            return artifacts.path(found.sha256).read_bytes()
    if (encoded := kept.get("base64")) is not None:
        return base64.b64decode(encoded)
    return str(kept.get("text", "")).encode("utf-8", "surrogatepass")
