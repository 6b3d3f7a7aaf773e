"""How the renditions of a stream are encoded."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.streams import Audio, Subtitle, Video
from processors.specs import VideoSpec
from processors.video.encoding import Wanted
from processors.video.ladder import Rung
from processors.video.renditions import Renditions, encode, timing
from processors.video.sounds import chosen_sounds
from processors.video.subtitles import Captions
from processors.worker.context import Rejected


def command(rungs: list[Rung], *, video: Video | None = None, sounds: list[Audio] | None = None, **spec: Any) -> str:
    part = Cut(spec.get("start", 0.0), spec.get("end"))
    wanted = Wanted(part, sounds or [], Captions(kept=[Subtitle(3, "subrip")]), threads=2)
    made = Renditions(rungs, timing(rungs[0].framerate), wanted)
    picture = video or Video(0, "h264", width=1280, height=720)
    asked = VideoSpec.model_validate({"inputUrl": "a.mp4", "outputFormat": "cmaf"} | spec)
    return " ".join(encode(asked, picture, Path("/in/0"), made, ".tracks"))


@pytest.mark.parametrize(
    ("framerate", "exact", "frames"),
    [(25, "25", 50), (29.97, "30000/1001", 60), (23.976, "24000/1001", 48), (59.94, "60000/1001", 120)],
)
def test_a_group_of_pictures_is_two_seconds_of_whole_frames(framerate: float, exact: str, frames: int) -> None:
    found = timing(framerate)
    assert (found.framerate, found.group_frames) == (Fraction(exact), frames)


@given(st.floats(10, 60))
def test_a_rung_of_half_the_frames_has_groups_as_long(framerate: float) -> None:
    found = timing(framerate)
    assert 1.9 < found.group_seconds < 2.1
    if framerate > 30.1:
        rate, frames = found.frames_of(Rung(640, 360, framerate / 2, 365_000))
        assert frames / rate == found.group_frames / found.framerate


def test_one_run_decodes_once_and_scales_from_the_next_larger_size() -> None:
    said = command([Rung(1280, 720, 25, 3_000_000), Rung(1280, 720, 25, 2_000_000), Rung(640, 360, 25, 365_000)])
    assert said.count("-i ") == 1
    assert said.count("]scale=1280:720[") == 1 and said.count("]split=2") == 2
    assert all(f".tracks/video-{number}.mp4" in said for number in range(3))
    assert ".tracks/text-0.vtt" in said


def test_every_rung_has_the_same_groups_and_a_peak_of_its_rate() -> None:
    said = command([Rung(1280, 720, 50, 3_000_000), Rung(640, 360, 25, 365_000)])
    assert "-g:v 100 " in said and "-g:v 50 " in said
    assert "-maxrate:v 3000000" in said and "-maxrate:v 365000" in said and "-crf:v 23" in said
    assert said.count("-sc_threshold:v 0") == 2
    asked = command([Rung(1280, 720, 25, 3_000_000)], bitrate="3M")
    assert "-b:v 3000000" in asked and "-crf:v" not in asked


@pytest.mark.parametrize("codec", ["h264", "hevc", "av1", "vp9"])
def test_no_encoder_begins_a_group_where_it_likes(codec: str) -> None:
    said = command([Rung(640, 360, 25, 365_000)], codec=codec, outputFormat="dash")
    assert any(word in said for word in ("-sc_threshold:v 0", "scenecut=0", "scd=0", "-keyint_min:v 50"))


def test_part_of_a_video_is_cut_before_it_is_decoded() -> None:
    said = command([Rung(640, 360, 25, 365_000)], start=2, end=5.5)
    assert said.index("-ss 2") < said.index("-i ") and "-t 3.5" in said


SOUNDS = [Audio(1, "aac", language="eng"), Audio(2, "aac", language="fra", is_default=True), Audio(3, "ac3")]


@pytest.mark.parametrize(
    ("wanted", "indexes"),
    [
        (None, [2, 1, 3]),
        (["all"], [1, 2, 3]),
        (["none"], []),
        (["3", "eng"], [3, 1]),
        (["fr"], [2]),
        (["1", "en"], [1]),
    ],
)
def test_sounds_are_chosen_by_number_or_language(wanted: list[str] | None, indexes: list[int]) -> None:
    assert [sound.index for sound in chosen_sounds(SOUNDS, wanted, "a.mkv")] == indexes


@pytest.mark.parametrize("wanted", ["4", "0", "deu"])
def test_a_sound_that_is_not_there_is_named_with_those_that_are(wanted: str) -> None:
    with pytest.raises(Rejected, match=rf"a\.mkv has no sound track {wanted}") as caught:
        chosen_sounds(SOUNDS, [wanted], "a.mkv")
    assert caught.value.hint == "It has 1 (eng), 2 (fra), 3 (no language)."
