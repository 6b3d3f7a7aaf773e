"""Repositories of models for tests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add_files(root: Path, name: str, files: Mapping[str, bytes], *, version: str = "1", **said: Any) -> Path:
    """Put files into a repository as a version of a model, with the manifest that belongs to them; its folder."""
    folder = root / name / version
    manifest: dict[str, Any] = {"manifest": 1, "name": name, "version": version, **said, "files": {}}
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
        manifest["files"][path] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
