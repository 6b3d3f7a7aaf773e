"""Which pages are read from their picture, and which of the text that is there already stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from processors.document.layout.pieces import Piece, Sheet

OcrMode = Literal["skip-text", "redo", "force"]

_COVERED = 0.5  # of the page is pictures: what text there is may be a page number or a stamp upon a scan
_LITTLE = 150  # characters, on a page that is covered; a page of text has two thousand


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What tells whether a page has to be read."""

    visible: int  #: characters that are drawn
    hidden: int  #: characters that are there and not drawn, as over a scan
    pictured: float  #: share of the page that pictures cover
    is_blank: bool  #: nothing at all is drawn


def facts_of(sheet: Sheet, *, is_blank: bool) -> PageFacts:
    """Count what is on a page."""
    visible = hidden = 0
    for piece in sheet.pieces:
        for word in piece.words:
            if word.style.hidden:
                hidden += len(word.text)
            else:
                visible += len(word.text)
    area = sum(figure.box.width * figure.box.height for figure in sheet.figures if figure.box is not None)
    return PageFacts(visible, hidden, min(1.0, area / max(1.0, sheet.width * sheet.height)), is_blank)


def is_to_be_read(mode: OcrMode, facts: PageFacts) -> bool:
    """Say whether a page is read from its picture."""
    if facts.is_blank:
        return False
    if mode == "force" or (mode == "redo" and facts.hidden > 0):
        return True
    characters = facts.visible + facts.hidden
    return characters == 0 or (facts.pictured >= _COVERED and characters < _LITTLE)


def kept(mode: OcrMode, pieces: list[Piece]) -> list[Piece]:
    """The pieces of a page that stay when it is read from its picture as well."""
    match mode:
        case "force":
            return []
        case "redo":
            return [piece for piece in pieces if not piece.style.hidden]
        case _:
            return pieces
