"""Texts of a WebVTT file, cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.cut import Cut
from processors.video.cues import Cue, clipped, cues

DOCUMENT = """WEBVTT

00:01.000 --> 00:03.000 align:left
one
line

name
01:00:00.500 --> 01:00:02.000
two
"""


def test_cues_are_read_with_hours_settings_and_names() -> None:
    assert list(cues(DOCUMENT)) == [
        Cue(1.0, 3.0, " align:left", "one\nline"),
        Cue(3600.5, 3602.0, "", "two"),
    ]


def test_what_began_before_the_cut_is_shown_from_its_beginning() -> None:
    assert list(cues(clipped(DOCUMENT, Cut(2.0, 12.0)))) == [Cue(0.0, 1.0, " align:left", "one\nline")]
    assert clipped(DOCUMENT, Cut(4.0, 14.0)) == "WEBVTT\n"


@given(st.integers(0, 5000), st.none() | st.integers(1, 5000))
def test_no_text_is_outside_of_its_part(start: int, seconds: int | None) -> None:
    for cue in cues(clipped(DOCUMENT, Cut(float(start), None if seconds is None else float(start + seconds)))):
        assert 0 <= cue.start < cue.end
        assert seconds is None or cue.end <= seconds
