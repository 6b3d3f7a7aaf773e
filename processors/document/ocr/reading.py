"""A page of a PDF, read from its picture: what stands on it for the structure, and each word for the hidden layer."""

from __future__ import annotations

import time
from collections.abc import Container
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from processors.document.layout.drafts import Draft, Flow
from processors.document.layout.flowing import flow_of
from processors.document.layout.pieces import ASCENT, DESCENT, Piece, Sheet, Word
from processors.document.model import Box, Figure, Table
from processors.document.ocr import engine
from processors.document.ocr.choosing import OcrMode, kept
from processors.document.ocr.frames import Frame, scaled, turned
from processors.document.ocr.hocr import Found, parse
from processors.document.ocr.marks import covered, is_doubtful, is_read, pieces_of, rules_of, sureness, upright
from processors.document.ocr.raster import Raster, drawn_anew, rastered, turned_by
from processors.document.ocr.weight import bold_lines
from processors.document.pdf.images import Images
from processors.document.pdf.reading import sheet_of
from processors.worker.context import HandlerError

_COVERS = 0.5  # of the page, by a picture that is the scan itself and no figure in it


@dataclass(frozen=True, slots=True)
class ReadWord:
    """A word on a page as it is shown; lengths are in points, from the top left."""

    text: str
    confidence: float  #: from 0 to 1
    x: float  #: where its base line begins
    y: float
    dx: float  #: from there to where it ends
    dy: float
    size: float
    is_last: bool  #: of its line


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read of a page."""

    page: int  #: counted from 0
    words: tuple[ReadWord, ...]
    turned: int  #: degrees to the right, by which the page has to be turned to be read
    skew: float  #: degrees, that it is turned to the left beside that
    confidence: float | None  #: of all of it, from 0 to 1; None where nothing was found
    languages: str  #: it was read with
    onto: tuple[float, float, float, float, float, float]  #: a frame: from the page as it is shown to the PDF's space
    replaces: bool = False  #: hidden text that was there before
    drawn: Path | None = None  #: a picture of a page whose text is replaced although it is seen


def read_page(
    document: Any,
    index: int,
    name: str,
    scratch: Path,
    languages: str,
    mode: OcrMode,
    *,
    images: Images | None = None,
    for_layer: bool = False,
) -> tuple[Reading, Flow]:
    """Read a page, counted from 0.

    Args:
        scratch: a directory for its picture.
        languages: as `deu+fra`.
        images: where the pictures on it go, if they are wanted.
        for_layer: whether a PDF is made of it that can be searched.

    Raises:
        HandlerError: its reading was killed, or failed.
        Rejected: its reading takes too much.
    """
    sheet = sheet_of(document, index, name, images)
    raster = rastered(document, index, name, scratch / f"{index:06}.ppm")
    try:
        found, raster = _found(raster, languages)
        bold = bold_lines(raster.path, found)
    except HandlerError as error:
        message = f"Page {index + 1} of {name} cannot be read: {error.message}."
        told = type(error)(error.code, message, error.hint or "Leave it out with --pages.")
        told.signal = error.signal
        raise told from error
    finally:
        for file in scratch.glob(f"{index:06}*.ppm"):
            file.unlink()
    turn = upright(found)
    stays = kept(mode, sheet.pieces)
    boxes = [word.box for piece in stays for word in piece.words]
    words = tuple(word for word in _words(found, raster) if not covered(_box(word), boxes))
    drawn: Path | None = None
    if for_layer and mode == "force" and any(not piece.style.hidden for piece in sheet.pieces):
        drawn = drawn_anew(document, index, name, scratch / f"{index:06}.jpg")
    reading = Reading(
        index,
        words,
        (raster.turned + turn) % 360,
        skew=round(raster.skew, 2),
        confidence=_confidence(words),
        languages=languages,
        onto=raster.onto,
        replaces=mode != "skip-text" and any(piece.style.hidden for piece in sheet.pieces),
        drawn=drawn,
    )
    if not words:
        return reading, flow_of(replace(sheet, pieces=stays), with_words=True, with_rows=True)
    return reading, _flow(sheet, stays, found, raster, turn, bold, reading)


def _found(raster: Raster, languages: str) -> tuple[Found, Raster]:
    """Read a picture; and the other way round, if need be."""
    due = time.monotonic() + engine.PAGE_SECONDS

    def found_on(picture: Raster) -> Found:
        seconds = due - time.monotonic()
        return parse(engine.read(picture.path, languages, dpi=round(picture.dpi), seconds=seconds))

    found = found_on(raster)
    # Of a few words tesseract does not tell which way up they are; where it could tell, it reads none as noise.
    if is_doubtful(found):
        as_shown = raster
        for degrees in (180, 90, 270):
            other = turned_by(as_shown, degrees)
            again = found_on(other)
            if sureness(again) > sureness(found):
                found, raster = again, other
            if not is_doubtful(found):
                break
    return found, raster


def _level(raster: Raster, turn: int) -> Frame:
    """From pixels to points of a sheet whose lines are level."""
    return turned(turn, *raster.pixels).then(scaled(72 / raster.dpi))


def _words(found: Found, raster: Raster) -> list[ReadWord]:
    points = 72 / raster.dpi
    words: list[ReadWord] = []
    for line in found.lines:
        if not is_read(line):
            continue
        level = _level(raster, line.turned)
        back = level.inverse().then(raster.shown)
        size = line.size * points / (ASCENT + DESCENT)
        for mark in line.marks:
            box = level.box(mark.box)
            if line.turned:
                left_base = right_base = level.box(line.box).bottom - line.descent * points
            else:
                left_base, right_base = (line.base_at(x) * points for x in (mark.box.left, mark.box.right))
            x, y = back.point(box.left, left_base)
            to_x, to_y = back.point(box.right, right_base)
            is_last = mark is line.marks[-1]
            words.append(ReadWord(mark.text, mark.confidence, x, y, to_x - x, to_y - y, size, is_last))
    return words


def _box(word: ReadWord) -> Box:
    """Where a word stands on the page as it is shown; of one that is not level, its base line alone."""
    up = ASCENT * word.size if abs(word.dx) > abs(word.dy) else 0.0
    xs, ys = sorted((word.x, word.x + word.dx)), sorted((word.y, word.y + word.dy))
    return Box(xs[0], ys[0] - up, xs[1], ys[1])


def _confidence(words: tuple[ReadWord, ...]) -> float | None:
    total = sum(len(word.text) for word in words)
    return round(sum(word.confidence * len(word.text) for word in words) / total, 3) if total else None


def _flow(
    sheet: Sheet, stays: list[Piece], found: Found, raster: Raster, turn: int, bold: Container[int], reading: Reading
) -> Flow:
    """Bring what was there and what was read together, where lines are level, and the structure back to the page."""
    level = _level(raster, turn)
    onto = raster.shown.inverse().then(level)  # from the page as it is shown
    old = [Piece([_moved(word, onto) for word in piece.words], piece.order) for piece in stays]
    boxes = [word.box for piece in old for word in piece.words]
    pieces: list[Piece] = []
    for piece in pieces_of(found, level, turn, 72 / raster.dpi, bold):
        words = [word for word in piece.words if not covered(word.box, boxes)]
        if words:
            pieces.append(Piece(words, piece.order))
    width, height = (side * 72 / raster.dpi for side in raster.pixels)
    if turn in (90, 270):
        width, height = height, width
    flat = Sheet(
        sheet.number,
        width,
        height,
        [*pieces, *(Piece(piece.words, len(pieces) + number) for number, piece in enumerate(old))],
        rules_of(found, level),
        [
            replace(figure, box=onto.box(figure.box))
            for figure in sheet.figures
            if figure.box is not None and (figure.path is not None or not _covers(figure.box, sheet))
        ],
    )
    shown = turned(reading.turned, raster.width, raster.height)
    flow = flow_of(flat, with_words=True, with_rows=True)
    size = (raster.height, raster.width) if reading.turned in (90, 270) else (raster.width, raster.height)
    return replace(
        _back(flow, level.inverse().then(raster.shown).then(shown)),
        width=size[0],
        height=size[1],
        method="ocr",
        confidence=reading.confidence,
        turned=reading.turned,
    )


def _moved(word: Word, frame: Frame) -> Word:
    if frame == Frame():
        return word
    box = frame.box(word.box)
    return replace(word, left=box.left, right=box.right, base=box.bottom - DESCENT * word.style.size)


def _covers(box: Box, sheet: Sheet) -> bool:
    return box.width * box.height >= _COVERS * sheet.width * sheet.height


def _back(flow: Flow, frame: Frame) -> Flow:
    """Put the boxes where things are on the page, whose lines are not level."""

    def moved(item: Draft | Table | Figure) -> Draft | Table | Figure:
        return item if item.box is None else replace(item, box=_rounded(frame.box(item.box)))

    return replace(
        flow,
        items=tuple(moved(item) for item in flow.items),
        words=tuple(replace(word, box=_rounded(frame.box(word.box))) for word in flow.words),
    )


def _rounded(box: Box) -> Box:
    return Box(*(round(side, 3) for side in (box.left, box.top, box.right, box.bottom)))
