"""Sounds for the tests of the media service: a worker that takes them, and meters that are not its own."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.resources.workers import ROOT, Worker

SOUNDS = ROOT / "tests" / "resources" / "audio"
SPEECH = SOUNDS / "speech-clean.flac"  # 8 s, mono, 48 kHz
NOISY = SOUNDS / "speech-noisy.flac"  # the same with noise, 10 dB below
MUSIC = SOUNDS / "sample_10s.ogg"  # 10 s, stereo, 44.1 kHz
ADTS = SOUNDS / "sample_10s.aac"  # the same as raw AAC
MP3 = SOUNDS / "sample_10s.mp3"  # 10 s, mono, 128k
BIKES = ROOT / "tests" / "resources" / "video" / "bikes.mp4"  # no sound
CLIP = ROOT / "examples" / "clip.mp4"  # 5.1


class Studio:
    """Sends sounds through a worker of the media service."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self._count = 0

    def begin(self, sound: Path, *, files: Mapping[str, Path] | None = None, **spec: Any) -> str:
        """Submit a job.

        Args:
            files: more files by the field that names them, or by album/NAME.
        """
        self._count += 1
        token = f"m{self._count}.1"
        (self.worker.inputs / token).mkdir()
        inputs = []
        for number, (field, path) in enumerate({"input_media": sound, **(files or {})}.items()):
            own = f"{number}{path.suffix}"  # as the host names it
            shutil.copy(path, self.worker.inputs / token / own)
            field, _, name = field.partition("/")
            inputs.append(
                {"field": field, "path": own, "name": name or path.name, "size": path.stat().st_size,
                 "sha256": "0" * 64}
            )  # fmt: skip
        asked = {"inputMedia": sound.name, "outputPresets": ["mp3"]} | spec
        self.worker.begin(token, asked, inputs=inputs, timeoutSeconds=600)
        return token

    def make(self, sound: Path, **spec: Any) -> tuple[Path, dict[str, Any]]:
        """Run a job that must succeed; give its out directory and its result."""
        token = self.begin(sound, **spec)
        last = self.worker.ending(token)
        assert last["type"] == "result", last
        out = self.worker.spool / token / "out"
        left = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
        assert left == {output["path"] for output in last["result"]["outputs"]}
        return out, last["result"]

    def failure(self, sound: Path, **spec: Any) -> dict[str, Any]:
        """Run a job that must fail for its input."""
        error: dict[str, Any] = self.worker.ending(self.begin(sound, **spec))["error"]
        assert (error["reason"], error["retryable"]) == ("rejected", False), error
        return error


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)


def ffprobe(path: Path) -> dict[str, Any]:
    """Give the format, the chapters, and the streams by their kind; a cover is the video."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json", path]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    streams = {stream["codec_type"]: stream for stream in report["streams"]}
    return {"format": report["format"], "chapters": report["chapters"]} | streams


def loudness(*paths: Path) -> tuple[float, float]:
    """Integrated loudness in LUFS, and true peak in dBTP, of files as one, as ffmpeg's summary tells them."""
    inputs = [word for path in paths for word in ("-i", str(path))]
    joined = "".join(f"[{number}:a]" for number in range(len(paths)))
    graph = f"{joined}concat=n={len(paths)}:v=0:a=1,ebur128=peak=true:framelog=verbose"
    command = ["ffmpeg", "-hide_banner", "-nostats", *inputs, "-filter_complex", graph, "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    summary = said[said.rindex("Summary:") :]
    return tuple(float(re.search(rf"{key}:\s+(\S+)", summary)[1]) for key in ("I", "Peak"))  # type: ignore[index,return-value]


def decoded(path: Path, *options: str) -> bytes:
    command = ["ffmpeg", "-v", "error", "-i", str(path), *options, "-f", "s16le", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def tone(path: Path, seconds: float, *, level: float = 0.25, options: tuple[str, ...] = ()) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc={level}*sin(2*PI*440*t):s=44100:d={seconds}", *options, path)
    return path
