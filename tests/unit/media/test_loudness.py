"""How loud a sound is, and what is done about it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.loudness import (
    MOST_GAIN,
    MOST_LIMITED,
    Measured,
    Setting,
    corrected,
    first_setting,
    integrated,
    pooled,
)

levels = st.lists(st.floats(-69, 0), min_size=1, max_size=50)


def sound(level: float = -30.0, peak: float = -12.0) -> Measured:
    return Measured([level] * 40, 3.0, peak)


@given(levels, st.floats(-10, 10))
def test_gain_moves_loudness_by_as_much(blocks: list[float], gain: float) -> None:
    raised = [block + gain for block in blocks if block + gain > -69]
    if len(raised) == len(blocks):
        before, after = integrated(blocks), integrated(raised)
        assert before is not None
        assert after == pytest.approx(before + gain, abs=1e-6)


@given(levels)
def test_silence_around_a_sound_does_not_count(blocks: list[float]) -> None:
    assert integrated([-120.7] * 30 + blocks + [-math.inf] * 30) == integrated(blocks)


def test_what_is_far_below_the_rest_does_not_count() -> None:
    assert integrated([-20.0] * 10 + [-45.0] * 10) == pytest.approx(-20)


def test_silence_has_no_loudness() -> None:
    assert integrated([-120.7] * 100) is None
    assert Measured([-120.7] * 100, 0, None).method == "silent"


def test_silence_is_left_as_it_is_and_that_is_said() -> None:
    found = first_setting(Measured([-120.7] * 100, 0, None), -16, -1, is_lossless=True)
    assert (found.gain, found.ceiling) == (0, None)
    assert "silent" in found.note


def test_what_stays_below_the_peak_is_not_limited() -> None:
    found = first_setting(sound(-30, -25), -16, -1, is_lossless=True)
    assert found == Setting(gain=pytest.approx(14))


def test_peaks_above_what_is_asked_for_are_limited() -> None:
    found = first_setting(sound(-30, -12), -16, -1, is_lossless=True)
    assert 14 < found.gain < 15  # a limiter takes some of it
    assert found.ceiling is not None and -1.5 < found.ceiling < -1
    assert found.limited == pytest.approx(-12 + found.gain - found.ceiling)


@given(st.floats(-69, -5), st.floats(-60, 3), st.floats(-30, -10), st.floats(-3, 0))
def test_no_sound_is_crushed_and_no_noise_raised_without_end(
    level: float, peak: float, target: float, true_peak: float
) -> None:
    found = first_setting(sound(level, peak), target, true_peak, is_lossless=False)
    assert found.gain <= MOST_GAIN
    assert found.limited <= MOST_LIMITED + 1e-9
    if found.gain < target - level - 1e-6:
        assert found.is_given_up
    assert found.is_given_up == found.note.startswith("The target is not met")


def test_what_is_given_up_is_not_corrected_whatever_the_sentence_for_it_is() -> None:
    source = sound(-60, -30)
    before = replace(first_setting(source, -16, -1, is_lossless=True), note="Anything.")
    assert corrected(before, source, sound(-20, -5), target=-16, true_peak=-1, own_peak=-5) is None


def test_what_was_met_is_not_made_again() -> None:
    source, before = sound(-30, -25), Setting(gain=14)
    made = sound(-16.1, -11)
    assert corrected(before, source, made, target=-16, true_peak=-1, own_peak=made.true_peak) is None


def test_a_limiter_that_has_taken_loudness_is_given_more_than_is_missing() -> None:
    source = sound(-30, -12)
    before = first_setting(source, -14, -1, is_lossless=True)
    after = corrected(before, source, sound(-15, -1.1), target=-14, true_peak=-1, own_peak=-1.1)
    assert after is not None
    assert after.gain > before.gain + 1
    assert after.ceiling == before.ceiling


def test_a_peak_that_an_encoder_has_raised_lowers_the_ceiling_by_as_much() -> None:
    source = sound(-30, -12)
    before = first_setting(source, -16, -1, is_lossless=False)
    after = corrected(before, source, sound(-16, -0.4), target=-16, true_peak=-1, own_peak=-0.4)
    assert after is not None and before.ceiling is not None and after.ceiling is not None
    assert before.ceiling - after.ceiling >= 0.6


def test_an_album_keeps_its_one_gain_when_one_track_is_too_loud() -> None:
    source = sound(-30, -12)
    before = first_setting(source, -16, -1, is_lossless=False)
    after = corrected(before, source, sound(-16.2, -1), target=-16, true_peak=-1, own_peak=-0.5, is_album=True)
    assert after is not None
    assert after.gain == before.gain


def test_an_album_is_as_loud_as_all_of_it() -> None:
    found = pooled([sound(-20, -3), sound(-26, -9)])
    assert found.integrated == pytest.approx(10 * math.log10((10**-2.0 + 10**-2.6) / 2))
    assert found.true_peak == -3
