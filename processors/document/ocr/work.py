"""The part of a job that reads pictures: with which languages, what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from processors.document.ocr.languages import AUTO, checked, together
from processors.document.ocr.pages import Done, find_languages, read_pages, readings
from processors.document.pdf.source import PdfSource
from processors.document.ranges import in_words
from processors.specs import DocumentSpec

_MOST_TOLD = 1000  # pages in the result; JSON has all of them


def read_scanned(source: PdfSource, spec: DocumentSpec, images: Path, done: Done) -> dict[str, Any]:
    """Read the pages that a source has left to be read, and give what the result says of it.

    Raises:
        HandlerError: the reading of a page was killed, or failed.
        Rejected: a language is not installed, or a page takes too much.
    """
    guesses = find_languages(source) if spec.language == AUTO else {}
    languages = (
        together([guess.language if guess else None for guess in guesses.values()])
        if guesses
        else checked(spec.language)
    )
    read_pages(
        source,
        languages,
        spec.ocr_mode,
        images=images if spec.extract_images else None,
        for_layer=bool({"pdf", "pdfa"} & {*spec.output_formats}),
        done=done,
    )
    told: list[dict[str, Any]] = []
    characters, sure = 0, 0.0
    for reading in readings(source):
        length = sum(len(word.text) for word in reading.words)
        characters += length
        sure += length * (reading.confidence or 0.0)
        about = {
            "page": reading.page + 1,
            "confidence": reading.confidence,
            "turned": reading.turned or None,
            "skew": reading.skew or None,
        }
        if len(told) < _MOST_TOLD:
            told.append({key: value for key, value in about.items() if value is not None})
    found: dict[str, Any] = {
        "mode": spec.ocr_mode,
        "language": languages,
        "pages": in_words(source.unread),
        "byPage": told,
    }
    if guesses:
        found["languageByPage"] = [
            {"page": index + 1, "language": guess.language, "confidence": guess.certainty, "clear": guess.is_clear}
            for index, guess in guesses.items()
            if guess is not None
        ]
    return found | ({"confidence": round(sure / characters, 3)} if characters else {})


def notes_of(found: Mapping[str, Any]) -> list[str]:
    """What the result has to say of the languages that were found, as sentences."""
    doubtful = [each for each in found.get("languageByPage", ()) if not each["clear"]]
    return [
        f"What language page {each['page']} is written in is not clear: it looks most like {each['language']}. "
        "The field language says it."
        for each in doubtful
    ]
