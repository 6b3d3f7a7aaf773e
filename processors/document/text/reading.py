"""A text file as a page."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from processors.document import apart
from processors.document.kinds import Kind
from processors.document.model import Page
from processors.document.text import html, markdown, plain
from processors.worker.context import Rejected

MOST_BYTES = 64 * 1024 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)
_HEAD_BYTES = 4096

_PAGE: TypeAdapter[Page] = TypeAdapter(Page)


def read(path: Path, name: str, kind: Kind) -> tuple[Page, str, str | None]:
    """Read a text file, apart: its one page, its title, its language.

    Raises:
        Rejected: it is too large, or its reading takes too much.
    """
    page, title, language = apart.call(lambda: _look(path, name, kind), name)
    return _PAGE.validate_python(page), title, language


def _look(path: Path, name: str, kind: Kind) -> tuple[Any, str, str | None]:
    page, title, language = _read(path, name, kind)
    return _PAGE.dump_python(page, mode="json"), title, language


def _read(path: Path, name: str, kind: Kind) -> tuple[Page, str, str | None]:
    if path.stat().st_size > MOST_BYTES:
        raise Rejected(
            "document_too_large", f"{name} is larger than {MOST_BYTES >> 20} MiB, which is too much of text."
        )
    text = decoded(path.read_bytes(), is_html=kind == "html")
    match kind:
        case "html":
            if not html.is_bottomless(text):
                return html.page_of(text)
            page = None
        case "markdown":
            page = markdown.page_of(text)
        case _:
            page = plain.page_of(text)
    if page is None:
        raise Rejected("nested_too_deep", f"{name} is nested deeper than any text that is meant to be read.")
    return page, "", None


def decoded(data: bytes, *, is_html: bool = False) -> str:
    """Decode by mark of order, then by what HTML says of itself, then as UTF-8; what is none is Windows' Latin."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if is_html and (found := _CHARSET.search(data[:_HEAD_BYTES])):
        try:
            # A file that is read as bytes is no UTF-16, whatever it says; so does the HTML standard.
            encoding = codecs.lookup(found[1].decode()).name
            return data.decode("utf-8" if encoding.startswith("utf-16") else encoding, "replace")
        except LookupError:
            pass
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")
