"""What the header of a WAV file promises: FFmpeg takes a file that was cut off for one that is shorter."""

from __future__ import annotations

from pathlib import Path

from processors.ffmpeg.verify import CUT_OFF
from processors.worker.context import Rejected

_UNKNOWN = {0, 0xFFFFFFFF}  # of files that were written to a pipe, and of RF64, which has its sizes elsewhere
_MOST_CHUNKS = 1000
_LEAST_MISSING = 4096  # bytes; some programs count their padding


def refuse_cut_off(path: Path, name: str) -> None:
    """Compare the length that a WAV file tells with the one that it has.

    Raises:
        Rejected: a part of it is missing.
    """
    whole = path.stat().st_size
    with path.open("rb") as file:
        if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
            return
        for _ in range(_MOST_CHUNKS):
            header = file.read(8)
            if len(header) < 8:
                return
            size = int.from_bytes(header[4:], "little")
            if header[:4] == b"data":
                missing = file.tell() + size - whole
                if size not in _UNKNOWN and missing > _LEAST_MISSING:
                    share = 100 * missing / (whole + missing)
                    raise Rejected("truncated", f"{name} is cut off: {share:.0f} % of it is missing.", CUT_OFF)
                return
            file.seek(size + size % 2, 1)
