"""Settings come from defaults, the file and the environment, in that order, and a wrong one is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli import settings
from pitchey_cli.domain.errors import InputNotFound, UsageError


def _load(tmp_path: Path, text: str = "", **environment: str) -> settings.Loaded:
    file = tmp_path / "config.toml"
    file.write_text(text)
    return settings.load({"PITCHEY_CONFIG": str(file), **environment})


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    text = "[services.video]\nslots = 5\nsleep_after_seconds = 7\n"
    loaded = _load(tmp_path, text, PITCHEY_SERVICES_VIDEO_SLOTS="9")
    video = loaded.settings.services.video
    assert (video.slots, video.sleep_after_seconds, video.price_per_hour) == (9, 7.0, 0.144)
    assert loaded.sources == {
        "services.video.slots": "PITCHEY_SERVICES_VIDEO_SLOTS",
        "services.video.sleep_after_seconds": "file",
    }


def test_every_setting_has_a_variable_of_its_own_and_says_what_it_does() -> None:
    entries = settings.entries().values()
    assert len({entry.variable for entry in entries}) == len(entries)
    assert all(entry.doc for entry in entries)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[services.video]\nslot = 5\n", "Did you mean 'services.video.slots'?"),
        ("[services.video]\nslots = 'many'\n", "takes a whole number, not 'many'"),
        ("[services.video]\nslots = 1.5\n", "takes a whole number, not 1.5"),
        ("[services.video]\nslots = 0\n", "at least 1 and at most 64, not 0"),
        ("[services.video]\nslots = true\n", "takes a whole number, not True"),
        ("[services.video]\nmin_instances = 9\n", "min_instances is larger than max_instances"),
        ("[engine]\nkind = 'dokcer'\n", "is one of auto, docker, podman, process, not 'dokcer'"),
        ("[daemon]\npoll_seconds = nan\n", "not nan"),
        ("[engine\n", "is not TOML"),
    ],
)
def test_a_wrong_setting_is_refused_with_its_name(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        _load(tmp_path, text)
    assert says in f"{caught.value} {caught.value.hint}"


def test_a_settings_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match="PITCHEY_CONFIG"):
        settings.load({"PITCHEY_CONFIG": str(tmp_path / "none.toml")})
