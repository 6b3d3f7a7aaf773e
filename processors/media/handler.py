"""The media service's handler. Light, so that an instance is ready early."""

from __future__ import annotations

import shutil

from processors.protocol import Result
from processors.specs import MediaSpec
from processors.worker.context import Context


def check() -> None:
    """Find out before the first attempt what every attempt would fail for."""
    for program in ("ffmpeg", "ffprobe"):
        if shutil.which(program) is None:
            raise SystemExit(f"{program} cannot be found on PATH; on Debian: apt-get install ffmpeg")


def warm() -> None:
    """Load what every attempt needs."""
    import processors.media.work  # noqa: F401


def handle(context: Context[MediaSpec]) -> Result:
    """Do what the spec asks for."""
    from processors.media.work import result

    return result(context)
