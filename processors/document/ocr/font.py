"""The font of the hidden layer: tesseract's, whose only glyph is empty and stands for every character."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    IndirectObject,
    NameObject,
    NumberObject,
    StreamObject,
    TextStringObject,
)

WIDTH = 0.5  #: of the size: how wide every character is

_LEAST_PACKED = 100  # bytes
_NAME = "/GlyphLessFont"
#: every code is its own character, of UTF-16
_UNICODE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
1 beginbfrange <0000> <FFFF> <0000> endbfrange
endcmap CMapName currentdict /CMap defineresource pop end end"""


def glyphless(writer: PdfWriter, file: Path) -> IndirectObject:
    """Add the font to a PDF, once for all of its pages; it takes about a kilobyte.

    Args:
        file: the TrueType font.
    """
    data = file.read_bytes()
    descriptor = {
        "/Type": "/FontDescriptor",
        "/FontName": _NAME,
        "/Flags": 5,  # of fixed pitch, and no letters
        "/FontBBox": [0, 0, int(1000 * WIDTH), 1000],
        "/ItalicAngle": 0,
        "/Ascent": 1000,
        "/Descent": -1,
        "/CapHeight": 1000,
        "/StemV": 80,
        "/FontFile2": packed(writer, data, {"/Length1": len(data)}),
    }
    system = {"/Registry": TextStringObject("Adobe"), "/Ordering": TextStringObject("Identity"), "/Supplement": 0}
    descendant = {
        "/Type": "/Font",
        "/Subtype": "/CIDFontType2",
        "/BaseFont": _NAME,
        "/CIDSystemInfo": named(system),
        "/CIDToGIDMap": packed(writer, b"\0\1" * 65536),
        "/DW": int(1000 * WIDTH),
        "/FontDescriptor": writer._add_object(named(descriptor)),
    }
    font = {
        "/Type": "/Font",
        "/Subtype": "/Type0",
        "/BaseFont": _NAME,
        "/Encoding": "/Identity-H",
        "/DescendantFonts": [writer._add_object(named(descendant))],
        "/ToUnicode": packed(writer, _UNICODE),
    }
    return writer._add_object(named(font))


def packed(writer: PdfWriter, data: bytes, about: Mapping[str, Any] | None = None) -> IndirectObject:
    """Add a stream to a PDF, which is packed unless it says how it is, or is short."""
    stream = StreamObject()
    stream.update(named(about or {}))
    if len(data) >= _LEAST_PACKED and "/Filter" not in stream:
        data = zlib.compress(data, 9)
        stream[NameObject("/Filter")] = NameObject("/FlateDecode")
    stream._data = data
    return writer._add_object(stream)


def named(values: Mapping[str, Any]) -> DictionaryObject:
    """Make a dictionary of a PDF; what begins with a slash is a name."""
    return DictionaryObject({NameObject(key): _object(value) for key, value in values.items()})


def _object(value: Any) -> Any:
    match value:
        case list():
            return ArrayObject([_object(each) for each in value])
        case int():
            return NumberObject(value)
        case str() if value.startswith("/"):
            return NameObject(value)
        case _:
            return value
