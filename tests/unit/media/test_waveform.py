"""Waveforms as numbers and as a picture."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.media.waveform import Waveform, document, picture, samples_per_pixel


def test_numbers_have_eight_bits_and_come_in_pairs() -> None:
    found = json.loads(document(Waveform(44100, 512, [-1.0, -0.5, 0.0], [1.0, 0.25, 0.0])))
    assert found["data"] == [-127, 127, -64, 32, 0, 0]
    assert (found["version"], found["length"], found["bits"], found["samples_per_pixel"]) == (2, 3, 8, 512)


@given(st.floats(0.001, 400_000), st.integers(8000, 192_000))
def test_no_recording_has_a_large_waveform(seconds: float, rate: int) -> None:
    assert seconds * rate / samples_per_pixel(seconds, rate) <= 16_384


def test_a_part_is_what_lies_between() -> None:
    wave = Waveform(1000, 100, list(range(0, -10, -1)), list(range(10)))
    assert wave.between(0.2, 0.5).highs == [2, 3, 4]
    assert wave.between(0.2, None).highs == list(range(2, 10))


@pytest.mark.parametrize("count", [0, 1, 50, 5000])
def test_a_picture_is_drawn_of_any_number_of_peaks(count: int) -> None:
    data = picture(Waveform(8000, 256, [-2.0] * count, [0.5] * count))
    assert data.startswith(b"\x89PNG") and struct.unpack(">II", data[16:24]) == (1800, 280)
