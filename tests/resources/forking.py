"""`pitchey` in a process of its own without the start of a Python: one that has its modules loaded forks each time.

Most of what a short verb takes is the loading of its libraries, and the tests run thousands. What is forked has its own
arguments, environment, folder and streams. What a verb loads by itself is loaded anew.

Whoever asks sends a description (argv, cwd and environment as JSON, in a file without a name) with the descriptors of
stdin, stdout, stderr and of a pipe, which is told the command's pid, and at its end its exit code.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent

#: What many verbs load. Which modules a verb loads is its own affair: none of `pitchey_cli.cli` but what all have.
_LOADED = (
    "pitchey_cli.cli.main",
    "pitchey_cli.cli.terminal",
    "pitchey_cli.artifacts.local",
    "pitchey_cli.engines.discovery",
    "pitchey_cli.engines.grouped",
    "pitchey_cli.engines.images",
    "pitchey_cli.operations.manifests",
    "pitchey_cli.operations.specs",
    "pitchey_cli.operations.submit",
    "pitchey_cli.remote.contexts",
    "pitchey_cli.reports.as_json",
    "pitchey_cli.reports.tables",
    "pitchey_cli.store.noted",
    "pitchey_cli.store.sqlite",
    "pitchey_cli.wiring.node",
    "rich.console",
    "rich.table",
)


@dataclass
class Forks:
    """The process that forks; it is started when it is first needed, and ends when this one does."""

    _control: socket.socket | None = None
    _server: subprocess.Popen[bytes] | None = None

    def run(
        self, arguments: list[str], *, stdin: str, cwd: Path, environment: dict[str, str], timeout_seconds: float
    ) -> tuple[int, str, str]:
        """Run a command to its end.

        Returns:
            The exit code (negative: the signal that ended it), and what was on stdout and stderr.

        Raises:
            subprocess.TimeoutExpired: it was killed.
        """
        if self._control is None:
            self._control, self._server = _start()
        with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as given:
            asked.write(json.dumps({"argv": arguments, "cwd": str(cwd), "environment": environment}).encode())
            given.write(stdin.encode())
            for file in (asked, given):
                file.seek(0)
            out, err, told = os.pipe(), os.pipe(), os.pipe()
            theirs = [given.fileno(), out[1], err[1], told[1]]
            try:
                socket.send_fds(self._control, [b"!"], [asked.fileno(), *theirs])
            finally:
                for each in theirs[1:]:
                    os.close(each)
        said = _read([out[0], err[0], told[0]], timeout_seconds, arguments)
        return int(said[2].split()[1]), said[0].decode(), said[1].decode()


def _start() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        server = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    return ours, server


def _read(descriptors: list[int], timeout_seconds: float, arguments: list[str]) -> list[bytes]:
    """All that comes out of some pipes: also what a process says that the command has left behind."""
    said = [b"" for _ in descriptors]
    deadline = time.monotonic() + timeout_seconds
    with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
        for number, each in enumerate(descriptors):
            selector.register(opened.enter_context(os.fdopen(each, "rb", buffering=0)), selectors.EVENT_READ, number)
        while selector.get_map():
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                os.kill(int(said[2].split()[0]), signal.SIGKILL)
                raise subprocess.TimeoutExpired(arguments, timeout_seconds, said[0], said[1])
            for key, _ in ready:
                if chunk := os.read(key.fd, 1 << 16):
                    said[key.data] += chunk
                else:
                    selector.unregister(key.fileobj)
    return said


def _serve(control: socket.socket) -> list[str] | None:
    """Fork for whoever asks.

    Returns:
        In a process that is to be a command: its arguments. When nobody can ask any more: None.
    """
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 1, 5)
        if not message:
            return None
        if os.fork() == 0:
            control.close()
            return _become(*descriptors)
        for each in descriptors:
            os.close(each)


def _become(asked: int, stdin: int, stdout: int, stderr: int, told: int) -> list[str]:
    """Fork once more: one waits and tells, the other is the command."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with os.fdopen(asked, "rb") as file:
        wanted = json.load(file)
    if pid := os.fork():
        for each in (stdin, stdout, stderr):
            os.close(each)
        os.write(told, b"%d " % pid)
        os.write(told, b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        os._exit(0)
    os.close(told)
    for number, each in enumerate((stdin, stdout, stderr)):
        os.dup2(each, number)
        os.close(each)
    # What an interpreter makes at its start: the streams, over descriptors that are others now.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(  # noqa: SIM115
        2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False
    )
    os.environ.clear()
    os.environ.update(wanted["environment"])
    os.chdir(wanted["cwd"])
    time.tzset()
    arguments: list[str] = wanted["argv"]
    return arguments


def _load() -> None:
    """Load and make what most commands need."""
    for name in _LOADED:
        importlib.import_module(name)
    from pitchey_cli.settings import Settings
    from processors.specs import SPECS

    Settings()
    for model in SPECS.values():
        model.model_rebuild()
    gc.collect()
    gc.freeze()


def _end(ended: SystemExit) -> NoReturn:
    """End as Python does, but take nothing apart: that would copy all the memory that is shared, for nothing."""
    if not isinstance(ended.code, int | None):
        raise ended
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for each in (sys.stdout, sys.stderr):
        each.flush()
    os._exit(ended.code or 0)


if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever waits for a command is nobody to wait for
    _load()
    if (argv := _serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        sys.argv = ["pitchey", *argv]
        try:
            runpy.run_module("pitchey_cli", run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            _end(ended)
