"""When pictures are taken, which of them is a poster, and where the tiles of a sprite sheet are."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.streams import Video
from processors.specs import VideoSpec
from processors.video.pictures import Look
from processors.video.poster import scores, sight
from processors.video.sprite import tiles, webvtt
from processors.video.thumbnails import Thumbnail, look, thumbnails
from processors.video.timing import Window, thumbnail_times, window
from processors.worker.context import Rejected

HD = Video(0, "h264", 10.0, width=1920, height=1080, framerate=30.0)


def asked(**fields: Any) -> VideoSpec:
    return VideoSpec.model_validate({"inputUrl": "a.mp4", **fields})


def times(seconds: float = 10.0, **fields: Any) -> list[float]:
    spec = asked(**fields)
    return thumbnail_times(spec, window(spec, seconds, "a.mp4"), 30.0, "a.mp4")


def test_thumbnails_are_numbered_as_they_were_asked_for() -> None:
    spec = asked(outputFormat="thumbnail", thumbnailTimes=[2.5, 1, 2.5], thumbnailFormat="webp")
    assert thumbnails(spec, window(spec, 10.0, "a.mp4"), HD, "a.mp4") == [
        Thumbnail("thumbnail-001.webp", 2.5),
        Thumbnail("thumbnail-002.webp", 1),
    ]
    assert [each.name for each in thumbnails(spec, window(spec, 10.0, "a.mp4"), HD, "a.mp4")] == spec.output_paths()


def test_a_size_of_thumbnails_goes_before_that_of_the_video() -> None:
    assert look(asked(resolution="320x320"), HD) == Look(320, 180, "jpg", "medium")
    assert look(
        asked(poster=True, resolution="320x320", thumbnailSize="160x160", thumbnailFormat="png", quality="high"), HD
    ) == Look(160, 90, "png", "high")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"outputFormat": "thumbnail"}, [5.0]),
        ({"outputFormat": "thumbnail", "start": 2, "end": 4}, [3.0]),
        ({"outputFormat": "thumbnail", "sprite": True}, []),
        ({"outputFormat": "mp4"}, []),
        ({"thumbnailCount": 4}, [1.25, 3.75, 6.25, 8.75]),
        ({"thumbnailCount": 2, "start": 6}, [7.0, 9.0]),
        ({"thumbnailInterval": 4}, [0.0, 4.0, 8.0]),
        ({"thumbnailInterval": 5}, [0.0, 5.0]),
        ({"thumbnailInterval": 60}, [0.0]),
        ({"thumbnailInterval": 2, "start": 5, "end": 8}, [5.0, 7.0]),
    ],
)
def test_times_come_from_an_interval_a_number_or_the_middle(fields: dict[str, Any], expected: list[float]) -> None:
    assert times(**fields) == expected


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"thumbnailTimes": [1, 10.5]}, "thumbnail_after_end", "no picture at 10.5 s: a.mp4 is 10 s long."),
        ({"thumbnailTimes": [5], "end": 4}, "thumbnail_after_end", "no picture at 5 s: the job ends at 4 s of a.mp4."),
        ({"thumbnailTimes": [1], "start": 2}, "thumbnail_before_start", "at 1 s: the job begins at 2 s of a.mp4."),
        ({"thumbnailCount": 301}, "too_many_thumbnails", "301 pictures are asked for, but a.mp4 has only 300 frames."),
        ({"thumbnailInterval": 0.01}, "too_many_thumbnails", "1000 pictures are asked for, but a.mp4 has only 300"),
        ({"sprite": True, "start": 11}, "start_after_end", "nothing from 11 s on: a.mp4 is 10 s long."),
    ],
)
def test_what_is_not_there_is_refused_by_name(fields: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(Rejected) as caught:
        times(**fields)
    assert caught.value.code == code
    assert message in caught.value.message
    assert caught.value.hint


@given(st.floats(0.5, 50_000), st.integers(1, 15))
def test_pictures_of_a_number_are_as_many_and_evenly_spread(seconds: float, count: int) -> None:
    found = times(seconds, thumbnailCount=count)
    assert len(found) == count
    steps = [after - before for before, after in itertools.pairwise([-found[0], *found, 2 * seconds - found[-1]])]
    assert steps == pytest.approx([seconds / count] * (count + 1))


# --- sprite sheets


@given(st.floats(0, 1000), st.floats(0.04, 500_000))
def test_tiles_follow_each_other_without_gap_to_the_end_and_each_has_its_own_place(start: float, length: float) -> None:
    placed = tiles(Window(Cut(start), start + length))
    assert 1 <= len(placed) <= 300
    assert (placed[0].start, placed[-1].end) == (start, start + length)
    assert all(one.end == other.start and one.start < one.end for one, other in itertools.pairwise(placed))
    assert len({(tile.sheet, tile.row, tile.column) for tile in placed}) == len(placed)
    assert all(tile.row < 10 and tile.column < 10 for tile in placed)


@pytest.mark.parametrize(
    ("seconds", "count", "step"), [(0.5, 1, 0.5), (90, 90, 1), (3600, 240, 15), (36_000, 300, 120)]
)
def test_a_longer_video_has_tiles_further_apart(seconds: float, count: int, step: float) -> None:
    placed = tiles(Window(Cut(), seconds))
    assert (len(placed), placed[0].end) == (count, step)


@pytest.mark.parametrize(
    ("seconds", "gap", "step"),
    [(600, 2.0, 2), (600, 9.3, 10), (100, 2.0, 2), (100, 9.3, 1), (36_000, 10, 120), (60, None, 1)],
)
def test_tiles_are_as_long_as_key_frames_are_apart_while_there_are_enough(
    seconds: float, gap: float | None, step: float
) -> None:
    assert tiles(Window(Cut(), seconds), gap)[0].end == step


def test_a_web_vtt_names_the_sheet_and_the_rectangle_and_counts_from_the_start() -> None:
    placed = tiles(Window(Cut(3600.5, 3712.0), 5000))
    lines = webvtt(placed, 3600.5, 160, 90, "sprite-{:03}.jpg").split("\n\n")
    assert lines[0] == "WEBVTT"
    assert lines[1] == "00:00:00.000 --> 00:00:01.000\nsprite-001.jpg#xywh=0,0,160,90"
    assert lines[12] == "00:00:11.000 --> 00:00:12.000\nsprite-001.jpg#xywh=160,90,160,90"
    assert lines[101] == "00:01:40.000 --> 00:01:41.000\nsprite-002.jpg#xywh=0,0,160,90"
    assert lines[-1].startswith("00:01:51.000 --> 00:01:51.500\n")


# --- posters

_SCENE = bytes((x * 37 + y * 61) % 256 for y in range(54) for x in range(96))


@pytest.mark.parametrize(
    ("worse", "why"),
    [
        (bytes(len(_SCENE)), "black"),
        (bytes([255]) * len(_SCENE), "white"),
        (bytes(value // 6 for value in _SCENE), "nearly faded out"),
        (bytes(200 + value // 6 for value in _SCENE), "nearly faded to white"),
        (bytes(sum(_SCENE[max(0, at - 8) : at + 9]) // 17 for at in range(len(_SCENE))), "blurred"),
        (bytes(20 if value < 230 else 250 for value in _SCENE), "a title on black"),
    ],
)
def test_a_poster_is_not(worse: bytes, why: str) -> None:
    usual = sight(_SCENE, 96)
    judged = scores([sight(worse, 96), usual, usual, usual])
    assert judged[0] < 0.8 * judged[1], why
