"""A text file as a page."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from processors.document import apart
from processors.document.kinds import Kind
from processors.document.model import Page
from processors.document.text import html, markdown, plain
from processors.document.text.charsets import codec_of
from processors.worker.context import Rejected

MOST_BYTES = 64 * 1024 * 1024
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_CHARSET = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w-]{2,40})|^<\?xml[^>]{0,100}?\sencoding\s*=\s*[\"']([\w-]{2,40})",
    re.IGNORECASE,
)
_HEAD_BYTES = 4096

_PAGE: TypeAdapter[Page] = TypeAdapter(Page)


@dataclass(frozen=True, slots=True)
class Text:
    """What a text file holds."""

    page: Page
    title: str = ""
    language: str | None = None
    is_guessed: bool = False  #: whether its encoding is, because it says nothing and is no UTF-8


def read(path: Path, name: str, kind: Kind) -> Text:
    """Read a text file, apart.

    Raises:
        Rejected: it is too large, in no known encoding, or its reading takes too much.
    """
    page, title, language, is_guessed = apart.call(lambda: _look(path, name, kind), name)
    return Text(_PAGE.validate_python(page), title, language, is_guessed)


def _look(path: Path, name: str, kind: Kind) -> tuple[Any, str, str | None, bool]:
    read = _read(path, name, kind)
    return _PAGE.dump_python(read.page, mode="json"), read.title, read.language, read.is_guessed


def _read(path: Path, name: str, kind: Kind) -> Text:
    if path.stat().st_size > MOST_BYTES:
        raise Rejected(
            "document_too_large", f"{name} is larger than {MOST_BYTES >> 20} MiB, which is too much of text."
        )
    text, is_guessed = decoded(path.read_bytes(), name, is_html=kind == "html")
    match kind:
        case "html":
            if not html.is_bottomless(text):
                return Text(*html.page_of(text), is_guessed)
            page = None
        case "markdown":
            page = markdown.page_of(text)
        case _:
            page = plain.page_of(text)
    if page is None:
        raise Rejected("nested_too_deep", f"{name} is nested deeper than any text that is meant to be read.")
    return Text(page, is_guessed=is_guessed)


def decoded(data: bytes, name: str, *, is_html: bool = False) -> tuple[str, bool]:
    """Decode by mark of order, then by what HTML says of itself, then as UTF-8; what is none is Windows' Latin.

    Returns:
        The text, and whether the last was a mere guess.

    Raises:
        Rejected: it cannot be that either.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace"), False
    found = _CHARSET.search(data[:_HEAD_BYTES]) if is_html else None
    codec = codec_of((found[1] or found[2]).decode()) if found else None
    if codec is not None:
        return data.decode(codec, "replace"), False
    try:
        return data.decode("utf-8"), False
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252"), True
    except UnicodeDecodeError as error:
        raise Rejected(
            "unknown_encoding",
            f"{name} is a text that is not UTF-8 and does not say what it is.",
            "Save it as UTF-8.",
        ) from error
