"""Asks a real worker of the inference service, and gives what it answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.resources.workers import ROOT, Worker

PICTURES = ROOT / "tests" / "resources" / "inference"
COFFEE, CHELSEA, ASTRONAUT = (PICTURES / f"{name}.jpg" for name in ("coffee", "chelsea", "astronaut"))


class Oracle:
    """Sends jobs through a worker of the inference service."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._count = 0

    def begin(self, model: str, data: Any, **spec: Any) -> str:
        """Start a job on a text, a list of texts, a file, or several files by name."""
        self._count += 1
        token = f"i{self._count}.1"
        (self.worker.inputs / token).mkdir()
        files: list[dict[str, Any]] = []
        said: dict[str, Any] = {"inputData": data}
        if isinstance(data, Path):
            said, files = {"inputUrl": str(data)}, [self._given(token, 0, "input_url", data.name, data)]
        elif isinstance(data, Mapping) and all(isinstance(each, Path) for each in data.values()):
            said = {"inputFiles": {name: str(path) for name, path in data.items()}}
            files = [self._given(token, n, "input_files", name, path) for n, (name, path) in enumerate(data.items())]
        self.worker.begin(token, {"model": model} | said | spec, inputs=files)
        return token

    def _given(self, token: str, number: int, field: str, name: str, path: Path) -> dict[str, Any]:
        own = f"{number}{path.suffix}"
        shutil.copy(path, self.worker.inputs / token / own)
        return {"field": field, "path": own, "name": name, "size": path.stat().st_size, "sha256": "0" * 64}

    def file(self, model: str, data: Any, **spec: Any) -> Path:
        """The file that a job leaves, which must succeed."""
        token = self.begin(model, data, **spec)
        last = self.worker.ending(token)
        assert last["type"] == "result", last
        (output,) = last["result"]["outputs"]
        return self.worker.spool / token / "out" / output["path"]

    def envelope(self, model: str, data: Any, **parameters: Any) -> dict[str, Any]:
        """All that is said in JSON."""
        found: dict[str, Any] = json.loads(self.file(model, data, parameters=parameters).read_text())
        return found

    def ask(self, model: str, data: Any, **parameters: Any) -> Any:
        """The answer alone."""
        return self.envelope(model, data, **parameters)["output"]

    def failure(self, model: str, data: Any, **spec: Any) -> dict[str, Any]:
        """Run a job that must fail."""
        error: dict[str, Any] = self.worker.ending(self.begin(model, data, **spec))["error"]
        return error
