"""What the quality tiers of the video service give: VMAF, SSIM and size of each, for every codec and every file.

    python -m tests.quality.tiers FOLDER [--codecs h264,av1]

The files go through a real worker on this machine. What comes out is compared with the file itself, at the size of what
came out, by an ffmpeg that has libvmaf (that of imageio-ffmpeg). HDR is left out: VMAF has no model for it, and what is
made of it is meant to look different. Prints a table for each codec, and one of means, as Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, geometric_mean
from typing import Any, get_args

import imageio_ffmpeg

from processors.specs.video import CODECS, Quality, VideoCodec
from tests.quality import checks
from tests.quality.matrix import VIDEOS
from tests.resources.studio import Studio
from tests.resources.workers import Worker

TIERS: tuple[Quality, ...] = get_args(Quality)
_HDR = ("smpte2084", "arib-std-b67")


@dataclass(frozen=True)
class Score:
    """One file in one tier of one codec."""

    source: str
    codec: VideoCodec
    tier: Quality
    vmaf: float  #: mean over all frames, 0 to 100
    worst: float  #: VMAF of the worst frame in a hundred
    ssim: float  #: mean over all frames, 0 to 1
    kilobits: float  #: per second, of the picture


def compared(made: Path, source: Path, width: int, height: int, log: Path) -> dict[str, Any]:
    """Measure a video against what it was made of, frame by frame."""
    steady = "settb=1/25,setpts=N"
    graph = (
        f"[0:v]{steady},format=yuv420p[made];"
        f"[1:v]{steady},scale={width}:{height}:flags=bicubic:out_range=tv,format=yuv420p[reference];"
        f"[made][reference]libvmaf=feature=name=float_ssim:n_threads=2:log_fmt=json:log_path={log}"
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", made, "-i", source]
    subprocess.run([*command, "-lavfi", graph, "-f", "null", "-"], check=True)
    found: dict[str, Any] = json.loads(log.read_text())
    return found


def scored(studio: Studio, source: Path, codec: VideoCodec, tier: Quality, log: Path) -> Score:
    """Make a video in a tier, and measure it."""
    container = next(name for name, codecs in CODECS.items() if codec in codecs)
    out, _ = studio.make(source, outputFormat=container, codec=codec, quality=tier, audioTracks=["none"])
    made = out / f"video.{container}"
    video = checks.streams(made).first("video")
    assert video is not None
    found = compared(made, source, video["width"], video["height"], log)
    frames = sorted(frame["metrics"]["vmaf"] for frame in found["frames"])
    assert len(frames) == checks.frames(source)
    pooled = found["pooled_metrics"]
    seconds = float(checks.streams(made).format["duration"])
    return Score(
        source.name, codec, tier, pooled["vmaf"]["mean"], frames[len(frames) // 100], pooled["float_ssim"]["mean"],
        made.stat().st_size * 8 / seconds / 1000,
    )  # fmt: skip


def clips(folder: Path) -> Iterator[Path]:
    """The videos of a folder that are no HDR."""
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS):
        video = checks.streams(path).first("video")
        if video is not None and video.get("color_transfer") not in _HDR:
            yield path


def of_files(scores: Sequence[Score]) -> Iterator[str]:
    """The table of one codec: a line for each file."""
    yield "| file | " + " | ".join(TIERS) + " |"
    yield "| --- |" + " --- |" * len(TIERS)
    for source in dict.fromkeys(score.source for score in scores):
        own = [score for score in scores if score.source == source]
        cells = [f"{score.vmaf:.1f}, {score.ssim:.4f}, {score.kilobits:,.0f} kb/s" for score in own]
        yield f"| {source} | " + " | ".join(cells) + " |"


def of_codecs(scores: Sequence[Score]) -> Iterator[str]:
    """The table of means: a line for each codec and tier; sizes are those of H.264's `medium` at 1."""
    yield "| codec | tier | VMAF | worst file | worst frames | SSIM | size |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    usual = {score.source: score.kilobits for score in scores if (score.codec, score.tier) == ("h264", "medium")}
    for codec in dict.fromkeys(score.codec for score in scores):
        for tier in TIERS:
            own = [score for score in scores if (score.codec, score.tier) == (codec, tier)]
            size = geometric_mean([score.kilobits / usual[score.source] for score in own]) if usual else None
            cells = [
                f"{fmean(score.vmaf for score in own):.1f}",
                f"{min(score.vmaf for score in own):.1f}",
                f"{fmean(score.worst for score in own):.1f}",
                f"{fmean(score.ssim for score in own):.4f}",
                "-" if size is None else f"{size:.2f}",
            ]
            yield f"| {codec} | {tier} | " + " | ".join(cells) + " |"


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--codecs", default=",".join(get_args(VideoCodec)), help="as h264,av1; else all")
    options = parser.parse_args()
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as home, Worker(Path(home) / "worker", service="video") as worker:
        studio, log = Studio(worker), Path(home) / "vmaf.json"
        found = list(clips(options.folder.resolve()))
        for codec in options.codecs.split(","):
            own = [scored(studio, source, codec, tier, log) for source in found for tier in TIERS]
            scores += own
            sys.stdout.write("\n".join([f"{codec}: VMAF, SSIM, rate", "", *of_files(own), "", ""]))
            sys.stdout.flush()
    sys.stdout.write("\n".join([*of_codecs(scores), ""]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
