"""What a program of the code service has written, out of its job's details and outputs."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.job import Output
from pitchey_cli.domain.program import PRINTED_ROLES, last_phase


def written(details: Mapping[str, Any], stream: str, outputs: Sequence[Output], artifacts: Artifacts) -> bytes:
    """All that was kept of what a program, or a compiler that found errors, wrote to stdout or stderr.

    Raises:
        InputNotFound: it was long, and the file that holds it has been removed.
    """
    kept = last_phase(details).get(stream) or {}
    if (long := _from_file(kept.get("file"), outputs, artifacts)) is not None:
        return long
    if (encoded := kept.get("base64")) is not None:
        return base64.b64decode(encoded)
    return str(kept.get("text", "")).encode("utf-8", "surrogatepass")


def returned(details: Mapping[str, Any], outputs: Sequence[Output], artifacts: Artifacts) -> bytes:
    """The value that a program gave back, as JSON on one line; nothing where it gave none, or null.

    Raises:
        InputNotFound: as `written`.
    """
    if (long := _from_file(details.get("returnedFile"), outputs, artifacts)) is not None:
        return long
    value = details.get("returned")
    return b"" if value is None else json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _from_file(name: str | None, outputs: Sequence[Output], artifacts: Artifacts) -> bytes | None:
    found = next((each for each in outputs if each.path == name and each.role in PRINTED_ROLES), None)
    return None if found is None else artifacts.path(found.sha256).read_bytes()
