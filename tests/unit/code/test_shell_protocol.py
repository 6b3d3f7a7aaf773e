"""What slot and terminal say to each other is read as it was written, and nothing else is read at all."""

from __future__ import annotations

from typing import Any

import pytest

from processors.code.languages import SHELL_LANGUAGES, shell_phase
from processors.code.reading import BadDocument
from processors.code.shell_protocol import Shell, ShellEnded, Size
from processors.code.verdict import Verdict

MIB = 1 << 20
SHELL = Shell(shell_phase("python", memory_bytes=64 * MIB, seconds=60, terminal="xterm"), Size(50, 132))


@pytest.mark.parametrize("language", SHELL_LANGUAGES)
def test_a_shell_is_read_as_it_was_written(language: Any) -> None:
    shell = Shell(shell_phase(language, memory_bytes=64 * MIB, seconds=60, terminal="xterm"), Size(50, 132))
    assert Shell.read(shell.document()) == shell


def test_an_end_is_read_as_it_was_written() -> None:
    ended = ShellEnded(Verdict.MEMORY_LIMIT, "Too much.", signal=9)
    assert ShellEnded.read(ended.document()) == ended


@pytest.mark.parametrize(
    "change",
    [
        {"type": "job"},
        {"protocol": 2},
        {"run": None},
        {"size": None},
        {"size": {"type": "size", "rows": 0, "columns": 80}},
        {"size": {"type": "size", "rows": 24, "columns": 1 << 20}},
    ],
)
def test_a_shell_that_is_none_is_not_read(change: dict[str, Any]) -> None:
    with pytest.raises(BadDocument):
        Shell.read({**SHELL.document(), **change})


def test_an_end_with_a_word_that_is_no_verdict_is_not_read() -> None:
    with pytest.raises(BadDocument):
        ShellEnded.read({**ShellEnded(Verdict.OK, "Well.").document(), "verdict": "FINE"})
