"""`pitchey presets`: those that ship, and one's own from the settings file."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.conftest import Pitchey

OWN = '[media.presets.voice]\nformat = "opus"\nbitrate = "48k"\nchannels = "mono"\nloudness = -18\n'


@pytest.fixture
def file(pitchey: Pitchey) -> Path:
    """The settings file, with a preset in it."""
    file = Path(pitchey.ok("config", "path").out.strip())
    file.parent.mkdir(parents=True)
    file.write_text(OWN)
    return file


def test_those_that_ship_are_listed(pitchey: Pitchey) -> None:
    names = [line.split()[0] for line in pitchey.ok("presets").lines[2:]]
    assert names[0] == "mp3" and {"podcast", "ebu", "music", "hls-audio", "dash-audio"} <= set(names)
    assert [each["name"] for each in pitchey.ok("presets", "--json").json] == names


def test_ones_own_is_listed_with_them(pitchey: Pitchey, file: Path) -> None:
    (line,) = [line for line in pitchey.ok("presets").lines if line.startswith("voice")]
    assert line.split() == ["voice", "opus", "24k", "mono", "-18", "LUFS", "settings"]
    (voice,) = [each for each in pitchey.ok("presets", "--json").json if each["from"] == "settings"]
    assert (voice["name"], voice["codec"], voice["loudness"]) == ("voice", "opus", -18.0)


def test_it_outlives_a_setting_that_is_changed(pitchey: Pitchey, file: Path) -> None:
    pitchey.ok("config", "set", "services.media.slots", "2")
    pitchey.ok("config", "unset", "services.media.slots")
    assert tomllib.loads(file.read_text())["media"] == tomllib.loads(OWN)["media"]


def test_a_wrong_one_is_named_with_its_file_and_stops_nothing_else(pitchey: Pitchey, file: Path, clip: Path) -> None:
    file.write_text(OWN.replace("opus", "opsu"))
    answer = pitchey("presets")
    assert answer.code == 2 and answer.out == ""
    assert f"{file}: media.presets.voice: format 'opsu' is not one of mp3," in answer.err
    assert "media.presets.voice: format 'opsu'" in pitchey.ok("config", "show").err
    pitchey.ok("submit", "video", clip)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-p", "mp3", "--codec", "opus"), "The codec opus does not go into mp3, which the preset mp3 makes."),
        (("-p", "voice", "--codec", "aac"), "The codec aac does not go into opus, which the preset voice makes."),
        (("-p", "mp3", "--loudness-album", "--loudness-target", "-16"), "loudness.album is one gain for several files"),
    ],
)
def test_what_does_not_fit_a_preset_is_refused_when_it_is_submitted(
    pitchey: Pitchey, file: Path, clip: Path, words: tuple[str, ...], says: str
) -> None:
    answer = pitchey("submit", "media", clip, *words)
    assert answer.code == 2 and says in answer.err


def test_a_preset_whose_codec_does_not_go_into_its_format_is_named(pitchey: Pitchey, file: Path) -> None:
    file.write_text(OWN + 'codec = "aac"\n')
    answer = pitchey("presets")
    assert answer.code == 2 and "media.presets.voice: codec aac does not go into opus, which takes opus." in answer.err


def test_a_preset_that_is_no_table_is_refused(pitchey: Pitchey, file: Path) -> None:
    file.write_text("[media]\npresets = 3\n")
    answer = pitchey("status")
    assert answer.code == 2 and f"{file}: media.presets is a table of tables, not 3." in answer.err
