"""The presets that ship make sense, and a wrong one of the user's is named."""

from __future__ import annotations

import re
from typing import Any

import pytest
from rich.console import Console

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.presets import checked
from pitchey_cli.reports import presets as reports
from processors.specs.media import PRESET_NAME, Preset
from processors.specs.presets import PRESETS

LOSSLESS = {"flac", "pcm"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_that_ships_has_a_name_a_purpose_and_a_rate_unless_it_is_lossless(name: str) -> None:
    preset = PRESETS[name]
    assert PRESET_NAME.fullmatch(name) and preset.description.endswith(".")
    assert (preset.rate_of(2) is None) == (preset.audio_codec in LOSSLESS)
    assert preset.bit_depth is None or preset.audio_codec in LOSSLESS


@pytest.mark.parametrize(
    ("name", "loudness", "peak"),
    [("podcast", -16, -1), ("podcast-mono", -19, -1), ("ebu", -23, -1), ("music", -14, -1)],
)
def test_loudness_is_that_of_its_source(name: str, loudness: float, peak: float) -> None:
    assert (PRESETS[name].loudness, PRESETS[name].true_peak) == (loudness, peak)


def test_one_channel_has_half_of_the_rate_of_two() -> None:
    assert [PRESETS["podcast"].rate_of(channels) for channels in (1, 2, 6)] == [64_000, 128_000, 384_000]


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ({"voice": {"format": "mp4"}}, "config.toml: media.presets.voice: format 'mp4' is not one of mp3, m4a, ogg"),
        ({"voice": {}}, "config.toml: media.presets.voice: A preset needs the field 'format'."),
        ({"voice": {"format": "mp3", "lufs": -16}}, "media.presets.voice: A preset has no field 'lufs'."),
        ({"voice": {"format": "mp3", "bitrate": "loud"}}, "media.presets.voice: bitrate 'loud' has the wrong form."),
        ({"voice": {"format": "mp3", "loudness": 3}}, "media.presets.voice: loudness 3 does not fit"),
        ({"My Voice": {"format": "mp3"}}, "config.toml: media.presets.My Voice: a preset's name has small letters"),
        ({"voice": 3}, "config.toml: media.presets.voice 3 is no table."),
    ],
)
def test_a_wrong_preset_of_the_users_is_named_with_its_file_and_key(tables: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        checked(tables, where="config.toml: media.presets")


def test_both_spellings_are_taken() -> None:
    one = {"format": "mp3", "sample_rate": 44100, "true_peak": -2}
    two = {"format": "mp3", "sampleRate": 44100, "truePeak": -2}
    found = checked({"one": one, "two": two}, where="")
    assert found["one"] == found["two"]


def test_the_table_says_where_each_is_from_once_there_are_own_ones() -> None:
    own = {"voice": Preset.model_validate({"format": "ogg", "codec": "opus", "bitrate": "48k", "channels": "mono"})}
    assert "settings" not in _printed({})
    lines = {line.split()[0]: line for line in _printed(own).splitlines()}
    assert re.split(r"  +", lines["voice"].strip()) == ["voice", "ogg (opus)", "24k", "mono", "settings"]
    assert lines["podcast"].rstrip().endswith("pitchey") and "-16 LUFS, -1 dBTP" in lines["podcast"]
    assert "24 bit" in lines["ebu"]


def test_one_of_the_users_goes_before_one_that_ships() -> None:
    own = {"mp3": Preset.model_validate({"format": "mp3", "bitrate": "64k"})}
    (found,) = (each for each in reports.as_json(PRESETS, own) if each["name"] == "mp3")
    assert (found["from"], found["bitrate"], found["codec"]) == ("settings", "64k", "mp3")


def _printed(own: dict[str, Preset]) -> str:
    console = Console(width=140, no_color=True)
    with console.capture() as said:
        console.print(reports.table(PRESETS, own))
    return said.get()
