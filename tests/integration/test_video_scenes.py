"""The scenes of real clips, through a real worker: on the very frame, and cut out on it."""

from __future__ import annotations

import json
import subprocess
from array import array
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.resources.films import BIKES_CUTS, SIZE, compared, edited, frames
from tests.resources.studio import BIKES, BUNNY, CARPHONE, SAMPLE, Studio, ffmpeg, ffprobe, likeness
from tests.resources.workers import Worker, is_told_all_along


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("video"), service="video") as worker:
        yield Studio(worker)


def found(out: Path) -> list[dict[str, Any]]:
    scenes: list[dict[str, Any]] = json.loads((out / "scenes.json").read_text())["scenes"]
    return scenes


def test_the_cuts_of_a_film_are_found_on_their_frame(studio: Studio) -> None:
    out, result = studio.make(BIKES, outputFormat="scenes", thumbnailSize="160x160")
    assert [scene["startFrame"] for scene in found(out)] == [0, *BIKES_CUTS]
    assert [scene["startSeconds"] for scene in found(out)] == [0, 1.2, 3.04, 5.48, 7.48, 9.68]
    assert found(out)[-1]["endSeconds"] == 10.0
    assert [output["path"] for output in result["outputs"]] == [
        "scenes.json", "scenes.csv", "scenes.edl", *(f"scene-00{number}.jpg" for number in range(1, 7)),
    ]  # fmt: skip
    assert result["details"]["scenes"] == 6
    assert "002  AX       V     C        00:00:01:05 00:00:03:01 " in (out / "scenes.edl").read_text()


def test_each_scene_has_a_picture_of_its_middle(studio: Studio, tmp_path: Path) -> None:
    out, _ = studio.make(BIKES, outputFormat="scenes", thumbnailFormat="png")
    expected = tmp_path / "expected.png"
    ffmpeg("-i", BIKES, "-vf", "select=eq(n\\,162)", "-frames:v", "1", expected)  # of frames 137 to 186
    assert likeness(out / "scene-004.png", expected) > 0.99


@pytest.mark.parametrize(
    ("seed", "shortest", "crf"), [(6, 10, 23), (7, 3, 30), (8, 3, 38)], ids=["calm", "fast", "fast and coarse"]
)
def test_scenes_are_found_with_an_f1_of_95(
    studio: Studio, tmp_path_factory: pytest.TempPathFactory, seed: int, shortest: int, crf: int
) -> None:
    film = tmp_path_factory.getbasetemp() / f"film-{seed}.mp4"
    true = edited(film, seed, shots=24, shortest=shortest, crf=crf)
    out, _ = studio.make(film, outputFormat="scenes", scenes={"thumbnails": False})
    assert compared([scene["startFrame"] for scene in found(out)[1:]], true).f1 >= 0.95


@pytest.mark.parametrize("clip", [BUNNY, CARPHONE, SAMPLE], ids=lambda clip: clip.name)
def test_a_clip_of_one_shot_is_one_scene(studio: Studio, clip: Path) -> None:
    out, _ = studio.make(clip, outputFormat="scenes", scenes={"thumbnails": False})
    assert len(found(out)) == 1
    assert found(out)[0]["endFrame"] == frames(clip)


