"""What of a media job does not fit its presets is said in one sentence, before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from processors.specs import MediaSpec
from processors.specs.media_needs import problem_of
from processors.specs.presets import PRESETS

ALBUM = {"b.flac": "b.flac"}


def problem(presets: str, fields: dict[str, Any]) -> str:
    names = presets.split(",")
    spec = MediaSpec.model_validate({"inputMedia": "a", "outputPresets": names, **fields})
    found = problem_of(spec, {name: PRESETS[name] for name in names})
    return "" if found is None else f"{found.message} {found.hint}"


@pytest.mark.parametrize(
    ("presets", "fields", "says"),
    [
        (
            "mp3",
            {"audioSettings": {"codec": "opus"}},
            "The codec opus does not go into mp3, which the preset mp3 makes.",
        ),
        ("mp3,ogg", {"audioSettings": {"codec": "opus"}}, "The codec opus does not go into mp3"),
        ("hls-audio", {"audioSettings": {"codec": "flac"}}, "A stream has AAC at several rates, and not flac"),
        ("hls-audio", {"album": ALBUM}, "A stream is made of one file, and not of an album. Give each file"),
        ("mp3", {"loudness": {"album": True}, "album": ALBUM}, "One gain for an album needs a loudness"),
        ("mp3", {"loudness": {"truePeak": -3}}, "A true peak is kept with a loudness to bring the sound to."),
        ("mp3", {"loudness": {"album": True, "target": -16}}, "loudness.album is one gain for several files, and this"),
        ("flac,wav", {"audioSettings": {"bitrate": "96k"}}, "audioSettings.bitrate is of sound that is made smaller"),
        (
            "aac",
            {"audioSettings": {"codec": "flac", "bitrate": "96k"}},
            "audioSettings.bitrate is of sound that is made",
        ),
        ("opus", {"audioSettings": {"sampleRate": 44100}}, "audioSettings.sampleRate cannot be had: Opus is always 48"),
        (
            "mp3",
            {"segmentSeconds": 4},
            "segmentSeconds is of streams, and none is made. Leave it out, or add the preset",
        ),
        (
            "hls-audio",
            {"tags": {"title": "x"}},
            "tags have no place in a stream. Leave them out, or add a preset as mp3.",
        ),
        ("wav,dash-audio", {"coverUrl": "a.png"}, "coverUrl names a cover, and these presets have no place for one."),
    ],
)
def test_what_would_mean_nothing_is_refused(presets: str, fields: dict[str, Any], says: str) -> None:
    assert says in problem(presets, fields)


@pytest.mark.parametrize(
    ("presets", "fields"),
    [
        ("mp3,flac", {"audioSettings": {"bitrate": "96k"}}),
        ("opus,flac", {"audioSettings": {"sampleRate": 44100}}),
        ("opus", {"audioSettings": {"sampleRate": 48000}}),
        ("aac", {"audioSettings": {"codec": "flac"}}),
        ("mp3,hls-audio", {"segmentSeconds": 4, "tags": {"title": "x"}, "coverUrl": "a.png"}),
        ("podcast", {"loudness": {"truePeak": -3}}),
        ("podcast", {"loudness": {"album": True}, "album": ALBUM}),
        ("wav", {"tags": {"title": "x"}, "chaptersUrl": "a.json"}),  # which also become a file
    ],
)
def test_what_means_something_for_one_of_the_presets_is_taken(presets: str, fields: dict[str, Any]) -> None:
    assert problem(presets, fields) == ""


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_that_ships_is_made_by_itself(name: str) -> None:
    assert problem(name, {}) == ""
