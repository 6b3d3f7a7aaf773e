"""The fields of a PDF's form and what they hold: the tree of fields itself, where PDFium knows the widgets on pages.

A field that is shown twice is one field, one that is shown nowhere is there as well, and a name is the whole name.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NullObject

from processors.worker.context import Rejected

_MOST_FIELDS = 5000
_MOST_CHOICES = 1000
_MOST_TEXT = 10_000  # characters of one value
_MOST_CHARACTERS = 4_000_000  # of all fields
_READ_ONLY, _REQUIRED = 1, 2  # bits of /Ff, ISO 32000-1, table 221
_MULTILINE, _PASSWORD = 1 << 12, 1 << 13  # of text, table 228
_RADIO, _PUSH = 1 << 15, 1 << 16  # of buttons, table 226
_COMBO = 1 << 17  # of choices, table 230


def fields_of(path: Path, password: str | None, indexes: Collection[int]) -> Iterator[dict[str, Any]]:
    """Read them; to be done apart.

    Args:
        indexes: of the pages that are meant, from 0. A field that is shown on others alone is left out.

    Yields:
        Of each its name, type, value, and where they are said label, default, choices, page, required, readOnly. What
        somebody typed as a password is not told.

    Raises:
        Rejected: pypdf cannot make sense of the form.
    """
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # of what it mends by itself nobody needs to hear
    try:
        with PdfReader(path, strict=False) as reader:
            if reader.is_encrypted:
                reader.decrypt(password or "")
            pages = dict(_pages(reader))
            room = _MOST_CHARACTERS
            for name, field in islice((reader.get_fields() or {}).items(), _MOST_FIELDS):
                about = _field(str(name), field, pages)
                room -= len(str(about))
                if room < 0:
                    return
                if about.get("page") is None or about["page"] - 1 in indexes:
                    yield about
    except Exception as error:  # a damaged form meets it anywhere, with whatever Python has for that
        text = f"The form's fields cannot be read: {type(error).__name__}: {error}"
        raise Rejected("damaged_form", text[:_MOST_TEXT]) from error


def _pages(reader: PdfReader) -> Iterator[tuple[int, int]]:
    """On which page the widget of an object's number is; from 1."""
    for index, page in enumerate(reader.pages):
        notes = page.get("/Annots")
        notes = notes.get_object() if notes is not None else None
        for note in notes if isinstance(notes, ArrayObject) else ():
            if isinstance(note, IndirectObject):
                yield note.idnum, index + 1


def _field(name: str, field: Any, pages: dict[int, int]) -> dict[str, Any]:
    flags = field.get("/Ff", 0)
    flags = flags if isinstance(flags, int) else 0
    kind = _kind(str(field.get("/FT", "")), flags)
    about: dict[str, Any] = {"name": name[:_MOST_TEXT], "type": kind, "value": _value(field.get("/V"))}
    if flags & _PASSWORD and kind == "text":
        about["value"] = "***" if about["value"] else ""
    choices = [_value(each) for each in islice(field.get("/_States_") or (), _MOST_CHOICES)]
    more = {
        "label": _value(field.get("/TU")),
        "default": _value(field.get("/DV")),
        "choices": choices,
        "page": _page(field, pages),
        "required": bool(flags & _REQUIRED),
        "readOnly": bool(flags & _READ_ONLY),
    }
    return about | {key: value for key, value in more.items() if value}


def _kind(type_: str, flags: int) -> str:
    match type_:
        case "/Tx":
            return "text"
        case "/Btn":
            return "button" if flags & _PUSH else "radio" if flags & _RADIO else "checkbox"
        case "/Ch":
            return "combobox" if flags & _COMBO else "listbox"
        case "/Sig":
            return "signature"
        case _:
            return "unknown"


def _page(field: Any, pages: dict[int, int]) -> int | None:
    """Where it is shown first."""
    shown = [field.indirect_reference, *(field.get("/Kids") or ())]
    return next((pages[each.idnum] for each in shown if isinstance(each, IndirectObject) and each.idnum in pages), None)


def _value(value: Any) -> Any:
    """A text, or a list of them; a name without its slash. What is no value, as a signature, is nothing."""
    value = value.get_object() if isinstance(value, IndirectObject) else value
    if isinstance(value, ArrayObject):
        return [_value(each) for each in islice(value, _MOST_CHOICES)]
    if value is None or isinstance(value, (NullObject, DictionaryObject)):
        return ""
    return str(value).removeprefix("/")[:_MOST_TEXT]
