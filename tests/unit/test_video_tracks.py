"""Which sounds and subtitles are meant, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.languages import is_same
from processors.ffmpeg.streams import Audio, Probe, Subtitle
from processors.ffmpeg.tasks import Source
from processors.specs import VideoSpec
from processors.video.encoding import Wanted
from processors.video.sounds import sound_options, sounds
from processors.video.soundtrack import extraction
from processors.video.subtitles import captions, charset
from processors.worker.context import Rejected

ENGLISH = Audio(1, "aac", language="eng")
FRENCH = Audio(2, "aac", language="fre", title="Doublage", is_default=True)
SILENT_LANGUAGE = Audio(3, "aac")
TEXT = Subtitle(4, "subrip", language="deu")
PICTURES = Subtitle(5, "hdmv_pgs_subtitle", language="eng", title="SDH", is_text=False)
FILM = Probe("matroska,webm", True, 10.0, 1, None, [], [ENGLISH, FRENCH, SILENT_LANGUAGE], [TEXT, PICTURES])


def asked(**fields: Any) -> VideoSpec:
    return VideoSpec.model_validate({"inputUrl": "a.mkv", **fields})


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (None, [FRENCH]),
        (["all"], [ENGLISH, FRENCH, SILENT_LANGUAGE]),
        (["none"], []),
        (["3", "1"], [SILENT_LANGUAGE, ENGLISH]),
        (["fr"], [FRENCH]),
        (["fra", "2"], [FRENCH]),
        (["EN", "all"], [ENGLISH, FRENCH, SILENT_LANGUAGE]),
    ],
)
def test_tracks_are_named_by_number_or_language(wanted: list[str] | None, found: list[Audio]) -> None:
    assert sounds(asked(audioTracks=wanted), FILM, "a.mkv") == found


@pytest.mark.parametrize("wanted", ["0", "4", "es"])
def test_a_track_that_is_not_there_is_named_with_those_that_are(wanted: str) -> None:
    with pytest.raises(Rejected, match=f"a.mkv has no sound track {wanted}") as caught:
        sounds(asked(audioTracks=[wanted]), FILM, "a.mkv")
    assert caught.value.hint == "It has 1 (eng), 2 (fre), 3 (no language)."


def test_a_player_finds_a_default_among_what_is_left() -> None:
    assert sound_options(asked(), [ENGLISH, SILENT_LANGUAGE], "aac", {})["disposition:a:0"] == "+default"
    made = sound_options(asked(), [ENGLISH, FRENCH], "aac", {})
    assert (made["disposition:a:0"], made["disposition:a:1"]) == ("-default", "+default")


def test_a_gain_comes_before_the_layout() -> None:
    options = sound_options(asked(), [ENGLISH, FRENCH], "aac", {2: "volume=3dB"})
    assert options["filter:a:1"].startswith("volume=3dB,aformat=")
    assert options["filter:a:0"].startswith("aformat=")


@given(st.sampled_from(["fr fra fre", "de deu ger", "zh zho chi", "en eng"]).map(str.split))
def test_the_codes_of_a_language_are_one(codes: list[str]) -> None:
    assert all(is_same(one, other.upper()) for one in codes for other in codes)
    assert not any(is_same(code, "jpn") for code in codes)
    assert is_same("pt-BR", "por")


def test_pictures_are_left_out_with_a_word_and_text_is_kept() -> None:
    found = captions(asked(), FILM, "a.mkv")
    assert (found.kept, found.tracks) == ([TEXT], 1)
    assert found.notes == ["Subtitle track 2 (eng, SDH) was left out: it is pictures, and only text can be kept."]


def test_both_text_and_pictures_can_be_burnt_in() -> None:
    assert captions(asked(subtitles="burn"), FILM, "a.mkv").has_burnt_text
    found = captions(asked(subtitles="burn", subtitleTrack=2), FILM, "a.mkv")
    assert (found.burnt, found.has_burnt_text) == (PICTURES, False)
    with pytest.raises(Rejected, match=r"no subtitle track 3 to burn in") as caught:
        captions(asked(subtitles="burn", subtitleTrack=3), FILM, "a.mkv")
    assert caught.value.hint == "It has 1 (deu), 2 (eng, SDH)."


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"plain", None),
        ("Grüße".encode(), None),
        ("Grüße aus Köln".encode("cp1252"), "CP1252"),
        ("Un caf\u00e9".encode("cp1252"), "CP1252"),
        ("Un caf\u00e9\n".encode("cp1252"), "CP1252"),
        ("Grüße".encode("utf-16"), None),
    ],
)
def test_the_encoding_of_subtitles_is_found(data: bytes, found: str | None) -> None:
    assert charset(data) == found


@pytest.mark.parametrize(("container", "codec", "most"), [("webm", "libopus", 256_000), ("mp4", "aac", 288_000)])
def test_no_encoder_is_told_a_rate_that_it_refuses(container: str, codec: str, most: int) -> None:
    mono = Audio(1, "aac", channels=1, layout="mono")
    options = sound_options(asked(outputFormat=container, audioBitrate="512k"), [mono], codec, {})
    assert options["b:a:0"] == most


def test_sounds_of_all_sizes_and_for_all_players_have_their_headers() -> None:
    def argv(audio_format: str) -> str:
        spec, source = asked(outputFormat="audio", audioFormat=audio_format), Source(Path("/in/a.mkv"), "a.mkv", FILM)
        return " ".join(extraction(spec, source, Wanted(sounds=[ENGLISH]))[0])

    assert "-rf64 auto" in argv("wav")
    assert "-id3v2_version 3" in argv("mp3")
    assert "-movflags +faststart" in argv("m4a")
