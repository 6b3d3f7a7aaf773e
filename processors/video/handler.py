"""The video service's handler. Light, so that an instance is ready early: FFmpeg's libraries take 80 ms to load."""

from __future__ import annotations

import shutil

from processors.protocol import Result
from processors.specs import VideoSpec
from processors.worker.context import Context


def check() -> None:
    """Find out before the first attempt what every attempt would fail for."""
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} cannot be found on PATH; on Debian: apt-get install ffmpeg")


def warm() -> None:
    """Load what every attempt needs."""
    import processors.video.work  # noqa: F401


def handle(context: Context[VideoSpec]) -> Result:
    """Do what the spec asks for."""
    from processors.video.work import result

    return result(context)