def test_a_fade_through_black_is_a_boundary_and_a_flash_is_none(studio: Studio, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    ffmpeg(
        *("-i", BIKES, "-i", BUNNY, "-filter_complex"),
        f"[0:v]trim=start_frame=137:end_frame=187,setpts=N/25/TB,scale={SIZE},setsar=1,fade=out:35:15[a];"
        f"[1:v]scale={SIZE},setsar=1,fade=in:0:15,eq=brightness='if(between(n,80,81),0.7,0)':eval=frame[b];"
        "[a][b]concat=n=2:v=1:a=0",
        *("-r", "25", "-preset", "ultrafast", film),
    )
    out, _ = studio.make(film, outputFormat="scenes", scenes={"thumbnails": False})
    _, second = found(out)
    assert second["beginsWith"] == "fade"
    assert abs(second["startFrame"] - 50) <= 3


def test_scenes_are_cut_out_with_every_frame_and_their_sound(studio: Studio, tmp_path: Path) -> None:
    """A tone of 20 ms at each whole second must stay at its frame: the second scene begins with one."""
    film = tmp_path / "film.mkv"
    ffmpeg(
        *("-i", BIKES, "-f", "lavfi", "-i", "aevalsrc='lt(mod(t-3.04,1),0.02)*sin(6283*t)':d=10:s=48000"),
        *("-map", "0:v", "-map", "1:a", "-vf", "scale=160:68", "-preset", "ultrafast", "-c:a", "pcm_s16le", film),
    )
    options = {"split": True, "thumbnails": False, "minSeconds": 1.5}
    out, result = studio.make(film, outputFormat="scenes", scenes=options, quality="high")
    starts = [scene["startFrame"] for scene in found(out)]
    assert starts == [0, 76, 137, 187]
    files = [output["path"] for output in result["outputs"] if output["role"] == "scene"]
    assert files == [f"scene-00{number}.mp4" for number in range(1, 5)]
    assert [frames(out / file) for file in files] == [76, 61, 50, 63]
    for file, start in zip(files, starts, strict=True):
        first, expected = tmp_path / "first.png", tmp_path / "expected.png"
        ffmpeg("-i", out / file, "-frames:v", "1", first)
        ffmpeg("-i", film, "-vf", f"select=eq(n\\,{start})", "-frames:v", "1", expected)
        assert likeness(first, expected) > 0.9
        assert float(ffprobe(out / file)["video"]["start_time"]) == pytest.approx(0, abs=0.001)
    command = ["ffmpeg", "-v", "error", "-i", out / files[1], "-t", "0.02", "-ac", "1", "-f", "s16le", "-"]
    beginning = subprocess.run(command, check=True, capture_output=True).stdout
    loudest = max(abs(int.from_bytes(beginning[at : at + 2], "little", signed=True)) for at in range(0, 1900, 2))
    assert loudest > 8000


def test_no_moment_of_sound_is_lost_between_scenes(studio: Studio, tmp_path: Path) -> None:
    """A tone that never stops must be as loud at both ends of each scene as in its middle."""
    film = tmp_path / "film.mp4"
    ffmpeg(
        *("-i", BIKES, "-f", "lavfi", "-i", "aevalsrc=0.5*sin(6283*t):d=10:s=44100"),
        *("-vf", "scale=160:68", "-preset", "ultrafast", "-c:a", "aac", film),
    )
    options = {"split": True, "thumbnails": False, "minSeconds": 1.5}
    out, _ = studio.make(film, outputFormat="scenes", scenes=options)
    scenes = found(out)
    assert len(scenes) == 4
    for scene in scenes[:-1]:  # the film's own sound may end before its picture
        command = ["ffmpeg", "-v", "error", "-i", out / scene["video"], "-map", "a", "-ac", "1", "-f", "s16le", "-"]
        heard = array("h", subprocess.run(command, check=True, capture_output=True).stdout)
        seconds = scene["endSeconds"] - scene["startSeconds"]
        assert len(heard) / 44100 == pytest.approx(seconds, abs=0.03) and len(heard) / 44100 > seconds - 0.001
        beginning, end = heard[:441], heard[int((seconds - 0.011) * 44100) : int(seconds * 44100)]
        assert min(max(beginning), max(end)) > 10_000, scene
        assert float(ffprobe(out / scene["video"])["audio"]["start_time"]) == pytest.approx(0, abs=0.001)
    assert all(not path.is_dir() for path in out.iterdir())


def test_only_the_part_that_is_asked_for_is_looked_at(studio: Studio) -> None:
    options = {"split": True, "thumbnails": False}
    out, result = studio.make(BIKES, outputFormat="scenes", start=2, end=6, scenes=options, resolution="160x160")
    assert [(scene["startFrame"], scene["endFrame"]) for scene in found(out)] == [(50, 76), (76, 137), (137, 150)]
    files = [output["path"] for output in result["outputs"] if output["role"] == "scene"]
    assert [frames(out / file) for file in files] == [26, 61, 13]


def test_half_a_film_has_no_scenes(studio: Studio, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.mp4", tmp_path / "half.mp4"
    ffmpeg("-i", BIKES, "-c", "copy", "-movflags", "+faststart", whole)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(half, outputFormat="scenes")
    assert (error["code"], error["reason"]) == ("truncated", "rejected")


def test_the_progress_of_scenes_never_goes_back(studio: Studio) -> None:
    events = studio.worker.events(
        studio.begin(BIKES, outputFormat="scenes", scenes={"split": True}, resolution="160x160")
    )
    fractions = [event["fraction"] for event in events if event["type"] == "progress"]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert is_told_all_along(events)


def test_scenes_of_a_broadcast_have_whole_frames(studio: Studio, tmp_path: Path) -> None:
    """A bar that moves sideways: the lines of two fields lie beside each other in a frame, as a comb."""
    film = tmp_path / "fields.mkv"
    moving = "color=black:s=320x240:r=50:d=1,drawbox=c=white:t=fill:w=40:h=240:x=0,scroll=h=-0.05"
    woven = f"{moving},tinterlace=interleave_top,setfield=tff,fps=25"
    ffmpeg("-f", "lavfi", "-i", woven, "-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", "-top", "1", film)
    out, _ = studio.make(film, outputFormat="scenes", scenes={"split": True, "thumbnails": False})
    assert combed(film) > 10 * combed(out / "scene-001.mp4")


def combed(path: Path) -> float:
    """How far neighbouring lines differ in the picture's middle, where nothing that is meant does."""
    command = ["ffmpeg", "-v", "error", "-ss", "0.4", "-i", path, "-frames:v", "1", "-pix_fmt", "gray"]
    data = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    rows = [data[at : at + 320] for at in range(320 * 100, 320 * 140, 320)]
    return 0.01 + sum(abs(a - b) for one, other in pairwise(rows) for a, b in zip(one, other, strict=True)) / len(rows)
