"""A real porter in front of a real worker, for the tests of what is carried."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx

from pitchey_cli.daemon.porter import identity, known_by
from tests.resources.object_store import ObjectStore
from tests.resources.waiting import DEADLINE_SECONDS, until
from tests.resources.workers import ROOT, Worker
from tests.servers.ports import free_ports

SECRET = "s3cr3t"


class Porter:
    """A porter process, a worker behind it, and the host's side of both."""

    def __init__(self, home: Path, store: ObjectStore, *options: str, handler: str = "carrying") -> None:
        self.home, self.store = home, store
        self.worker = Worker(home, "--slots", "4", "--handler", f"tests.resources.handlers.{handler}")
        self.journal = home / "journal"
        self.journal.mkdir()
        (self.port,) = free_ports(1)
        self._options = options
        key, certificate = identity()
        self.identity = home / "identity"
        self.identity.write_bytes(key + certificate)
        self.known = known_by(certificate.decode())
        self.http = httpx.Client(
            base_url=f"https://127.0.0.1:{self.port}", verify=self.known,
            timeout=DEADLINE_SECONDS, trust_env=False,
            headers={"Authorization": f"Bearer {SECRET}"},
        )  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.worker.start()
        secret = self.home / "secret"
        secret.write_text(SECRET)
        command = [sys.executable, "-m", "processors.porter", "--service", "code", "--slots", "4"]
        command += ["--listen", f"127.0.0.1:{self.port}", "--secret", str(secret)]
        command += ["--identity", str(self.identity), "--run", str(self.worker.run)]
        command += ["--inputs", str(self.worker.inputs), "--spool", str(self.worker.spool)]
        command += ["--journal", str(self.journal), *self._options]
        self.process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        until(self._answers, "the porter answers")
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.worker.__exit__()

    def _answers(self) -> bool:
        try:
            return self.http.get("/health").status_code == 200
        except httpx.TransportError:
            return False

    def given(self, number: int, data: bytes, **changed: Any) -> dict[str, Any]:
        """An input that lies in the store."""
        key = f"in/{number}"
        self.store.objects[key] = data
        said = {"field": "a", "path": f"{number}.bin", "name": f"{number}.mov", "size": len(data)}
        return {**said, "sha256": hashlib.sha256(data).hexdigest(), "url": self.store.link(key), **changed}

    def begin(self, token: str, code: str, *told: Any, **fields: Any) -> None:
        """Ask for an attempt."""
        request = {"token": token, "service": "code", "timeoutSeconds": 60, "outputLimitBytes": 10**6}
        spec = {"language": "python", "code": code, "inputs": [*told]}
        answer = self.http.post("/attempts", json={**request, "spec": spec, **fields})
        assert answer.status_code == 202, answer.text

    @contextmanager
    def follow(self, token: str, after: int = 0) -> Iterator[Iterator[dict[str, Any]]]:
        """Give the events of an attempt, as they come."""
        with self.http.stream("GET", f"/attempts/{token}/events?after={after}") as answer:
            assert answer.status_code == 200
            yield (json.loads(line) for line in answer.iter_lines())

    def answer(self, token: str, event: dict[str, Any], signature: str = "good") -> None:
        """Give the links that an event asks for."""
        links = {
            "ask": event["ask"],
            "inputs": [self.store.link(f"in/{number}", signature) for number in event["inputs"]],
            "outputs": [self.store.link(f"out/{each['number']}", signature) for each in event["outputs"]],
        }
        assert self.http.post(f"/attempts/{token}/links", json=links).status_code == 200

    def finish(self, token: str) -> list[dict[str, Any]]:
        """Be the host until the attempt has ended; its events."""
        seen = []
        with self.follow(token) as events:
            for event in events:
                seen.append(event)
                if event["type"] == "links":
                    self.answer(token, event)
        return seen
