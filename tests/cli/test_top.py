"""`pitchey top` as a command: one frame in a pipe, the screen on a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS


def test_in_a_pipe_there_is_one_frame_without_colour(pitchey: Pitchey, clip: Path) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip).lines
    answer = pitchey.ok("top")
    assert answer.out.startswith("No daemon runs") and "\x1b" not in answer.out
    for words in ("CPU", "per hour", "POOLS", "JOBS", job_id, "sample_10s", "No instances.", "No dead letters."):
        assert words in answer.out
    assert pitchey.ok("top", "--once").out.count("\n") == answer.out.count("\n")


def test_with_a_daemon_the_frame_names_it(pitchey: Pitchey) -> None:
    process = pitchey.start_daemon()
    assert pitchey.ok("top", "--once").out.startswith(f"daemon {process.pid} on process, since ")


def test_a_database_that_cannot_be_opened_is_an_error_and_no_screen(pitchey: Pitchey) -> None:
    pitchey.state_dir.mkdir()
    (pitchey.state_dir / "pitchey.db").write_text("no database at all\n" * 100)
    answer = pitchey("top")
    assert (answer.code, answer.out) == (9, "") and "is not a Pitchey database" in answer.err


@pytest.mark.parametrize("arguments", [("status",), ("jobs",), ("top", "--once")])
def test_nothing_but_the_screen_imports_textual(pitchey: Pitchey, arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pitchey_cli", *arguments]
    environment = pitchey._environment({})
    done = subprocess.run(command, capture_output=True, text=True, cwd=pitchey.cwd, env=environment, check=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "pitchey_cli.cli.main" in imported
    assert not [name for name in imported if name.split(".")[0] == "textual"]


@pytest.mark.parametrize("leave", [b"q", b"\x03"])
def test_on_a_terminal_it_is_a_screen_that_a_key_leaves(pitchey: Pitchey, clip: Path, leave: bytes) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip).lines
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    command = [sys.executable, "-m", "pitchey_cli", "top"]
    environment = pitchey._environment({"TERM": "xterm-256color", "COLORTERM": "truecolor"}) | {
        "COLUMNS": "80",
        "LINES": "24",
    }
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=pitchey.cwd, env=environment, start_new_session=True
    )
    pitchey.started.append(process)  # type: ignore[arg-type]
    os.close(theirs)
    drawn = _read(ours, until=job_id.encode())
    os.write(ours, leave)
    drawn += _read(ours, until=b"\x1b[?1049l")  # back from the alternate screen
    assert process.wait(DEADLINE_SECONDS) == 0
    assert b"No daemon runs" in drawn and b"Traceback" not in drawn
    colours = re.findall(rb"[34]8;2;(\d+);(\d+);(\d+)", drawn)
    assert colours and all(red == green == blue for red, green, blue in colours)  # NO_COLOR is set
    os.close(ours)


def _read(terminal: int, *, until: bytes) -> bytes:
    read, deadline = b"", time.monotonic() + DEADLINE_SECONDS
    while until not in read:
        assert time.monotonic() < deadline, read
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                read += os.read(terminal, 65536)
            except OSError:  # the other end has gone
                break
    return read
