"""What a program has written cannot make the user's terminal do anything."""

from __future__ import annotations

import os
import pty
import subprocess
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.domain.job import Token
from processors.protocol import LogEvent
from tests.cli.test_programs import ended, finish, stream
from tests.conftest import Pitchey
from tests.resources.waiting import DEADLINE_SECONDS

HOSTILE = "\x1b]0;gone\x07\x1b[2J\x1b[31mred\x1b[0m 50 %\r\x9b6n\tend\r\n"
SHOWN = "\\x1b]0;gone\\x07\\x1b[2J\x1b[31mred\x1b[0m 50 %\\x0d\\x9b6n\tend\r\n"


@pytest.fixture
def job_id(pitchey: Pitchey) -> str:
    """A program that has written what terminals obey, on both streams and into its log."""
    (pitchey.cwd / "greet.py").write_text("")
    job_id = finish(pitchey, ended(stdout=stream(HOSTILE), stderr=stream(HOSTILE), returned="\x9b6n"))
    log = layout.kept_events(pitchey.state_dir, Token(f"{job_id}.1"))
    log.parent.mkdir(parents=True, exist_ok=True)
    event = LogEvent(seq=1, at=0.0, stream="stdout", line=HOSTILE.removesuffix("\n"))
    log.write_text(event.model_dump_json(by_alias=True) + "\n")
    return job_id


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal that changes nothing of what is written: our end, and the program's."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


def on_terminal(pitchey: Pitchey, *arguments: str | Path) -> tuple[str, str]:
    """Run a command whose streams are two terminals; what they were given."""
    with terminal() as (out, their_out), terminal() as (err, their_err):
        process = subprocess.Popen(
            pitchey._command(arguments), stdin=subprocess.DEVNULL, stdout=their_out, stderr=their_err,
            cwd=pitchey.cwd, env=pitchey._environment({}),
        )  # fmt: skip
        process.wait(DEADLINE_SECONDS)  # it writes less than a terminal holds
        said = []
        for ours, theirs in ((out, their_out), (err, their_err)):
            os.write(theirs, b"\0")  # so that there is something to read, in any case
            data = b""
            while not data.endswith(b"\0"):
                data += os.read(ours, 65536)
            said.append(data[:-1].decode())
    return said[0], said[1]


def test_a_terminal_is_shown_what_it_would_obey_and_gets_the_colours(pitchey: Pitchey, job_id: str) -> None:
    out, err = on_terminal(pitchey, "result", job_id)
    assert out == SHOWN + '"\\x9b6n"\n'
    assert err.startswith(SHOWN + "OK, exit code 0, ")
    assert on_terminal(pitchey, "logs", job_id) == (SHOWN, "")


def test_a_pipe_gets_every_byte(pitchey: Pitchey, job_id: str) -> None:
    answer = subprocess.run(
        pitchey._command(("result", job_id)), capture_output=True, cwd=pitchey.cwd, env=pitchey._environment({})
    )
    assert answer.stdout == (HOSTILE + '"\x9b6n"\n').encode()
    assert answer.stderr.startswith(HOSTILE.encode())
    log = subprocess.run(
        pitchey._command(("logs", job_id)), capture_output=True, cwd=pitchey.cwd, env=pitchey._environment({})
    )
    assert log.stdout == HOSTILE.encode()


def test_with_exec_the_program_speaks_to_the_terminal_itself(pitchey: Pitchey, job_id: str) -> None:
    assert on_terminal(pitchey, "result", job_id, "--exec") == (HOSTILE, HOSTILE)


def test_names_of_files_and_documents_have_no_control_characters_either(pitchey: Pitchey, job_id: str) -> None:
    odd = pitchey.cwd / "a\x1b[31mb\x9b6n.py"
    odd.write_text("")
    pitchey.ok("submit", "code", odd)
    out, err = on_terminal(pitchey, "jobs")
    assert "a\\x1b[31mb\\x9b6n" in out and "\x1b[31m" not in out and "\x9b" not in out
    out, err = on_terminal(pitchey, "submit", "code", f"{odd}-is-not-here.py")
    assert "\\x9b6n" in err and not {"\x1b", "\x9b"} & set(err)
    (pitchey.cwd / "text").write_bytes(b"\xff")
    odd.write_bytes(b"\xff")
    out, err = on_terminal(pitchey, "submit", "code", odd)
    assert "is no UTF-8 text" in err and not {"\x1b", "\x9b"} & set(err)
    out, _ = on_terminal(pitchey, "result", job_id, "--json")
    assert '"returned":"\\u009b6n"' in out and not {"\x1b", "\x9b"} & set(out)
