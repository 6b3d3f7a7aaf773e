"""`pitchey shell` at a real terminal, on real engines: typed at as a person does, and nothing left afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pitchey_cli.supervisor.shell import LABEL
from tests.conftest import Pitchey

ENGINES = ("docker", "podman")
ENDLESS = "exec(\"print('be' + 'gun')\\nwhile True: pass\")\r"
_PATIENCE_SECONDS = 60.0
_CONTROLS = re.compile(rb"\x1b\[[0-9;?>=]*[A-Za-z]|\x1b[=>]|\x1b[()][A-Z0-9]|\r")


class Terminal:
    """A window with a command in it."""

    def __init__(self, pitchey: Pitchey, *arguments: str) -> None:
        self._outer, inner = pty.openpty()
        self.resize(24, 80, tell=False)
        self.seen = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pitchey_cli", *arguments],
            stdin=inner, stdout=inner, stderr=inner, cwd=pitchey.cwd,
            env=pitchey._environment({"TERM": "xterm"}),
            start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(inner)

    def type(self, text: str) -> None:
        os.write(self._outer, text.encode())

    def until(self, wanted: str) -> str:
        """Wait for a text; what was shown up to it, without what moves the cursor."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (at := _CONTROLS.sub(b"", self.seen).find(wanted.encode())) < 0:
            left = deadline - time.monotonic()
            assert left > 0 and self._read(left), f"{wanted!r} was not shown: {self.seen.decode(errors='replace')}"
        shown = _CONTROLS.sub(b"", self.seen)
        self.seen = shown[at + len(wanted) :]
        return shown[: at + len(wanted)].decode(errors="replace")

    def resize(self, rows: int, columns: int, *, tell: bool = True) -> None:
        fcntl.ioctl(self._outer, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def end(self) -> int:
        """Wait for the command's end, reading on; its exit code."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen
            self._read(0.1)
        while self._read(0.0):
            pass
        return self.process.returncode

    def close(self) -> None:
        """Close the window."""
        with contextlib.suppress(OSError):
            os.close(self._outer)

    def _read(self, seconds: float) -> bool:
        if not select.select([self._outer], [], [], seconds)[0]:
            return False
        try:
            piece = os.read(self._outer, 1 << 16)
        except OSError:  # the command has ended
            return False
        self.seen += piece
        return bool(piece)


@pytest.fixture(params=ENGINES)
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Pitchey, docker.APIClient]]:
    kind = request.param
    url = os.environ.get(f"PITCHEY_TEST_{kind.upper()}")
    if not url:
        pytest.fail(f"There is no {kind} for the tests: `make test` starts one.")
    pitchey = Pitchey(tmp_path / "state", tmp_path, {"PITCHEY_ENGINE_KIND": kind, "PITCHEY_ENGINE_URL": url})
    pitchey.ok("images", "build", "code")
    engine = docker.APIClient(url, version="1.41", timeout=60)
    yield pitchey, engine
    pitchey.end()
    engine.close()


@pytest.fixture
def window(ground: tuple[Pitchey, docker.APIClient]) -> Iterator[list[Terminal]]:
    windows: list[Terminal] = []
    yield windows
    for each in windows:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()
        each.close()


def left(pitchey: Pitchey, engine: docker.APIClient) -> list[str]:
    label = f"{LABEL}={pitchey.state_dir.resolve()}"
    return [item["Id"] for item in engine.containers(all=True, filters={"label": label})]


def is_soon_clean(pitchey: Pitchey, engine: docker.APIClient) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while left(pitchey, engine):
        if time.monotonic() > deadline:
            return False
    return True


def test_python_answers_and_ends_with_ctrl_d(ground, window) -> None:
    pitchey, engine = ground
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type("import os, socket\r")
    shell.type("print('sum', 20 + 22, os.getuid() >= 20000, os.isatty(0))\r")
    shell.until("sum 42 True True")
    shell.type("socket.create_connection(('192.0.2.1', 80), 1)\r")
    shell.until("OSError")
    shell.until(">>> ")  # a key that comes before the prompt is the terminal's, and not the shell's
    assert len(left(pitchey, engine)) == 1
    shell.type("\x04")
    assert shell.end() == 0
    assert left(pitchey, engine) == []


@pytest.mark.by_turns
def test_javascript_answers_and_its_exit_code_is_ours(ground, window) -> None:
    pitchey, engine = ground
    window.append(shell := Terminal(pitchey, "shell", "javascript"))
    shell.until("> ")
    shell.type("[1, 2, 3].map(n => n * 111).join('-')\r")
    shell.until("111-222-333")
    shell.type("process.exit(7)\r")
    assert shell.end() == 7
    assert left(pitchey, engine) == []


@pytest.mark.by_turns
def test_ctrl_c_interrupts_an_endless_loop_and_the_shell_goes_on(ground, window) -> None:
    pitchey, _ = ground
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type(ENDLESS)
    shell.until("begun")
    shell.type("\x03")
    shell.until("KeyboardInterrupt")
    shell.until(">>> ")
    shell.type("print('still ' + 'here')\r")
    shell.until("still here")


def test_the_shell_knows_the_size_of_the_window_and_when_it_changes(ground, window) -> None:
    pitchey, _ = ground
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type("import os\r")
    shell.type("print('size', *os.get_terminal_size())\r")
    shell.until("size 80 24")
    shell.resize(50, 132)
    for _ in range(100):
        shell.type("print('now', *os.get_terminal_size(), 'said')\r")
        if "now 132 50" in shell.until(" said"):
            return
    raise AssertionError("the new size never came")


def test_memory_and_time_are_limited_and_that_is_said(ground, window) -> None:
    pitchey, engine = ground
    window.append(greedy := Terminal(pitchey, "shell", "python", "--memory", "32"))
    window.append(lasting := Terminal(pitchey, "shell", "python", "--timeout", "3s"))
    greedy.until(">>> ")
    greedy.type("x = bytearray(1 << 30)\rx = [bytes(1 << 20) + b'x' for _ in range(1000)]\r")
    assert greedy.end() == 137
    assert "MEMORY_LIMIT" in greedy.seen.decode()
    assert lasting.end() == 124
    assert "TIMEOUT" in lasting.seen.decode()
    assert is_soon_clean(pitchey, engine)


@pytest.mark.by_turns
def test_a_shell_that_prints_without_end_can_be_interrupted(ground, window) -> None:
    pitchey, _ = ground
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type("while True: print('y' * 1000)\r\r")
    shell.until("y" * 1000)
    shell.type("\x03")
    shell.until("KeyboardInterrupt")


@pytest.mark.parametrize("how", ["window", "kill", "term"])
def test_nothing_is_left_when_the_window_is_closed_or_the_command_killed(ground, window, how: str) -> None:
    pitchey, engine = ground
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type(ENDLESS)
    shell.until("begun")
    assert len(left(pitchey, engine)) == 1
    if how == "window":
        shell.close()
    else:
        shell.process.send_signal(signal.SIGKILL if how == "kill" else signal.SIGTERM)
    shell.process.wait(_PATIENCE_SECONDS)
    assert is_soon_clean(pitchey, engine)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["go"], "Go has no interactive mode: its programs are compiled"),
        (["rust"], "Rust has no interactive mode"),
        (["cobol"], "There is no shell for 'cobol'"),
        (["python"], "A shell needs a terminal"),
        (["python", "--timeout", "2d"], "not within a day"),
    ],
)
def test_what_cannot_be_a_shell_is_said(pitchey: Pitchey, arguments: list[str], says: str) -> None:
    answer = pitchey("shell", *arguments)
    assert answer.code == 2 and says in answer.err


def test_a_shell_and_a_doctor_need_the_runtime_that_is_set(ground, window) -> None:
    pitchey, engine = ground
    pitchey.environment["PITCHEY_SERVICES_CODE_RUNTIME"] = "nonesuch"
    window.append(shell := Terminal(pitchey, "shell", "python"))
    assert shell.end() == 8
    assert "There is no runtime 'nonesuch'" in shell.seen.decode() and left(pitchey, engine) == []
    doctor = pitchey("doctor")
    assert doctor.code == 8 and "problem  code runtime" in doctor.out and "runc (the engine's own)" in doctor.out
    pitchey.environment["PITCHEY_SERVICES_CODE_RUNTIME"] = "runc"
    window.append(shell := Terminal(pitchey, "shell", "python"))
    shell.until(">>> ")
    shell.type("\x04")
    assert shell.end() == 0
