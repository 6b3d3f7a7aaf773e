"""Lines out of bytes, whatever the pieces in which they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.worker.lines import CUT_MARK, LineSplitter


def split(pieces: list[bytes], limit: int = 100) -> list[str]:
    lines: list[str] = []
    splitter = LineSplitter(lines.append, limit)
    for piece in pieces:
        splitter.feed(piece)
    splitter.close()
    return lines


def test_a_last_line_without_a_newline_is_a_line() -> None:
    assert split([b"one\r\ntw", b"o\n\nthree"]) == ["one", "two", "", "three"]


def test_bytes_that_are_no_utf8_do_not_stop_the_log() -> None:
    assert split([b"caf\xe9\n"]) == ["caf\ufffd"]


def test_a_line_that_is_too_long_keeps_its_beginning_and_says_so() -> None:
    assert split([b"abcdef", b"ghi", b"jkl\nnext\n"], limit=4) == ["abcd" + CUT_MARK, "next"]


@given(st.lists(st.text("ab\n", max_size=30)))
def test_the_pieces_do_not_matter(pieces: list[str]) -> None:
    encoded = [piece.encode() for piece in pieces]
    assert split(encoded, limit=5) == split([b"".join(encoded)], limit=5)
