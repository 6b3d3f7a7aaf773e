"""What an engine puts before each piece of a container's output."""

from __future__ import annotations

import itertools
import struct

from hypothesis import given
from hypothesis import strategies as st

from pitchey_cli.supervisor.pieces import Pieces, Stream

SAID = st.lists(st.tuples(st.sampled_from(list(Stream)), st.binary(max_size=50)), max_size=8)


@given(SAID, st.lists(st.integers(0, 1000), max_size=10))
def test_each_stream_comes_whole_whatever_pieces_it_comes_in(said: list[tuple[Stream, bytes]], cuts: list[int]) -> None:
    sent = b"".join(struct.pack(">B3xI", stream, len(data)) + data for stream, data in said)
    edges = [0, *sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]
    pieces = Pieces()
    got = [piece for start, end in itertools.pairwise(edges) for piece in pieces.feed(sent[start:end])]
    for stream in Stream:
        assert b"".join(piece.data for piece in got if piece.stream == stream) == b"".join(
            data for of, data in said if of == stream
        )


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_whatever_comes_no_more_is_held_than_a_header(pieces_of_anything: list[bytes]) -> None:
    pieces = Pieces()
    for data in pieces_of_anything:
        given_back = sum(len(piece.data) for piece in pieces.feed(data))
        assert given_back <= len(data) + 8
        assert len(pieces._held) < 8
