"""How the text of a page looks: size, weight, slant, pitch, and whether it is drawn at all."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping
from ctypes import byref, c_int
from functools import lru_cache

from processors.document.layout.pieces import Style
from processors.document.pdf import pdfium
from processors.document.pdf.placing import Placing

_FIXED_PITCH, _ITALIC, _FORCE_BOLD = 1, 64, 1 << 18  # flags of a font descriptor, ISO 32000-1, 9.8.2
_INVISIBLE, _FILL_AND_STROKE = 3, 2  # text rendering modes, ISO 32000-1, 9.3.6
_BOLD_WEIGHT = 600

_MATRIX = pdfium.Matrix()
_MATRIX_REF = byref(_MATRIX)


class Styles:
    """How text objects look, by PDFium's handle."""

    def __init__(self, text_page: int, placing: Placing, tags: Mapping[int, str]) -> None:
        self._page = text_page
        self._placing = placing
        self._tags = tags
        self._known: dict[int | None, Style] = {}
        self._fonts: dict[int | None, tuple[bool, bool, bool]] = {}

    def of(self, index: int, handle: int | None) -> Style:
        style = self._known.get(handle)
        if style is None:
            style = self._known[handle] = self._look(index, handle)
        return style

    def _look(self, index: int, handle: int | None) -> Style:
        scale, angle = 1.0, 0
        if pdfium.char_matrix(self._page, index, _MATRIX_REF):
            matrix = _MATRIX
            scale = math.hypot(matrix.c, matrix.d) or 1.0
            if matrix.b or matrix.a < 0 or not self._placing.is_upright:
                angle = self._placing.angle(matrix.a, matrix.b)
        mode = pdfium.render_mode(handle) if handle else 0
        bold, italic, fixed = self._font(index, handle)
        return Style(
            size=round(abs(pdfium.font_size(self._page, index)) * scale * 4) / 4,
            bold=bold or mode == _FILL_AND_STROKE,
            italic=italic,
            fixed=fixed,
            hidden=mode == _INVISIBLE,
            tag=self._tags.get(pdfium.content_id(handle), "") if handle and self._tags else "",
            angle=angle,
        )

    def _font(self, index: int, handle: int | None) -> tuple[bool, bool, bool]:
        """Whether the font of a character is bold, italic, of fixed pitch."""
        font = pdfium.font_of(handle) if handle else None
        known = self._fonts.get(font)
        if known is None:
            flags = c_int()
            buffer = ctypes.create_string_buffer(128)
            length = pdfium.font_info(self._page, index, buffer, 128, byref(flags))
            name = buffer.value.decode("utf-8", "replace") if 0 < length <= 128 else ""
            bold, italic, fixed = _by_name(name)
            weight = pdfium.font_weight(self._page, index)
            known = self._fonts[font] = (
                bold or weight >= _BOLD_WEIGHT or bool(flags.value & _FORCE_BOLD),
                italic or bool(flags.value & _ITALIC),
                fixed or bool(flags.value & _FIXED_PITCH),
            )
        return known


@lru_cache(maxsize=512)
def _by_name(name: str) -> tuple[bool, bool, bool]:
    """Whether a font is bold, italic, of fixed pitch, by its name."""
    plain = name.rpartition("+")[2].lower()
    bold = any(part in plain for part in ("bold", "black", "heavy", "-bd", "cmbx", "sfbx", "medi", "semib", "demi"))
    italic = any(part in plain for part in ("italic", "oblique", "-it", "cmti", "sfti", "ital"))
    fixed = any(part in plain for part in ("mono", "courier", "consol", "typewriter", "cmtt", "sftt", "menlo", "code"))
    return bold and "medium" not in plain, italic, fixed
