"""A wrong spec gets one error that names the field, the value and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.specs import checked, service_named
from processors.protocol import Service


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"qualty": "high"}, "Did you mean 'quality'?"),
        ({"quality": "best"}, "quality 'best' is not one of low, medium, high, ultra."),
        ({"framerate": "0"}, "framerate '0' does not fit: it should be greater than 0."),
        ({"framerate": "1e9"}, "framerate '1e9' does not fit: it should be less than or equal to 240."),
        ({"framerate": "fast"}, "framerate 'fast' does not fit: it should be a valid number"),
        ({"resolution": "0x0"}, "resolution '0x0' has the wrong form."),
        ({"resolution": "banana"}, "as 1280x720"),
        ({"bitrate": "-3M"}, "bitrate '-3M' has the wrong form."),
        ({"thumbnail_times": "1,two"}, "thumbnailTimes.1 'two' does not fit"),
        ({"thumbnail_times": "-1"}, "greater than or equal to 0"),
        ({"output_format": "hls"}, "hls is not served by this version"),
        ({"output_format": "avi"}, "outputFormat 'avi' is not one of mp4, webm, thumbnail."),
        ({"bitrate": "9k"}, "bitrate 9k is not between 10k and 500M."),
        ({"bitrate": "501M"}, "bitrate 501M is not between 10k and 500M."),
        ({"watermark": {"position": "middle"}}, "watermark is not served by this version."),
        ({"inputUrl": ""}, "inputUrl '' does not fit"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Service.VIDEO, {"input_url": "clip.mp4", **fields})
    assert says in f"{caught.value} {caught.value.hint}"


NESTED: list[Any] = []
for _ in range(250):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"inputs": ["\ud800"]}, "half of a character"),
        ({"inputs": [{"a": float("nan")}]}, "NaN"),
        ({"inputs": NESTED}, "nested too deep"),
        ({"files": {"a": "\ud800"}}, "files.a"),
        ({"inputFiles": {"a": "\ud800"}}, "inputFiles.a"),
    ],
)
def test_what_cannot_be_sent_to_an_instance_is_refused_at_once(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        checked(Service.CODE, {"language": "python", "code": "", **fields})
    assert says in f"{caught.value}"


def test_a_missing_field_is_named() -> None:
    with pytest.raises(UsageError, match="needs the field 'inputUrl'"):
        checked(Service.VIDEO, {})


def test_both_spellings_and_lists_in_one_text_are_taken() -> None:
    one = checked(Service.VIDEO, {"inputUrl": "a", "thumbnailTimes": "1, 2.5"})
    two = checked(Service.VIDEO, {"input_url": "a", "thumbnail_times": [1, 2.5]})
    assert one == two


def test_a_service_that_does_not_exist_is_offered_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        service_named("vidoe")
    assert caught.value.hint == "Did you mean 'video'?"
