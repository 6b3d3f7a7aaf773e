"""Drives a real worker over its real socket, for the tests of the worker and of the services."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from processors.protocol import SOCKET_NAME
from tests.resources.waiting import DEADLINE_SECONDS, until

ROOT = Path(__file__).resolve().parents[2]


def _python_path() -> str:
    """Where a worker finds modules: what is tested first, then where the tests themselves find them."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def is_told_all_along(events: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an attempt has told its progress as it went on: it was never silent for a second and half of its time.

    What lasts for a moment is not told, and on a quick machine much does.
    """
    told = [each["at"] for each in events if each["type"] == "progress"]
    if not told:
        return False
    whole = events[-1]["at"] - events[0]["at"]
    return all(later - earlier <= max(1.0, whole / 2) for earlier, later in pairwise([*told, events[-1]["at"]]))


class Worker:
    """A worker process, with directories of its own."""

    def __init__(self, home: Path, *options: str, service: str = "code", prefix: Sequence[str] = ()) -> None:
        self.run, self.inputs, self.spool = home / "run", home / "inputs", home / "spool"
        for directory in (self.run, self.inputs, self.spool):
            directory.mkdir(parents=True, exist_ok=True)
        self.temporary = home / "tmp"
        self._service = service
        self._options = options
        self._prefix = prefix  # of the command: what sets the stage for the worker
        self.process: subprocess.Popen[bytes] | None = None
        self._directory = os.open(self.run, os.O_PATH)  # a socket's path may have 107 bytes only
        self.socket_path = f"/proc/self/fd/{self._directory}/{SOCKET_NAME}"
        transport = httpx.HTTPTransport(uds=self.socket_path)
        self.http = httpx.Client(transport=transport, base_url="http://worker", timeout=DEADLINE_SECONDS)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.http.close()
        os.close(self._directory)
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> Self:
        directories = ["--run", self.run, "--inputs", self.inputs, "--spool", self.spool]
        command = [
            *self._prefix,
            sys.executable,
            "-m",
            "processors.worker",
            "--service",
            self._service,
            *directories,
            *self._options,
        ]
        self.temporary.mkdir(exist_ok=True)  # as instances have one of their own, that goes with them
        own = {"PYTHONPATH": _python_path(), "TMPDIR": str(self.temporary)}
        process = self.process = subprocess.Popen(command, env=os.environ | own, cwd=ROOT)
        # A socket that accepts, not just its file: a worker that was killed has left that behind.
        until(lambda: self._accepts() or process.poll() is not None, "the worker is ready")
        assert process.poll() is None, "the worker ended at once"
        return self

    def strays(self) -> list[psutil.Process]:
        """The processes of attempts: all below the worker but its companion, which is no group of its own."""
        found = []
        for child in psutil.Process(self.pid).children():
            with suppress(ProcessLookupError):  # it has ended since it was listed
                if os.getpgid(child.pid) != os.getpgid(self.pid):
                    found.append(child)
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and give the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(DEADLINE_SECONDS)
        connection.connect(self.socket_path)
        return connection

    def post(self, token: str, spec: dict[str, Any], **fields: Any) -> httpx.Response:
        """Ask for an attempt."""
        request = {"token": token, "service": self._service, "spec": spec, "timeoutSeconds": 60}
        return self.http.post("/attempts", json=request | {"outputLimitBytes": 10**9} | fields)

    def begin(self, token: str, spec: dict[str, Any], **fields: Any) -> None:
        answer = self.post(token, spec, **fields)
        assert answer.status_code == 202, answer.text

    @contextmanager
    def follow(self, token: str, after: int = 0) -> Iterator[Iterator[dict[str, Any]]]:
        """Give the events of an attempt, as they come."""
        with self.http.stream("GET", f"/attempts/{token}/events?after={after}") as answer:
            assert answer.status_code == 200
            yield (json.loads(line) for line in answer.iter_lines())

    def events(self, token: str, after: int = 0) -> list[dict[str, Any]]:
        """Give the events of an attempt to its end."""
        with self.follow(token, after) as events:
            return list(events)

    def ending(self, token: str) -> dict[str, Any]:
        """Wait for the last event, which result.json must hold too."""
        last = self.events(token)[-1]
        assert json.loads((self.spool / token / "result.json").read_text()) == last
        return last

    def health(self) -> dict[str, Any]:
        document: dict[str, Any] = self.http.get("/health").json()
        return document

    def _accepts(self) -> bool:
        try:
            self.connect().close()
        except OSError:
            return False
        return True
