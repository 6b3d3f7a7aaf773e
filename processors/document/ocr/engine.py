"""The one place that runs tesseract, through pytesseract. Its processes inherit the limits of the one that calls.

A page is read on one processor: several pages at once are faster than one page on several processors, by far.
"""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytesseract

from processors.worker.context import HandlerError, Rejected

PAGE_SECONDS = 150.0  # for one page in all its passes; a dense page takes 3 to 8 on one processor
_FORMAT = "hocr"  # words with places, sizes and confidence
_SCRIPT_ONLY = "osd"  # a model that finds orientation and script, and reads nothing
_SURE_OF_SCRIPT = 1.0  # tesseract's own measure, from 0 on


@dataclass(frozen=True, slots=True)
class Installed:
    """What tesseract has here."""

    languages: tuple[str, ...]
    directory: Path  #: of its models


@cache
def installed() -> Installed:
    """Ask which languages there are; once in a process.

    Raises:
        Rejected: there is no tesseract.
    """
    try:
        made = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError) as error:
        hint = "Install tesseract; on Debian: apt-get install tesseract-ocr."
        raise Rejected("ocr_not_installed", "Pictures cannot be read here: tesseract does not run.", hint) from error
    head, *names = made.stdout.splitlines()
    directory = head.partition('"')[2].partition('"')[0]
    return Installed(tuple(sorted(name for name in names if name and name != _SCRIPT_ONLY)), Path(directory))


def read(picture: Path, languages: str, *, dpi: int, seconds: float, mode: int = 1) -> bytes:
    """Read a picture, and give hOCR.

    Args:
        picture: a file in a format without compression, so that no time goes into that.
        languages: as `deu+fra`.
        seconds: that it may take.
        mode: tesseract's way to find text; 1 finds columns, and which way up the page is.

    Raises:
        HandlerError: it was killed, or failed.
        Rejected: it takes too long, or more memory than a page may have.
    """
    os.environ["OMP_THREAD_LIMIT"] = "1"
    options = f"--psm {mode} --dpi {dpi}"
    try:
        return bytes(
            pytesseract.image_to_pdf_or_hocr(
                str(picture), lang=languages, config=options, extension=_FORMAT, timeout=max(1.0, seconds)
            )
        )
    except pytesseract.TesseractError as error:
        raise _failure(error.status, str(error.message)) from error
    except RuntimeError as error:
        raise Rejected("ocr_too_slow", f"its reading takes longer than {PAGE_SECONDS:g} s") from error


def script(picture: Path, *, dpi: int, seconds: float) -> str | None:
    """Say in which script the text on a picture is, as `Latin`; None where there is too little of it to tell."""
    os.environ["OMP_THREAD_LIMIT"] = "1"
    try:
        said = pytesseract.image_to_osd(
            str(picture), config=f"--dpi {dpi}", timeout=max(1.0, seconds), output_type=pytesseract.Output.DICT
        )
    except (pytesseract.TesseractError, RuntimeError):
        return None
    return str(said["script"]) if said.get("script_conf", 0) >= _SURE_OF_SCRIPT else None


def _failure(status: int, words: str) -> HandlerError:
    if status == -signal.SIGKILL:  # the kernel's, for memory: a larger instance may have enough
        error = HandlerError("page_killed", "its reading was killed, as what takes too much memory is")
        error.signal = signal.SIGKILL
        return error
    if status < 0:  # it ends itself by abort when it gets no memory
        return Rejected("page_unreadable", f"its reading ended by {signal.Signals(-status).name}, as without memory")
    return HandlerError("ocr_failed", f"its reading failed: {words[-300:].strip() or f'status {status}'}")
