"""Pictures of pages, and sheets with many small ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from processors.document import apart
from processors.document.pdf.opening import opened
from processors.document.pdf.reading import page_at
from processors.document.ranges import pages_of
from processors.specs.document import PreviewOptions
from processors.worker.context import Rejected
from processors.worker.threads import granted_threads

MOST_PREVIEWS = 2000  # of one job
_BATCH = 8
_SHEET_ROWS = 10  # of a contact sheet; more pages make more sheets
_SMALL = 200  # pixels: the width of the box of a page on a contact sheet; its height is by the shape of A4
_SMALL_HEIGHT = 283
_MARGIN = 10  # pixels between them
_POINTS_PER_PIXEL_LEAST = 1e-5  # of a page that is larger than any paper: its scale goes no lower

_FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Preview:
    """A picture that was made."""

    path: str  #: below the out directory
    page: int | None  #: from 1; None of a contact sheet
    width: int
    height: int


def chosen(options: PreviewOptions, indexes: Sequence[int], count: int, name: str) -> list[int]:
    """Which pages are pictured, counted from 0.

    Args:
        indexes: the pages that the job is about.
        count: those of the whole document.

    Raises:
        Rejected: there are no such pages, or too many.
    """
    match options.pages:
        case "first":
            return list(indexes[:1])
        case "all":
            pages = list(indexes)
        case text:
            pages = pages_of(text, count, name)
    if len(pages) > MOST_PREVIEWS:
        hint = "Choose pages with preview.pages, or take a contact sheet."
        raise Rejected("too_many_previews", f"{len(pages)} pictures of pages are more than {MOST_PREVIEWS}.", hint)
    return pages


def pictures(
    path: Path,
    name: str,
    password: str | None,
    indexes: Sequence[int],
    options: PreviewOptions,
    out: Path,
    done: Callable[[int, int], None],
) -> Iterator[Preview]:
    """Make a picture of each page, below `out`.

    Raises:
        Rejected: a page cannot be drawn.
    """
    by_page: dict[int, Preview] = {}

    def work(batch: Sequence[int], say: apart.Say) -> None:
        with opened(path, name, password) as document:
            document.init_forms()
            for index in batch:
                picture = _drawn(document, index, name, options.width, options.height)
                target = file_of(index, options)
                _save(picture, out / target, options)
                say({"page": index, "size": picture.size})

    at_once = granted_threads() if len(indexes) > 1 else 1
    for value in apart.each_batch(_batches(indexes, at_once), work, name, at_once=at_once):
        width, height = value["size"]
        by_page[value["page"]] = Preview(file_of(value["page"], options), value["page"] + 1, width, height)
        done(len(by_page), len(indexes))
    return (by_page[index] for index in indexes)


def contact_sheets(
    path: Path,
    name: str,
    password: str | None,
    indexes: Sequence[int],
    options: PreviewOptions,
    out: Path,
    done: Callable[[int, int], None],
) -> Iterator[Preview]:
    """Make sheets with a small picture of each page."""
    per_sheet = options.columns * _SHEET_ROWS
    sheets = [indexes[start : start + per_sheet] for start in range(0, len(indexes), per_sheet)]
    made: dict[int, Preview] = {}
    finished = 0

    def work(batch: Sequence[int], say: apart.Say) -> None:
        with opened(path, name, password) as document:
            document.init_forms()
            for number in batch:
                sheet = _sheet(document, name, sheets[number], options.columns, lambda: say({"page": -1}))
                target = _sheet_name(number, len(sheets), options)
                _save(sheet, out / target, options)
                say({"page": number, "size": sheet.size})

    batches = [(number,) for number in range(len(sheets))]
    for value in apart.each_batch(batches, work, name, at_once=min(len(sheets), granted_threads())):
        if value["page"] >= 0:
            path_of = _sheet_name(value["page"], len(sheets), options)
            made[value["page"]] = Preview(path_of, None, *value["size"])
        else:
            finished += 1
            done(min(finished, len(indexes)), len(indexes))
    return (made[number] for number in range(len(sheets)))


def file_of(index: int, options: PreviewOptions) -> str:
    """What the picture of a page is called."""
    return f"preview.{options.format}" if options.pages == "first" else f"preview-{index + 1:04}.{options.format}"


def _sheet_name(number: int, count: int, options: PreviewOptions) -> str:
    return f"contact-sheet.{options.format}" if count == 1 else f"contact-sheet-{number + 1:03}.{options.format}"


def _batches(indexes: Sequence[int], at_once: int) -> list[Sequence[int]]:
    size = min(_BATCH, max(1, -(-len(indexes) // at_once)))
    return [indexes[start : start + size] for start in range(0, len(indexes), size)]


def _sheet(document: Any, name: str, indexes: Sequence[int], columns: int, drawn: Callable[[], None]) -> Image.Image:
    columns = min(columns, len(indexes))
    rows = -(-len(indexes) // columns)
    size = (columns * (_SMALL + _MARGIN) + _MARGIN, rows * (_SMALL_HEIGHT + _MARGIN) + _MARGIN)
    sheet = Image.new("RGB", size, (228, 228, 228))
    for number, index in enumerate(indexes):
        picture = _drawn(document, index, name, _SMALL, _SMALL_HEIGHT)
        x = _MARGIN + number % columns * (_SMALL + _MARGIN) + (_SMALL - picture.width) // 2
        y = _MARGIN + number // columns * (_SMALL_HEIGHT + _MARGIN) + (_SMALL_HEIGHT - picture.height) // 2
        sheet.paste(picture, (x, y))
        drawn()
    return sheet


def _drawn(document: Any, index: int, name: str, width: int, height: int) -> Image.Image:
    """Draw a page into a box, on white, with its annotations and the values of its forms.

    Args:
        document: of pypdfium2's, with its forms ready.
    """
    page = page_at(document, index, name)
    try:
        page_width, page_height = page.get_size()
        scale = min(width / max(page_width, 1.0), height / max(page_height, 1.0))
        bitmap = page.render(scale=max(scale, _POINTS_PER_PIXEL_LEAST), may_draw_forms=True)
        picture: Image.Image = bitmap.to_pil().convert("RGB")
        bitmap.close()
        return picture.crop((0, 0, min(picture.width, width), min(picture.height, height)))
    finally:
        page.close()


def _save(picture: Image.Image, target: Path, options: PreviewOptions) -> None:
    if options.format == "png":
        picture.save(target, "PNG")
    else:
        picture.save(target, _FORMATS[options.format], quality=options.quality)
