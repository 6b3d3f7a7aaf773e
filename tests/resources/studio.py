"""Sends clips through a real worker of the video service, and looks at what comes out with ffprobe."""

from __future__ import annotations

import json
import shutil
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
            shutil.copy(path, self.worker.inputs / token / str(number))
            size, name = path.stat().st_size, _FIELDS.get(field, field)
            files.append({"field": name, "path": str(number), "name": path.name, "size": size, "sha256": "0" * 64})
        named = {field: path.name for field, path in paths.items()}
        self.worker.begin(token, {"quality": "low"} | spec | named, inputs=files)
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
