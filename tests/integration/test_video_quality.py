"""A VMAF that is asked for, measured on what came out by an ffmpeg that can."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.resources.studio import BIKES, Studio


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
    assert found["trials"] <= 5
    assert found["vmaf"] >= target


def test_a_quality_that_cannot_be_had_is_missed_with_a_word(studio: Studio) -> None:
    _, result = studio.make(BIKES, targetQuality=99, resolution="32x32", end=0.4, codec="av1")
    found = result["outputs"][0]["details"]["quality"]
    notes = result["details"].get("notes", [])
    assert found["vmaf"] >= 99 or "cannot be reached" in notes[0]
