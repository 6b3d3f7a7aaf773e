"""The wire: what a version has once written must be read by all that follow."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from processors import protocol, specs

GOLDEN = Path(__file__).parents[1] / "resources" / "protocol" / "v1"

PARSERS: dict[str, TypeAdapter[Any]] = {
    "spec": TypeAdapter(specs.VideoSpec | specs.DocumentSpec | specs.InferenceSpec | specs.MediaSpec | specs.CodeSpec),
    "event": protocol.EVENT,
    "request": TypeAdapter(protocol.AttemptRequest),
    "group": TypeAdapter(protocol.AttemptGroup),
    "told": TypeAdapter(protocol.Told),
    "health": TypeAdapter(protocol.Health),
    "refusal": TypeAdapter(protocol.Refusal),
    "links": TypeAdapter(protocol.Links),
}


def golden(kind: str = "*") -> list[Any]:
    files = sorted(GOLDEN.glob(f"{kind}-*.json"))
    assert files
    return [pytest.param(file, id=file.stem) for file in files]


def parse(file: Path, document: Any = None) -> BaseModel:
    parsed = PARSERS[file.stem.split("-")[0]].validate_python(document or json.loads(file.read_text()))
    assert isinstance(parsed, BaseModel)
    return parsed


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-1e999"])
def test_what_is_no_json_does_not_come_from_an_instance(number: str) -> None:
    line = f'{{"type":"result","seq":1,"at":0,"metrics":{{}},"result":{{"details":{{"a":[{{"b":{number}}}]}}}}}}'
    with pytest.raises(ValidationError, match="no JSON"):
        protocol.EVENT.validate_json(line)


@pytest.mark.parametrize("file", golden())
def test_what_was_written_once_is_read_and_written_again_in_the_same_way(file: Path) -> None:
    # A spec gains fields with every version: what an old one did not say is not said for it.
    is_spec = file.stem.startswith("spec-")
    written = parse(file).model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=is_spec)
    assert written == json.loads(file.read_text())


@pytest.mark.parametrize("file", golden())
def test_snake_case_is_read_like_camel_case(file: Path) -> None:
    snake = parse(file).model_dump(mode="json", by_alias=False)
    assert parse(file, snake) == parse(file)


@pytest.mark.parametrize("file", golden("spec"))
def test_a_spec_refuses_a_field_that_it_does_not_know(file: Path) -> None:
    with pytest.raises(ValidationError):
        parse(file, json.loads(file.read_text()) | {"colour": "blue"})


@pytest.mark.parametrize("kind", ["event", "request", "health", "refusal", "links"])
def test_a_message_ignores_what_a_later_version_has_added(kind: str) -> None:
    for file in GOLDEN.glob(f"{kind}-*.json"):
        assert parse(file, json.loads(file.read_text()) | {"addedLater": 1}) == parse(file)


def test_every_kind_of_event_and_every_service_has_its_golden_file() -> None:
    events = {json.loads(file.read_text())["type"] for file in GOLDEN.glob("event-*.json")}
    assert events == {"accepted", "progress", "log", "metric", "links", "result", "error"}
    assert {file.stem.split("-")[1] for file in GOLDEN.glob("spec-*.json")} == set(protocol.Service)


@pytest.mark.parametrize("file", ["request-carried.json", "links-outputs.json"])
def test_a_link_is_not_shown_where_a_message_is(file: str) -> None:
    assert "Signature" not in repr(parse(GOLDEN / file))


@pytest.mark.parametrize("token", ["../etc.1", "A.1", "a", "a.1/..", "a.1\n", ".1", "a" * 33 + ".1"])
def test_a_token_that_could_leave_its_directory_is_refused(token: str) -> None:
    document = json.loads((GOLDEN / "request-video.json").read_text())
    with pytest.raises(ValidationError):
        protocol.AttemptRequest.model_validate(document | {"token": token})


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"outputFormat": "avi"}, "Input should be 'mp4'"),
        ({"watermark": {"text": "mine", "imageUrl": "a.png"}}, "a text or an image"),
        ({"outputFormat": "hls", "ladder": {"maxRungs": 0}}, "greater than or equal to 1"),
        ({"outputFormat": "thumbnail", "thumbnailTimes": []}, "at least one time"),
        ({"resolution": "wide"}, "pattern"),
        ({"bitrate": "fast"}, "pattern"),
        ({"framerate": 0}, "greater than 0"),
        ({"thumbnailTimes": [-1]}, "greater than or equal to 0"),
    ],
)
def test_a_video_spec_that_cannot_be_served_says_why(change: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        specs.VideoSpec.model_validate({"inputUrl": "a.mp4"} | change)
