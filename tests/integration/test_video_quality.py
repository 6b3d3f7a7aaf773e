"""A VMAF that is asked for, measured on what came out by an ffmpeg that can."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.resources.studio import BIKES, Studio, ffmpeg


def vmaf(made: Path, reference: Path) -> float:
    graph = "[1:v]scale=320:136[reference];[0:v][reference]libvmaf=n_subsample=3"
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-i",
        made,
        "-t",
        "3",
        "-i",
        reference,
        "-lavfi",
        graph,
        "-f",
        "null",
        "-",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stderr
    found = re.search(r"VMAF score: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


@pytest.mark.parametrize(("codec", "target"), [("h264", 90), ("av1", 85)])
def test_the_picture_has_the_quality_that_was_asked_for(studio: Studio, codec: str, target: float) -> None:
    out, result = studio.make(BIKES, codec=codec, targetQuality=target, resolution="320x136", end=3)
    found = result["outputs"][0]["details"]["quality"]
    assert target - 1 <= vmaf(out / "video.mp4", BIKES) <= target + 3
    assert found["trials"] <= 7
    assert found["vmaf"] >= target


def test_a_quality_that_cannot_be_had_is_missed_with_a_word(studio: Studio, tmp_path: Path) -> None:
    noise = tmp_path / "noise.mkv"  # nothing is harder to encode
    chain = "color=gray:s=128x128:r=25:d=0.4,noise=alls=100:allf=t"
    ffmpeg("-f", "lavfi", "-i", chain, "-c:v", "ffv1", noise)
    _, result = studio.make(noise, targetQuality=99, outputFormat="webm")
    found = result["outputs"][0]["details"]["quality"]
    assert found["vmaf"] < 99
    assert "VMAF 99 cannot be reached" in result["details"]["notes"][0]
    assert found["crf"] <= 20
