"""What presets and settings make of a source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.sound_codecs import CODECS, bounded_bitrate, nearest_rate
from processors.ffmpeg.streams import Audio
from processors.media.wanted import Encode, left_out, settle
from processors.media.work import _prefixes
from processors.specs import MediaSpec
from processors.worker.context import Rejected

STEREO = Audio(index=0, codec="flac", channels=2, layout="stereo", sample_rate=44100, bit_depth=16)
MP3 = Audio(index=0, codec="mp3", channels=2, layout="stereo", sample_rate=44100)
SURROUND = replace(STEREO, channels=6, layout="5.1", sample_rate=48000)


def one(source: Audio, preset: str, *, bitrate: int | None = None, **spec: Any) -> Encode:
    asked = MediaSpec.model_validate({"inputMedia": "a", "outputPresets": [preset]} | spec)
    (made,) = settle(asked, source, source_bitrate=bitrate).encodes
    return made


def rates(source: Audio, bitrate: int | None, **spec: Any) -> list[int | None]:
    asked = MediaSpec.model_validate({"inputMedia": "a", "outputPresets": ["hls-audio"]} | spec)
    return [rung.bitrate for rung in settle(asked, source, source_bitrate=bitrate).rungs]


def test_the_rate_of_the_source_is_kept_unless_a_codec_has_none_such() -> None:
    assert one(STEREO, "mp3").sample_rate == 44100
    assert one(STEREO, "opus").sample_rate == 48000
    high = replace(STEREO, sample_rate=96000, bit_depth=24)
    assert (one(high, "mp3").sample_rate, one(high, "flac").sample_rate) == (48000, 96000)
    assert (one(high, "flac").bit_depth, one(high, "wav").bit_depth, one(STEREO, "flac").bit_depth) == (24, 24, 16)


def test_one_channel_has_half_the_rate_of_two() -> None:
    mono = replace(STEREO, channels=1, layout="mono")
    assert (one(STEREO, "mp3").bitrate, one(mono, "mp3").bitrate) == (192_000, 96_000)
    assert one(mono, "mp3", audioSettings={"bitrate": "128k"}).bitrate == 128_000


def test_surround_sound_is_mixed_down_for_what_cannot_hold_it() -> None:
    assert (one(SURROUND, "mp3").channels, one(SURROUND, "aac").channels) == (2, 6)
    assert one(SURROUND, "aac").bitrate == 480_000


@pytest.mark.parametrize(
    ("source", "bitrate", "preset", "spec", "is_copy"),
    [
        (MP3, 192_000, "mp3", {}, True),
        (MP3, 320_000, "mp3", {}, False),
        (MP3, None, "mp3", {}, False),
        (MP3, 128_000, "mp3", {"start": 1}, False),
        (MP3, 128_000, "mp3", {"trimSilence": True}, False),
        (MP3, 128_000, "mp3", {"denoise": {}}, False),
        (MP3, 128_000, "mp3", {"audioSettings": {"sampleRate": 22050}}, False),
        (MP3, 128_000, "mp3", {"audioSettings": {"channels": "mono"}}, False),
        (MP3, 128_000, "mp3", {"loudness": {"target": -16}}, False),
        (MP3, 128_000, "mp3", {"tags": {"title": "x"}}, True),
        (MP3, 128_000, "podcast", {}, False),
        (MP3, 128_000, "aac", {}, False),
        (STEREO, None, "flac", {}, True),
        (replace(STEREO, codec="pcm_s16le"), None, "wav", {}, True),
        (replace(STEREO, codec="pcm_s16be"), None, "wav", {}, False),
    ],
)
def test_what_need_not_change_is_copied(
    source: Audio, bitrate: int | None, preset: str, spec: dict[str, Any], is_copy: bool
) -> None:
    assert one(source, preset, bitrate=bitrate, **spec).is_copy is is_copy


def test_a_stream_has_no_rate_above_its_source() -> None:
    assert rates(STEREO, 700_000) == [192_000, 128_000, 64_000]
    assert rates(MP3, 130_000) == [130_000, 64_000]
    assert rates(MP3, 48_000) == [48_000]
    assert rates(STEREO, None, audioSettings={"channels": "mono"}) == [96_000, 64_000, 32_000]


def test_the_best_rung_of_a_lossy_source_has_all_that_it_holds() -> None:
    assert rates(MP3, 119_077) == [119_000, 64_000]
    assert rates(MP3, 170_000) == [170_000, 128_000, 64_000]
    assert rates(MP3, 320_000) == [192_000, 128_000, 64_000]
    assert rates(STEREO, None, audioSettings={"bitrate": "100k"}) == [100_000, 64_000]


def test_a_stream_and_its_twin_share_their_renditions() -> None:
    asked = MediaSpec.model_validate({"inputMedia": "a", "outputPresets": ["hls-audio", "dash-audio"]})
    found = settle(asked, STEREO, source_bitrate=None)
    assert found.formats == {"hls", "dash"} and len(found.rungs) == 3


def test_a_user_has_presets_of_their_own() -> None:
    own = {"mine": {"format": "ogg", "codec": "opus", "bitrate": "96k", "loudness": -18}}
    made = one(STEREO, "mine", presets=own)
    assert (made.name, made.codec, made.bitrate, made.target) == ("mine.ogg", "opus", 96_000, -18)


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(Rejected, match="no preset podcats"):
        one(STEREO, "podcats")
    with pytest.raises(Rejected, match="opus does not go into mp3"):
        one(STEREO, "mp3", audioSettings={"codec": "opus"})


@given(st.sampled_from(list(CODECS)), st.integers(8000, 192_000), st.integers(1, 2), st.integers(1000, 10**9))
def test_encoders_are_asked_for_what_they_have(codec: Any, rate: int, channels: int, bitrate: int) -> None:
    found = nearest_rate(codec, rate)
    assert found in CODECS[codec].rates or not CODECS[codec].rates
    assert found >= min(rate, CODECS[codec].highest_rate)
    once = bounded_bitrate(codec, bitrate, channels, found)
    assert bounded_bitrate(codec, once, channels, found) == once


def test_a_stream_has_aac_and_nothing_that_knows_no_rates() -> None:
    with pytest.raises(Rejected) as refused:
        rates(STEREO, None, audioSettings={"codec": "flac"})
    assert refused.value.code == "codec_misfit" and "flac" in refused.value.message


def test_what_says_stereo_has_two_channels_and_what_says_nothing_keeps_one() -> None:
    mono = replace(STEREO, channels=1, layout="mono")
    assert (one(mono, "podcast").channels, one(mono, "podcast").bitrate) == (2, 128_000)
    assert (one(mono, "mp3").channels, one(mono, "podcast-mono").channels) == (1, 1)


@pytest.mark.parametrize(
    ("names", "prefixes"),
    [
        (["song.flac"], [""]),
        (["loud.wav", "quiet.wav"], ["loud-", "quiet-"]),
        (["a.wav", "a.flac", "side b/a.flac"], ["a.wav-", "a.flac-", "side b/a.flac-"]),
        (["a.wav", "a.wav", "b.wav"], ["track-1-", "track-2-", "b-"]),
        (["get?x=\u202e", "b.wav", "c" * 250], ["track-1-", "b-", "track-3-"]),
    ],
)
def test_all_files_of_an_album_are_called_after_their_own(names: list[str], prefixes: list[str]) -> None:
    assert _prefixes(names) == prefixes


def test_what_has_no_place_in_a_format_is_said() -> None:
    def notes(*presets: str, **spec: Any) -> list[str]:
        return left_out(MediaSpec.model_validate({"inputMedia": "a", "outputPresets": presets} | spec))

    everything = {"tags": {"title": "x"}, "coverUrl": "c.png", "chapters": [{"start": 0, "title": "x"}]}
    assert notes("mp3", "wav", "hls-audio") == notes("mp3", "opus", "aac", "ogg", "flac", **everything) == []
    wav, stream = notes("wav", "mp3", "hls-audio", **everything)
    assert wav.startswith("wav was made without a cover and chapters") and "chapters.json" in wav
    assert stream.startswith("hls-audio was made without tags and a cover and chapters")
    assert notes("dash-audio", "mp3", tags={"title": "x"})[0].startswith("dash-audio was made without tags:")
