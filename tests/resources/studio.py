"""Sends clips through a real worker of the video service, and looks at what comes out with ffprobe."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.resources.workers import ROOT, Worker

CLIPS = ROOT / "tests" / "resources" / "video"
BUNNY = ROOT / "examples" / "clip.mp4"  # 720p with 5.1 sound
BIKES = CLIPS / "bikes.mp4"  # 640x272, 10 s, silent
SAMPLE = CLIPS / "sample_10s.mp4"  # 320x320, stereo
CARPHONE = CLIPS / "carphone_pristine.mp4"  # pixels that are not square
HDR = CLIPS / "hdr10.mp4"
TINY = "160x90"


_ENCODED = ("mp4", "webm", "hls", "dash", "cmaf", "gif", "webp")
_FIELDS = {"inputUrl": "input_url", "subtitleUrl": "subtitle_url"}


class Studio:
    """Sends clips through a worker of the video service."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._count = 0

    def begin(self, clip: Path, *, also: Mapping[str, Path] | None = None, **spec: Any) -> str:
        """Start a job; fields of the spec that are paths are given to it as files too.

        Args:
            also: more files, by the fields of parts that name them.
        """
        self._count += 1
        token = f"v{self._count}.1"
        (self.worker.inputs / token).mkdir()
        paths = {"inputUrl": clip} | {key: value for key, value in spec.items() if isinstance(value, Path)}
        files = []
        for number, (field, path) in enumerate((paths | dict(also or {})).items()):
            own = f"{number}{path.suffix}"  # as the host names it
            shutil.copy(path, self.worker.inputs / token / own)
            size, name = path.stat().st_size, _FIELDS.get(field, field)
            files.append({"field": name, "path": own, "name": path.name, "size": size, "sha256": "0" * 64})
        named = {field: path.name for field, path in paths.items()}
        quick = {"quality": "low"} if spec.get("outputFormat", "mp4") in _ENCODED else {}
        self.worker.begin(token, quick | spec | named, inputs=files, timeoutSeconds=600)
        return token

    def make(self, clip: Path, **spec: Any) -> tuple[Path, dict[str, Any]]:
        """Run a job that must succeed; give its out directory and its result."""
        token = self.begin(clip, **spec)
        last = self.worker.ending(token)
        assert last["type"] == "result", last
        return self.worker.spool / token / "out", last["result"]

    def failure(self, clip: Path, **spec: Any) -> dict[str, Any]:
        """Run a job that must fail."""
        error: dict[str, Any] = self.worker.ending(self.begin(clip, **spec))["error"]
        return error


def ffprobe(path: Path) -> dict[str, dict[str, Any]]:
    """Give the format and the streams of a file, by their kind."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", path]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {"format": report["format"]} | {stream["codec_type"]: stream for stream in report["streams"]}


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def brightness(picture: Path) -> float:
    command = ["ffmpeg", "-v", "error", "-i", picture, "-vf", "scale=1:1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout[0]


def likeness(one: Path, other: Path) -> float:
    command = ["ffmpeg", "-i", one, "-i", other, "-lavfi", "[0]format=yuv420p[a];[1]format=yuv420p[b];[a][b]ssim"]
    said = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True, text=True).stderr
    return float(said.rpartition("All:")[2].split()[0])


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    """All streams of a kind: video, audio or subtitle; with the frames that can be decoded of them."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-select_streams", kind[0], "-of", "json"]
    report = json.loads(subprocess.run([*command, path], check=True, capture_output=True).stdout)
    return list(report["streams"])


def times(path: Path) -> list[float]:
    """When the frames of a file are shown, from the first one on."""
    entries = "frame=best_effort_timestamp_time"
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0", path]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    found = [float(line.strip(",")) for line in lines]
    return [round(each - found[0], 4) for each in found]


def loudness(path: Path) -> float:
    """Integrated loudness in LUFS."""
    command = [
        "ffmpeg",
        "-hide_banner",
        "-nostats",
        "-i",
        path,
        "-vn",
        "-af",
        "ebur128=framelog=verbose",
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return float(said.rpartition("Summary:")[2].partition("I:")[2].split()[0])


def combed(path: Path) -> float:
    """The share of frames that are made of two fields of different times."""
    said = subprocess.run(
        ["ffmpeg", "-hide_banner", "-nostats", "-i", path, "-vf", "idet", "-f", "null", "-"],
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    words = said.rpartition("Multi frame detection:")[2].replace(":", " ").split()
    counts = {key: int(value) for key, value in zip(words[0:8:2], words[1:8:2], strict=True)}
    return (counts["TFF"] + counts["BFF"]) / max(1, sum(counts.values()))


def pgs(path: Path, *, width: int, height: int, box: tuple[int, int, int, int], shown: tuple[float, float]) -> Path:
    """Write subtitles of a Blu-ray, which are pictures: one white box (left, top, width, height) for some seconds."""
    left, top, wide, high = box

    def segment(seconds: float, kind: int, payload: bytes) -> bytes:
        at = round(seconds * 90_000)
        return b"PG" + struct.pack(">IIBH", at, 0, kind, len(payload)) + payload

    def screen(seconds: float, number: int, objects: bytes) -> bytes:
        state = 0x80 if objects else 0
        head = struct.pack(">HHBHBBBB", width, height, 0x10, number, state, 0, 0, len(objects) // 8)
        return segment(seconds, 0x16, head + objects)

    def window(seconds: float) -> bytes:
        return segment(seconds, 0x17, struct.pack(">BBHHHH", 1, 0, left, top, wide, high))

    line = bytes([0, 0xC0 | wide >> 8, wide & 0xFF, 1, 0, 0])
    picture = struct.pack(">HH", wide, high) + line * high
    start, end = shown
    path.write_bytes(
        screen(start, 0, struct.pack(">HBBHH", 0, 0, 0, left, top))
        + window(start)
        + segment(start, 0x14, bytes([0, 0, 1, 235, 128, 128, 255]))
        + segment(start, 0x15, struct.pack(">HBB", 0, 0, 0xC0) + len(picture).to_bytes(3, "big") + picture)
        + segment(start, 0x80, b"")
        + screen(end, 1, b"")
        + window(end)
        + segment(end, 0x80, b"")
    )
    return path


def brightest_at(video: Path, seconds: float, box: tuple[int, int, int, int]) -> int:
    """How bright the brightest point of a part (left, top, width, height) of a frame is, from 0 to 255."""
    left, top, wide, high = box
    chain = f"crop={wide}:{high}:{left}:{top},format=gray"
    command = ["ffmpeg", "-v", "error", "-ss", str(seconds), "-i", video, "-frames:v", "1", "-vf", chain]
    return max(subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout)
