"""What is true of a media file, asked of ffmpeg and ffprobe themselves: nothing of ours has a part in it."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: of each codec: the field that says what a picture is, its values for pictures, and for those that one can begin with
_ENTRIES = {
    "h264": ("nal_unit_type", range(1, 6), (5,)),  # ITU-T H.264, table 7-1
    "hevc": ("nal_unit_type", range(32), (19, 20)),  # ITU-T H.265, table 7-1
    "av1": ("frame_type", range(4), (0,)),
    "vp9": ("frame_type", range(2), (0,)),
}


@dataclass(frozen=True)
class Streams:
    """A file as ffprobe sees it."""

    format: dict[str, Any]
    streams: list[dict[str, Any]]
    chapters: list[dict[str, Any]]

    @property
    def kinds(self) -> frozenset[str]:
        """Whether it has pictures and sounds."""
        return frozenset(each["codec_type"] for each in self.streams) & {"video", "audio"}

    def first(self, kind: str) -> dict[str, Any] | None:
        """The first stream of a kind that is no cover."""
        found = (each for each in self.streams if each["codec_type"] == kind)
        return next((each for each in found if not each["disposition"]["attached_pic"]), None)


def streams(path: Path) -> Streams:
    """Look at a file."""
    command = ["ffprobe", "-v", "error", "-show_format", "-show_streams", "-show_chapters", "-of", "json", path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return Streams(found["format"], found["streams"], found["chapters"])


def problems_of_decoding(path: Path) -> str:
    """Decode all of it; what ffmpeg complains of, or nothing."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:v?", "-map", "0:a?", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stderr.strip().splitlines()[0] if done.stderr.strip() else "" if done.returncode == 0 else "exit"


def frames(path: Path) -> int:
    """Count the frames of the picture, by decoding all of them."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames"]
    command += ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"]
    said = subprocess.run([*command, path], check=True, capture_output=True, text=True).stdout
    return int(said.strip().strip(",") or 0)


def seconds_of_sound(path: Path) -> float:
    """The length of the sound as it is decoded; headers may be wrong."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
    data = subprocess.run([*command, "-f", "s16le", "-"], check=True, capture_output=True).stdout
    return len(data) / 2 / 8000


@dataclass(frozen=True)
class Loudness:
    """As EBU R 128 measures it."""

    integrated: float  #: LUFS
    true_peak: float  #: dBTP


def loudness(path: Path) -> Loudness:
    """Measure the sound as it is decoded."""
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", path, "-map", "0:a:0", "-af", "ebur128=peak=true"]
    said = subprocess.run([*command, "-f", "null", "-"], check=True, capture_output=True, text=True).stderr
    summary = said[said.rindex("Summary:") :]
    found = [re.search(pattern, summary) for pattern in (r"I:\s+(-?[\d.]+|-inf)", r"Peak:\s+(-?[\d.]+|-inf)")]
    integrated, peak = (float(each[1]) if each else float("nan") for each in found)
    return Loudness(integrated, peak)


def ssim(path: Path, reference: Path) -> float:
    """How like another a picture or a video is; 1 is the same."""
    graph = "[0:v][1:v]scale2ref=flags=bicubic[a][b];[a]format=yuv420p[c];[b]format=yuv420p[d];[c][d]ssim"
    command = ["ffmpeg", "-nostdin", "-hide_banner", "-i", path, "-i", reference, "-lavfi", graph, "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    return float(said.rpartition("All:")[2].split()[0])


def is_index_first(path: Path) -> bool:
    """Whether an MP4 can be played while it is still being fetched: moov stands before mdat."""
    at, order = 0, []
    with path.open("rb") as file:
        while header := file.read(8):
            size, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if size == 1:
                size = int.from_bytes(file.read(8), "big")
            order.append(kind)
            if size == 0:
                break
            at += size
            file.seek(at)
    return b"moov" in order and b"mdat" in order and order.index(b"moov") < order.index(b"mdat")


def begins_with_idr(init: Path, segment: Path) -> bool:
    """Whether a player can begin with a segment's first picture: a mark as key frame may mean less than that."""
    joined = segment.with_suffix(".joined.mp4")
    joined.write_bytes(init.read_bytes() + segment.read_bytes())
    command = ["ffmpeg", "-nostdin", "-v", "verbose", "-i", joined, "-map", "0:v:0", "-c", "copy", "-frames:v", "1"]
    command += ["-bsf:v", "trace_headers", "-f", "null", "-"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    codec = (streams(joined).first("video") or {})["codec_name"]
    joined.unlink()
    field, pictures, entries = _ENTRIES[codec]
    kinds = [int(kind) for kind in re.findall(rf"\b{field} .*= (\d+)", said)]
    return next((kind for kind in kinds if kind in pictures), -1) in entries
