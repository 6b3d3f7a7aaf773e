"""How alike two videos look, by VMAF. Debian's ffmpeg cannot tell; that of the package imageio-ffmpeg can."""

from __future__ import annotations

import functools
import json
import shutil
import subprocess
from typing import Any

from processors.ffmpeg.program import run_ffmpeg
from processors.worker.context import Context, HandlerError

_REPORT = "vmaf.json"  # in the out directory; a name of ours, because it stands among filters


def score(context: Context[Any], made: str, reference: str, *, threads: int) -> float:
    """Measure a video against the one that it was made of; both have the same frames and the same size.

    Args:
        made: a file in the out directory, as is `reference`.

    Returns:
        The mean over all frames, from 0 to 100: 93 is hard to tell apart, 80 is fair (R. Rassool, "VMAF
        reproducibility", IEEE BMSB 2017, has 6 as a difference that is noticed).

    Raises:
        HandlerError: no ffmpeg here can measure it.
    """
    # Times may differ by rounding, so that frames are matched by their numbers. All of them are measured: with
    # n_subsample=5 the mean of a clip of ours was 90.0 instead of 93.1.
    steady = "settb=1/25,setpts=N"
    graph = (
        f"[0:v]{steady}[made];[1:v]{steady}[reference];"
        f"[made][reference]libvmaf=n_threads={threads}:log_fmt=json:log_path={_REPORT}"
    )
    argv = [
        _program(), "-hide_banner", "-nostdin", "-nostats", "-loglevel", "warning", "-progress", "pipe:1",
        "-i", made, "-i", reference, "-lavfi", graph, "-f", "null", "-",
    ]  # fmt: skip
    run_ffmpeg(context, argv, made)
    measured = json.loads((context.out / _REPORT).read_text())
    return float(measured["pooled_metrics"]["vmaf"]["mean"])


def require() -> None:
    """Find out early whether there is an ffmpeg that can measure.

    Raises:
        HandlerError: there is none.
    """
    _program()


@functools.cache
def _program() -> str:
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        pass
    found = shutil.which("ffmpeg")
    if found is not None:
        filters = subprocess.run([found, "-v", "quiet", "-filters"], capture_output=True, text=True).stdout
        if " libvmaf " in filters:
            return found
    raise HandlerError(
        "vmaf_unsupported",
        "targetQuality needs VMAF, which no ffmpeg here can measure.",
        "Choose the engine docker or podman, install the package imageio-ffmpeg, or give quality instead.",
        retryable=False,
    )
