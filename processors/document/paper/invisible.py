"""Text that is there and not drawn, over a picture of it: for search and for copying."""

from __future__ import annotations

import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pikepdf
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph
from pikepdf import Array, Dictionary, Name

WIDTH = 0.5  #: of its size: how wide every character is

_UNITS = 1000  # of the font, in its size
_ADVANCE = int(WIDTH * _UNITS)
_OUTLINE = _UNITS // 4  # how high the only glyph is
_LEVEL = 1e-3  # less is no slope
_LEAST_PACKED = 100  # bytes
_NAME = "Invisible"
_LAST = 0xFFFF
#: from a code to what it says: each is its own number in UTF-16. One range, as tesseract has it: pieces with one first
#: byte each, as Adobe's note on CMaps has them, are read no better and take 1.5 KB.
_TO_UNICODE = b"""/CIDInit /ProcSet findresource begin 12 dict begin begincmap
/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def
/CMapName /Adobe-Identity-UCS def /CMapType 2 def
1 begincodespacerange <0000> <FFFF> endcodespacerange
1 beginbfrange <0000> <FFFF> <0000> endbfrange
endcmap CMapName currentdict /CMap defineresource pop end end"""


@dataclass(frozen=True, slots=True)
class Run:
    """Characters on a base line, in the space of a page."""

    text: str
    x: float  #: where it begins
    y: float
    dx: float  #: from there to where it ends
    dy: float
    size: float
    spaced: bool = False  #: a space follows, as wide as each of the characters


def font(pdf: pikepdf.Pdf) -> pikepdf.Object:
    """A font that has every character of the basic plane, and draws none; a kilobyte in the file."""
    program = squeezed(pdf, _program(), Length1=len(_program()))
    descriptor = Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name(f"/{_NAME}"),
        Flags=5,  # of fixed pitch, and no letters
        FontBBox=Array([0, 0, _ADVANCE, _UNITS]),
        ItalicAngle=0,
        Ascent=_UNITS,
        Descent=-1,
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
        DW=_ADVANCE,
        CIDToGIDMap=squeezed(pdf, b"\x00\x01" * (_LAST + 1)),
    )
    return pdf.make_indirect(
        Dictionary(
            Type=Name.Font,
            Subtype=Name.Type0,
            BaseFont=Name(f"/{_NAME}"),
            Encoding=Name("/Identity-H"),
            DescendantFonts=Array([pdf.make_indirect(described)]),
            ToUnicode=squeezed(pdf, _TO_UNICODE),
        )
    )


def content(runs: Iterable[Run], name: str) -> bytes:
    """What puts text on a page, stretched to the width that each run has there; nothing where there is none.

    Args:
        name: of the font among the page's resources.
    """
    parts = ["BT 3 Tr"]
    size = stretch = -1.0
    for run in runs:
        codes = run.text.encode("utf-16-be", "replace")  # what is beyond the basic plane has two
        width = math.hypot(run.dx, run.dy)
        if not codes or width <= 0 or run.size <= 0:
            continue
        if (now := round(run.size, 1) or 0.1) != size:
            size = now
            parts.append(f"/{name} {size:g} Tf")
        if (now := round(100 * width / (len(codes) / 2 * WIDTH * size), 1)) != stretch:
            stretch = now
            parts.append(f"{stretch:g} Tz")
        cos, sin = run.dx / width, run.dy / width
        turn = f"{cos:.4g} {sin:.4g} {-sin:.4g} {cos:.4g}" if abs(sin) > _LEVEL or cos < 0 else "1 0 0 1"
        text = codes.hex() + ("0020" if run.spaced else "")
        parts.append(f"{turn} {run.x:.2f} {run.y:.2f} Tm <{text}> Tj")
    parts.append("ET")
    return "\n".join(parts).encode() if len(parts) > 2 else b""


def squeezed(pdf: pikepdf.Pdf, data: bytes, **about: Any) -> pikepdf.Stream:
    """A stream, packed as small as it gets; what is short is left as it is."""
    if len(data) < _LEAST_PACKED:
        return pdf.make_stream(data, **about)
    return pdf.make_stream(zlib.compress(data, 9), Filter=Name.FlateDecode, **about)


def _box() -> Glyph:
    """The outline of the one glyph, which is never drawn: PDFium does not find characters that have none.

    Low, because it takes characters whose outlines are beside each other for one line: of a page that was askew by 1.8
    degrees, 11 of 82 lines came out as lines with a whole em, 72 with a quarter.
    """
    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    for corner in ((0, _OUTLINE), (_ADVANCE, _OUTLINE), (_ADVANCE, 0)):
        pen.lineTo(corner)
    pen.closePath()
    return pen.glyph()


@cache
def _program() -> bytes:
    builder = FontBuilder(_UNITS, isTTF=True)
    builder.setupGlyphOrder([".notdef", "none"])
    builder.setupCharacterMap({32: "none"})
    builder.setupGlyf({".notdef": Glyph(), "none": _box()})
    builder.setupHorizontalMetrics({".notdef": (_ADVANCE, 0), "none": (_ADVANCE, 0)})
    builder.setupHorizontalHeader(ascent=_UNITS, descent=0)
    builder.setupNameTable({"psName": _NAME})
    builder.setupPost()
    with io.BytesIO() as file:
        builder.save(file)
        return file.getvalue()
