"""A manifest as a file: as somebody wrote it, not checked yet, and as it lies beside its model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pitchey_cli.domain.errors import InputNotFound, InputRejected
from processors.inference.manifest import MANIFEST_NAME, Manifest

_MOST_BYTES = 4 << 20
_TEXTS = ("file", "framework", "task", "version")  # fields that are used before the whole is checked
_PATHS = ("file", "labels", "weights")


def said_in(path: Path) -> dict[str, Any]:
    """What is said in a file.

    Raises:
        InputNotFound: it is not there.
        InputRejected: it is none.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputRejected(f"{path} has more than {_MOST_BYTES >> 20} MiB.")
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise InputNotFound(f"There is no manifest {path}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise InputRejected(f"The manifest {path} cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise InputRejected(f"The manifest {path} is no JSON object.")
    if wrong := next((key for key in _TEXTS if not isinstance(document.get(key, ""), str)), None):
        raise InputRejected(f"The manifest {path}: {wrong} is no text.")
    return document


def plain_paths(said: Mapping[str, Any]) -> dict[str, str]:
    """The fields that are paths, as files are found: `./model.onnx` is model.onnx."""
    return {key: _plain_path(said[key]) for key in _PATHS if isinstance(said.get(key), str)}


def by_plain_path(files: object) -> object:
    """What a manifest says of its files, by their plain paths."""
    if not isinstance(files, Mapping):
        return files
    found = {_plain_path(str(path)): said for path, said in files.items()}
    if MANIFEST_NAME in found:
        hint = f"Leave {MANIFEST_NAME} out: no file can name its own hash."
        raise InputRejected(f"The manifest lists {MANIFEST_NAME} among its files.", hint=hint)
    return found


def _plain_path(path: str) -> str:
    return str(PurePosixPath(path)) if path else path


def written(manifest: Manifest) -> str:
    """A manifest as it lies beside its model."""
    document = manifest.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
