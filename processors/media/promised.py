"""What the headers of WAV and MP3 files promise: FFmpeg takes one that was cut off for one that is shorter."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from processors.ffmpeg.mp3_header import find_note
from processors.ffmpeg.verify import CUT_OFF
from processors.worker.context import Rejected

_UNKNOWN = {0, 0xFFFFFFFF}  # of files that were written to a pipe, and of RF64, which has its sizes elsewhere
_MOST_CHUNKS = 1000
_LEAST_MISSING = 4096  # bytes; some programs count their padding
_HAS_FRAMES, _HAS_BYTES = 1, 2


def refuse_cut_off(path: Path, name: str) -> None:
    """Compare the length that a file tells with the one that it has.

    Raises:
        Rejected: a part of it is missing.
    """
    with path.open("rb") as file:
        promised = _end_of_wav(file) or _end_of_mp3(file)
    whole = path.stat().st_size
    if promised is not None and promised - whole > _LEAST_MISSING:
        share = 100 * (promised - whole) / promised
        raise Rejected("truncated", f"{name} is cut off: {share:.0f} % of it is missing.", CUT_OFF)


def _end_of_wav(file: BinaryIO) -> int | None:
    """Find where the samples end, by the header."""
    file.seek(0)
    if file.read(4) != b"RIFF" or file.read(8)[4:] != b"WAVE":
        return None
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            return None
        size = int.from_bytes(header[4:], "little")
        if header[:4] == b"data":
            return None if size in _UNKNOWN else file.tell() + size
        file.seek(size + size % 2, 1)
    return None


def _end_of_mp3(file: BinaryIO) -> int | None:
    """Find where the frames end, by the note that encoders leave in the first one (Xing's, and LAME's Info)."""
    note = find_note(file)
    if note is None or note.data.startswith(b"VBRI"):
        return None
    flags = int.from_bytes(note.data[4:8], "big")
    at = 8 + (4 if flags & _HAS_FRAMES else 0)
    size = int.from_bytes(note.data[at : at + 4], "big") if flags & _HAS_BYTES else 0
    return note.first + size if size else None
