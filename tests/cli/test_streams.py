"""What a person gets who asks for a stream: a folder that plays as it is."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.conftest import Pitchey
from tests.resources.sounds import SPEECH, tone
from tests.resources.workers import ROOT

BIKES = ROOT / "tests" / "resources" / "video" / "bikes.mp4"


def test_a_stream_is_a_folder_that_plays_and_one_row_for_each_rendition(pitchey: Pitchey) -> None:
    asked: list[str | Path] = [
        "run",
        "video",
        BIKES,
        "--output-format",
        "cmaf",
        "--resolution",
        "160x90",
        "--end",
        "3",
        "-o",
        "out",
    ]
    answer = pitchey.ok(*asked)
    rows = [line.split()[:2] for line in answer.lines if line.startswith("out/")]
    assert rows == [
        ["out/bikes/master.m3u8", "playlist"],
        ["out/bikes/manifest.mpd", "playlist"],
        ["out/bikes/video-68p/", "segments"],
    ]
    master = pitchey.cwd / "out" / "bikes" / "master.m3u8"
    command: list[str | Path] = ["ffmpeg", "-v", "error", "-xerror", "-i", master, "-f", "framemd5", "-"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert sum(1 for line in done.stdout.splitlines() if not line.startswith("#")) == 75
    again = pitchey(*asked)
    assert (again.code, "out/bikes/master.m3u8 exists" in again.err) == (2, True)
    assert pitchey.ok("result", "@last", "-o", "elsewhere").lines[0] == "elsewhere/bikes/master.m3u8"


def test_what_names_pictures_names_those_that_are_there(pitchey: Pitchey) -> None:
    pitchey.ok("run", "video", BIKES, "--output-format", "thumbnail", "--sprite", "--end", "3", "-o", "out")
    folder = pitchey.cwd / "out" / "bikes"
    tiles = [line.partition("#")[0] for line in (folder / "sprite.vtt").read_text().splitlines() if "#xywh=" in line]
    assert tiles and all((folder / name).is_file() for name in tiles)
    pitchey.ok("run", "video", BIKES, "--output-format", "scenes", "--end", "3", "-o", "out")
    found = json.loads((folder / "scenes.json").read_text())["scenes"]
    assert len(found) == 2 and all((folder / each["thumbnail"]).is_file() for each in found)


def test_what_a_person_should_know_of_a_result_is_told(pitchey: Pitchey) -> None:
    answer = pitchey.ok("run", "media", SPEECH, "-p", "mp3", "--loudness-target", "-6", "--end", "2", "-o", "out")
    assert "mp3, " in answer.out and "mono" in answer.out and "LUFS" in answer.out
    (note,) = [line for line in answer.err.splitlines() if line.startswith("note: ")]
    assert "target" in note


def test_the_files_of_an_album_are_called_after_their_own_tracks(pitchey: Pitchey) -> None:
    for name in ("loud", "quiet"):
        tone(pitchey.cwd / f"{name}.wav", 0.5)
    pitchey.ok("run", "media", "loud.wav", "--file", "quiet.wav", "-p", "mp3,flac", "-o", "out")
    assert sorted(path.name for path in (pitchey.cwd / "out").iterdir()) == [
        "loud-flac.flac", "loud-mp3.mp3", "quiet-flac.flac", "quiet-mp3.mp3",
    ]  # fmt: skip


def test_a_stream_that_cannot_be_is_refused_before_it_is_queued(pitchey: Pitchey) -> None:
    for options, said in (
        (["--output-format", "hls", "--codec", "vp9"], "codec vp9 does not go into hls"),
        (["--output-format", "mp4", "--ladder-max-rungs", "3"], "ladder is of outputFormat hls, dash or cmaf"),
        (["--output-format", "hls", "--segment-seconds", "5"], "segment"),
        (["--output-format", "hls", "--ladder-min-bitrate", "2M", "--ladder-max-bitrate", "1M"], "is above maxBitrate"),
    ):
        answer = pitchey("submit", "video", BIKES, *options)
        assert answer.code == 2 and said in answer.err, answer.err
