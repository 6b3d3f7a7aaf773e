"""Settings that are more than a number: what means nothing is refused before it is written, and told of where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli import settings
from tests.conftest import Pitchey

#: text that may be anything; of each other one the command line knows what it means
_ANY_TEXT = {"state_dir", "engine.url", "engine.ca_bundle", "node.region", "sign_on.audience"}
_ANY_TEXT |= {
    "s3.access_key",
    "s3.secret_key",
    "s3.session_token",
    "s3.ca_bundle",
    "api.tls_cert",
    "api.tls_key",
    "engine.network",
}
_MEANING = sorted(
    key for key, entry in settings.entries().items() if entry.type is str and not entry.choices and key not in _ANY_TEXT
)
_FIRST_OF_EACH = [key for key in _MEANING if not key.startswith("services.") or key.startswith("services.code.")]


@pytest.mark.parametrize("key", _FIRST_OF_EACH)
def test_a_text_that_means_nothing_is_refused_and_not_written(pitchey: Pitchey, key: str) -> None:
    before = pitchey.ok("config", "show", "--json").out
    answer = pitchey("config", "set", key, "a?b")
    assert answer.code == 2 and key in answer.err and "a?b" in answer.err
    assert pitchey.ok("config", "show", "--json").out == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("services.video.scaling.warm_hours", "1@25:00-26:00"),
        ("alerts.rules", "foo=3"),
        ("alerts.rules", "queue_wait=abc"),
        ("cost.rates", "x=1"),
        ("cost.hours", "22:00-06:00=abc"),
        ("cost.regions", "eu"),
        ("cost.timezone", "Mars"),
        ("cost.spot", "abc"),
        ("queue.weights", "acme"),
        ("node.spot_notice", "aww"),
        ("node.spot_notice", "aws"),  # node.is_spot is false
        ("services.video.min_instances", "9"),
        ("sign_on.url", "app.example"),
        ("sign_on.roles", "owner=king"),
        ("sign_on.organisations", "acme"),
    ],
)
def test_so_is_a_value_that_does_not_fit(pitchey: Pitchey, key: str, value: str) -> None:
    answer = pitchey("config", "set", key, value)
    assert answer.code == 2 and key.removesuffix(".min_instances") in answer.err
    assert pitchey.ok("config", "show", key).out.strip() == str(settings.entries()[key].default)


def test_a_setting_that_another_needs_is_not_taken_away(pitchey: Pitchey) -> None:
    pitchey.ok("config", "set", "node.is_spot", "true")
    pitchey.ok("config", "set", "node.spot_notice", "aws")
    for words in (("set", "node.is_spot", "false"), ("unset", "node.is_spot")):
        answer = pitchey("config", *words)
        assert answer.code == 2 and "leave node.spot_notice empty" in answer.err
    pitchey.ok("config", "unset", "node.spot_notice")
    pitchey.ok("config", "unset", "node.is_spot")


def test_a_file_in_which_something_is_wrong_already_is_told_of_and_can_be_mended_piece_by_piece(
    pitchey: Pitchey,
) -> None:
    pitchey.ok("config", "set", "services.video.slots", "2")
    file = pitchey.ok("config", "path").out.strip()
    with Path(file).open("a") as config:
        config.write('[cost]\nspot = "cheap"\ntimezone = "Mars"\n')
    shown = pitchey.ok("config", "show", "cost.spot")
    assert shown.out == "cheap\n" and "warning: cost.spot" in shown.err and "warning: cost.timezone" in shown.err
    doctor = pitchey("doctor", "--json")
    assert doctor.code == 8
    said = {
        each["saw"] for each in doctor.json["checks"] if (each["subject"], each["verdict"]) == ("settings", "problem")
    }
    assert len(said) == 2 and any("cheap" in each for each in said) and any("Mars" in each for each in said)
    pitchey.ok("config", "set", "services.video.slots", "3")  # it has nothing to do with them
    assert pitchey("config", "set", "cost.spot", "cheap").code == 2
    pitchey.ok("config", "set", "cost.spot", "0.3")
    pitchey.ok("config", "unset", "cost.timezone")
    assert "warning" not in pitchey.ok("config", "show").err


def test_doctor_says_that_a_runtime_that_is_set_is_not_there(pitchey: Pitchey) -> None:
    answer = pitchey("doctor", "--json", PITCHEY_SERVICES_CODE_RUNTIME="runsc")
    assert answer.code == 8
    (said,) = [each for each in answer.json["checks"] if each["subject"] == "code runtime"]
    assert said["verdict"] == "problem" and "services.code.runtime is set: There is no runtime 'runsc'" in said["saw"]


def test_a_run_with_a_runtime_that_is_not_there_ends_with_one_error(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey("run", "video", clip, "-o", "out", "--quiet", PITCHEY_SERVICES_VIDEO_RUNTIME="runsc")
    assert answer.code == 8 and answer.err.count("error:") == 1 and "There is no runtime 'runsc'" in answer.err
