"""Text that is there and not drawn, over a picture of it: for search and for copying."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import pikepdf
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from pikepdf import Array, Dictionary, Name

_UNITS = 1000  # of the font, in its size; every character is as wide as that
_NAME = "Invisible"
_LAST = 0xFFFF
_REPLACEMENT = 0xFFFD
#: from a code to what it says: each is its own number in Unicode; in pieces, because a range has one first byte
_TO_UNICODE = """/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
{ranges}
endcmap CMapName currentdict /CMap defineresource pop end end
"""


@dataclass(frozen=True, slots=True)
class Line:
    """Characters on a base line, in points from the bottom left of a page that is not turned."""

    text: str
    x: float
    y: float
    width: float
    size: float


def font(pdf: pikepdf.Pdf) -> pikepdf.Object:
    """A font that has every character of the basic plane, and draws none; a kilobyte in the file."""
    program = pdf.make_stream(_program(), Length1=len(_program()))
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(f"/{_NAME}"),
        Flags=4,
        FontBBox=Array([0, 0, _UNITS, _UNITS]),
        ItalicAngle=0,
        Ascent=_UNITS,
        Descent=0,
        CapHeight=_UNITS,
        StemV=80,
        FontFile2=program,
    )
    described = Dictionary(
        Type=Name.Font,
        Subtype=Name.CIDFontType2,
        BaseFont=Name(f"/{_NAME}"),
        CIDSystemInfo=Dictionary(Registry=pikepdf.String("Adobe"), Ordering=pikepdf.String("Identity"), Supplement=0),
        FontDescriptor=pdf.make_indirect(descriptor),
        DW=_UNITS,
        CIDToGIDMap=pdf.make_stream(b"\x00\x01" * (_LAST + 1)),
    )
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name(f"/{_NAME}"),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(described)]),
            ToUnicode=pdf.make_stream(_to_unicode()),
        )
    )


def content(lines: Iterable[Line], name: str) -> bytes:
    """What puts lines on a page, stretched to the width that each has there.

    Args:
        name: of the font among the page's resources.
    """
    parts = ["BT 3 Tr"]
    size = 0.0
    for line in lines:
        text = line.text.strip()
        if not text or line.size <= 0:
            continue
        if abs(line.size - size) > 0.05:
            size = round(line.size, 1) or 0.1
            parts.append(f"/{name} {size:g} Tf")
        codes = "".join(f"{ord(char) if ord(char) <= _LAST else _REPLACEMENT:04X}" for char in text)
        stretch = min(1000.0, max(1.0, 100 * line.width / (len(text) * size)))
        parts.append(f"{stretch:.1f} Tz 1 0 0 1 {line.x:.2f} {line.y:.2f} Tm <{codes}> Tj")
    parts.append("ET")
    return "\n".join(parts).encode() if len(parts) > 2 else b""


@cache
def _program() -> bytes:
    builder = FontBuilder(_UNITS, isTTF=True)
    builder.setupGlyphOrder([".notdef", "none"])
    builder.setupCharacterMap({32: "none"})
    builder.setupGlyf({".notdef": Glyph(), "none": Glyph()})
    builder.setupHorizontalMetrics({".notdef": (_UNITS, 0), "none": (_UNITS, 0)})
    builder.setupHorizontalHeader(ascent=_UNITS, descent=0)
    builder.setupNameTable({"familyName": _NAME, "styleName": "Regular", "psName": _NAME})
    builder.setupOS2()
    builder.setupPost()
    with io.BytesIO() as file:
        builder.save(file)
        return file.getvalue()


@cache
def _to_unicode() -> bytes:
    blocks = []
    for start in range(0, 256, 100):  # a list of ranges has at most a hundred, ISO 32000-1, 9.10.3
        highs = range(start, min(256, start + 100))
        ranges = "\n".join(f"<{high:02X}00> <{high:02X}FF> <{high:02X}00>" for high in highs)
        blocks.append(f"{len(highs)} beginbfrange\n{ranges}\nendbfrange")
    return _TO_UNICODE.format(ranges="\n".join(blocks)).encode()
