"""Frames: whatever pieces they come in, and whatever comes instead of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.code.frames import (
    CAPS,
    DOCUMENT,
    HEADER,
    RAW,
    BadFrame,
    Frame,
    FrameDecoder,
    encode_document,
    encode_raw,
)
from processors.code.pipes import Ended, FrameReader, Stalled, write_all

TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
DOCUMENTS = st.dictionaries(TEXTS, st.none() | st.integers() | TEXTS | st.lists(TEXTS, max_size=3), max_size=5)


def decoded(data: bytes, cuts: list[int]) -> list[Frame]:
    decoder = FrameDecoder()
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    frames = [frame for start, end in itertools.pairwise(edges) for frame in decoder.feed(data[start:end])]
    assert decoder.is_between_frames
    return frames


@given(DOCUMENTS, st.binary(max_size=300), st.lists(st.integers(0, 1 << 16), max_size=8))
def test_what_was_sent_is_read_however_it_is_cut(document: dict[str, Any], data: bytes, cuts: list[int]) -> None:
    sent = encode_document(document) + b"".join(encode_raw(data)) + encode_document({})
    frames = decoded(sent, cuts)
    assert frames[0].document() == document
    assert b"".join(frame.body for frame in frames if frame.kind == RAW) == data
    assert frames[-1].document() == {}


def test_many_bytes_go_into_many_frames() -> None:
    data = os.urandom(3 * CAPS[RAW] + 1)
    frames = decoded(b"".join(encode_raw(data)), [])
    assert [len(frame.body) for frame in frames] == [CAPS[RAW]] * 3 + [1]
    assert b"".join(frame.body for frame in frames) == data


@pytest.mark.parametrize("kind", [DOCUMENT, RAW])
def test_a_length_above_the_cap_is_refused_before_a_byte_of_it_has_come(kind: int) -> None:
    with pytest.raises(BadFrame, match="at most"):
        list(FrameDecoder().feed(HEADER.pack(kind, CAPS[kind] + 1)))
    with pytest.raises(BadFrame, match="at most"):
        encode_document({"a": "x" * CAPS[DOCUMENT]})


def test_a_frame_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(BadFrame, match="unknown kind"):
        list(FrameDecoder().feed(b"HTTP/1.1 400"))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"1", b"nul", b"\xff", b"{" * 90_000, b"[" * 90_000, b'{"a":' + b"9" * 5000 + b"}"]
)
def test_a_document_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(BadFrame):
        Frame(DOCUMENT, body).document()
    with pytest.raises(BadFrame, match="bytes"):
        Frame(RAW, b"{}").document()


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error_that_is_ours(data: bytes) -> None:
    with contextlib.suppress(BadFrame):
        for frame in FrameDecoder().feed(data):
            assert len(frame.body) <= CAPS[frame.kind]
            with contextlib.suppress(BadFrame):
                json.dumps(frame.document())


@given(st.binary(max_size=200))
def test_the_reader_of_a_descriptor_and_the_decoder_see_the_same(data: bytes) -> None:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    reader = FrameReader(reading, time.monotonic() + 10)
    one: list[Frame] = []
    other: list[Frame] = []
    with contextlib.suppress(BadFrame, Ended):
        while True:
            one.append(reader.read())
    with contextlib.suppress(BadFrame):
        other.extend(FrameDecoder().feed(data))
    os.close(reading)
    assert one == other


def test_the_reader_leaves_what_follows_for_whoever_comes_next() -> None:
    reading, writing = os.pipe()
    os.write(writing, encode_document({"a": 1}) + b"rest")
    assert FrameReader(reading).read().document() == {"a": 1}
    assert os.read(reading, 10) == b"rest"


def test_nobody_is_waited_for_without_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, HEADER.pack(RAW, 10) + b"half")
    with pytest.raises(Stalled):
        FrameReader(reading, time.monotonic() + 0.05).read()
    with pytest.raises(Stalled):
        write_all(writing, bytes(1 << 20), time.monotonic() + 0.05)
    os.close(reading)
    with pytest.raises(Ended):
        write_all(writing, b"x", time.monotonic() + 10)
