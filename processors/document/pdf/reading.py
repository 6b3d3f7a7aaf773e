"""One page of a PDF: its text layer, or all that is on it."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pypdfium2

from processors.document.layout.pieces import Sheet
from processors.document.pdf import pdfium
from processors.document.pdf.drawn import drawn_on
from processors.document.pdf.images import Images
from processors.document.pdf.links import links_of
from processors.document.pdf.placing import placing_of
from processors.document.pdf.tags import tags_of
from processors.document.pdf.text import lines_of, pieces_of
from processors.worker.context import Rejected


def sheet_of(document: Any, index: int, name: str, images: Images | None = None) -> Sheet:
    """Read what is on a page, counted from 0.

    Args:
        images: where pictures go, if they are wanted.
    """
    page = page_at(document, index, name)
    try:
        placing = placing_of(page)
        text_page = page.get_textpage()
        try:
            pieces = pieces_of(
                pdfium.pointer(text_page.raw),
                placing,
                tags_of(page) if document.is_tagged() else {},
                links_of(document, page, placing),
            )
        finally:
            text_page.close()
        save = None if images is None else partial(images.save, page=page)
        rules, figures = drawn_on(pdfium.pointer(page.raw), placing, save)
        return Sheet(index + 1, placing.width, placing.height, pieces, rules, figures)
    finally:
        page.close()


def text_of(document: Any, index: int, name: str) -> str:
    """Read the text of a page in the order of the file, line by line; a word that a hyphen divides is whole again."""
    page = page_at(document, index, name)
    try:
        text_page = page.get_textpage()
        try:
            text: str = text_page.get_text_range()
            if _ARABIC.search(text):  # PDFium turns some ligatures around, which only their places tell
                text = lines_of(pdfium.pointer(text_page.raw), placing_of(page))
        finally:
            text_page.close()
    finally:
        page.close()
    return _clean(text)


def is_pictured(document: Any, index: int, name: str) -> bool:
    """Whether a page has a picture."""
    page = page_at(document, index, name)
    try:
        return bool(drawn_on(pdfium.pointer(page.raw), placing_of(page))[1])
    finally:
        page.close()


def is_blank(document: Any, index: int, name: str) -> bool:
    """Whether nothing is on a page."""
    page = page_at(document, index, name)
    try:
        return bool(pdfium.count_objects(pdfium.pointer(page.raw)) == 0)
    finally:
        page.close()


def _clean(text: str) -> str:
    # PDFium writes U+FFFE where it has found that a word goes on in the next line, and takes the line's end away.
    text = _DIVIDED.sub(lambda found: found[1] if found[1].islower() else f"-{found[1]}", text.replace("\r\n", "\n"))
    return text.translate(_CONTROLS)


_ARABIC = re.compile("[\u0620-\u06ff\ufb50-\ufdff\ufe70-\ufefc]")
_DIVIDED = re.compile("\ufffe(\\w)")
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), 0xFFFE, 0xFFFF, 0xFEFF])


def page_at(document: Any, index: int, name: str) -> Any:
    try:
        return document[index]
    except pypdfium2.PdfiumError as error:
        hint = f"Leave it out with --pages, or repair the file. It is page {index + 1} of {len(document)}."
        raise Rejected("damaged_page", f"Page {index + 1} of {name} cannot be read.", hint) from error
