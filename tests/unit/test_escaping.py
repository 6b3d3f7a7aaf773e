"""What a terminal is shown of what programs have written."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.reports.escaping import coloured, coloured_bytes, escaped

OBEYED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[0-9;:]*m)|\r(?!\n)")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("plain, größer, 語\ttab\nline\r\nline", "plain, größer, 語\ttab\nline\r\nline"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b]52;c;cm0gLXJm\x1b\\", "\\x1b]52;c;cm0gLXJm\\x1b\\"),  # the clipboard
        ("\x1b[2J\x1b[1;1Hgone\x1b[6n", "\\x1b[2J\\x1b[1;1Hgone\\x1b[6n"),
        ("\x9b2Jgone\x85", "\\x9b2Jgone\\x85"),
        ("100 %\rOK", "100 %\\x0dOK"),
        ("a\b\bb\x7f\0", "a\\x08\\x08b\\x7f\\x00"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[1;38:5:9mred\x1b[m", "\x1b[1;38:5:9mred\x1b[m"),
        ("\x1b[8mhidden", "\x1b[8mhidden\x1b[0m"),
        ("\x1b[?25l\x1b[3 q\x1b[>4;2m", "\\x1b[?25l\\x1b[3 q\\x1b[>4;2m"),
        ("\x1b\x1b[31m\x1b[0m", "\\x1b\x1b[31m\x1b[0m"),
    ],
)
def test_a_terminal_gets_colours_which_end_and_is_shown_all_else_that_it_would_obey(said: str, shown: str) -> None:
    assert coloured(said) == shown
    assert coloured_bytes(said.encode()) == shown.encode()


def test_what_has_no_colours_of_its_own_gets_none() -> None:
    assert escaped("a\x1b[31mb.txt\r\n") == "a\\x1b[31mb.txt\r\n"


def test_bytes_that_are_no_text_stay_unless_a_terminal_would_obey_them() -> None:
    assert coloured_bytes(b"\xff\xe9 \xc3\xa9") == b"\xff\xe9 \xc3\xa9"
    assert coloured_bytes(b"\x9b2J \xc2\x9b2J \xc2") == b"\\x9b2J \\x9b2J \xc2"


@given(st.text())
def test_nothing_is_left_that_a_terminal_would_obey(text: str) -> None:
    assert not OBEYED.search(coloured(text))
    assert not OBEYED.search(escaped(text)) and "\x1b" not in escaped(text)


@given(st.binary())
def test_no_byte_is_left_that_a_terminal_would_obey(data: bytes) -> None:
    shown = coloured_bytes(data).decode("utf-8", "surrogateescape")
    assert not OBEYED.search(shown)
    assert not any("\udc80" <= char <= "\udc9f" for char in shown)
