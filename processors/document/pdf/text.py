"""From the characters of a page to words and pieces, with how they look."""

from __future__ import annotations

import ctypes
import math
import unicodedata
from collections.abc import Mapping, Sequence
from ctypes import byref, c_double, c_int
from dataclasses import replace
from functools import lru_cache

from processors.document.layout.inline import HYPHEN
from processors.document.layout.markers import is_lone_marker
from processors.document.layout.pieces import Piece, Style, Word
from processors.document.model import Box
from processors.document.pdf import pdfium
from processors.document.pdf.placing import Placing

MOST_CHARS = 500_000  # of a page; a full page of the smallest print has 30,000
_GAP_SIZES = 1.0  # of the size: words farther apart are two pieces
_MARKER_SIZES = 3.5  # of the size, that an item may stand from its bullet
_RAISED_SIZES = 0.15  # of the size, that a superscript stands above its line
_SPACE = 0.15  # of the size, that a space is wide at least
_RAISED_SCALE = 0.85
_FIXED_PITCH, _ITALIC, _FORCE_BOLD = 1, 64, 1 << 18  # flags of a font descriptor, ISO 32000-1, 9.8.2
_INVISIBLE, _FILL_AND_STROKE = 3, 2  # text rendering modes, ISO 32000-1, 9.3.6
_BOLD_WEIGHT = 600


def pieces_of(
    text_page: int, placing: Placing, tags: Mapping[int, str], links: Sequence[tuple[Box, str]]
) -> list[Piece]:
    """Read the pieces of a page in the order of the file.

    Args:
        text_page: PDFium's handle.
        tags: what the file says of its parts, by the number of a part.
    """
    words, breaks = _words(text_page, placing, tags)
    if links:
        words = [_linked(word, links) for word in words]
    pieces: list[Piece] = []
    line: list[Word] = []
    for index, word in enumerate(words):
        if line and index in breaks and _is_formula(line, word):
            word = replace(word, spaced=word.left - line[-1].right > _SPACE * word.style.size)
        elif line and (index in breaks or _is_apart(line, word)) and not _follows_marker(line, word):
            pieces.append(Piece(_with_raised(line), len(pieces)))
            line = []
        line.append(word)
    if line:
        pieces.append(Piece(_with_raised(line), len(pieces)))
    return pieces


def lines_of(text_page: int, placing: Placing) -> str:
    """Read the text of a page in the order of the file, line by line."""
    words, breaks = _words(text_page, placing, {})
    parts: list[str] = []
    for index, word in enumerate(words):
        parts.append("\n" if index in breaks else " " if word.spaced and index else "")
        parts.append(word.text)
    return "".join(parts).replace(HYPHEN + "\n", "").replace(HYPHEN, "")


def _follows_marker(line: list[Word], word: Word) -> bool:
    """Whether a line is a bullet or a number so far, and this is what it stands before."""
    marker = line[0]
    if len(line) > 1 or not is_lone_marker(marker.text) or marker.style.angle != word.style.angle:
        return False
    size = max(marker.style.size, word.style.size)
    return abs(marker.base - word.base) < 0.35 * size and 0 <= word.left - marker.right < _MARKER_SIZES * size


def _is_formula(line: list[Word], word: Word) -> bool:
    """Whether a word goes on right after a line, a little higher or lower: PDFium takes that for another line."""
    main = max(line, key=lambda each: each.style.size)
    size = main.style.size
    gap = word.left - line[-1].right
    if not -0.3 * size < gap < 0.6 * size or main.style.angle != word.style.angle:
        return False
    offset = abs(word.base - main.base)
    if offset < 0.05 * size:
        return line[-1].style.size <= _RAISED_SCALE * size
    return word.style.size <= _RAISED_SCALE * size and offset < 0.6 * size


def _is_apart(line: list[Word], word: Word) -> bool:
    before = line[-1]
    size = max(before.style.size, word.style.size, 1.0)
    gap = max(word.left - before.right, before.left - word.right)  # of text from right to left it is the other way
    return (
        gap > _GAP_SIZES * size or abs(word.base - before.base) > 0.8 * size or before.style.angle != word.style.angle
    )


def _with_raised(line: list[Word]) -> list[Word]:
    """Mark the superscripts of a line."""
    size = max(word.style.size for word in line)
    base = max((word for word in line if word.style.size == size), key=lambda word: len(word.text)).base
    if all(word.style.size > _RAISED_SCALE * size for word in line):
        return line
    return [
        _as_raised(word)
        if word.style.size <= _RAISED_SCALE * size and base - word.base > _RAISED_SIZES * size
        else word
        for word in line
    ]


def _as_raised(word: Word) -> Word:
    return replace(word, raised=True)


def _linked(word: Word, links: Sequence[tuple[Box, str]]) -> Word:
    x, y = (word.left + word.right) / 2, word.base - word.style.size / 4
    for box, target in links:
        if box.holds(x, y):
            return replace(word, link=target)
    return word


def _words(text_page: int, placing: Placing, tags: Mapping[int, str]) -> tuple[list[Word], set[int]]:
    """Read the words, and which of them begin a line."""
    styles = _Styles(text_page, placing, tags)
    words: list[Word] = []
    breaks: set[int] = set()
    count = min(pdfium.count_chars(text_page), MOST_CHARS)
    chars: list[str] = []
    begin = 0
    spaced = False
    unicode_of = pdfium.unicode_of

    def end_word(end: int) -> None:
        nonlocal spaced
        if chars:
            _cut(text_page, placing, styles, chars, begin, words, spaced)
            spaced = False
            chars.clear()

    for index in range(count):
        code = unicode_of(text_page, index)
        if code > 32 and code not in (0xA0, 0xFFFE, 0xFFFF, 0xFEFF, 0x200B):
            if not chars:
                begin = index
            elif len(chars) != index - begin:  # something in between was left out
                end_word(index)
                begin = index
            chars.append(chr(code) if not 0xD800 <= code < 0xE000 else _half(code, chars))
            continue
        if (code in (2, 0xFFFE) or code == 0) and pdfium.is_hyphen(text_page, index) == 1:
            chars.append(HYPHEN)
            end_word(index)
            continue
        end_word(index)
        if code in (10, 13):
            breaks.add(len(words))
        elif code not in (0, 2, 0xFFFE, 0xFFFF, 0xFEFF, 0x200B):
            spaced = True
    end_word(count)
    return words, breaks


def _half(code: int, chars: list[str]) -> str:
    """One of the two halves that PDFium makes of a rare character: the second becomes the whole, the first nothing."""
    if code < 0xDC00:
        return chr(code)
    if not chars or not "\ud800" <= chars[-1] < "\udc00":
        return "\ufffd"
    whole = chr(0x10000 + (ord(chars[-1]) - 0xD800 << 10) + code - 0xDC00)
    chars[-1] = ""
    return whole


def _cut(
    text_page: int, placing: Placing, styles: _Styles, chars: list[str], begin: int, words: list[Word], spaced: bool
) -> None:
    """Make a word of characters, or several where its look changes inside of it."""
    last = begin + len(chars) - 1
    if chars[-1] == HYPHEN:
        last = max(begin, last - 1)
    first_object = pdfium.text_object(text_page, begin)
    if last == begin or pdfium.text_object(text_page, last) == first_object:
        words.append(_word(text_page, placing, styles.of(begin, first_object), chars, begin, last, spaced))
        return
    start, style = begin, styles.of(begin, first_object)
    for index in range(begin + 1, last + 1):
        other = styles.of(index, pdfium.text_object(text_page, index))
        if other != style:
            part = chars[start - begin : index - begin]
            words.append(_word(text_page, placing, style, part, start, index - 1, spaced))
            start, style, spaced = index, other, False
    words.append(_word(text_page, placing, style, chars[start - begin :], start, last, spaced))


def _word(
    text_page: int, placing: Placing, style: Style, chars: Sequence[str], first: int, last: int, spaced: bool
) -> Word:
    rect = _RECT
    pdfium.origin(text_page, first, _X_REF, _Y_REF)
    pdfium.loose_box(text_page, first, _RECT_REF)
    left, bottom, right, top = rect.left, rect.bottom, rect.right, rect.top
    if last > first:
        pdfium.loose_box(text_page, last, _RECT_REF)
        left, right = min(left, rect.left), max(right, rect.right)
        bottom, top = min(bottom, rect.bottom), max(top, rect.top)
    if placing.is_upright:
        left, right, base = left + placing.e, right + placing.e, placing.f - _Y.value
        lowest = placing.f - bottom
    else:
        box = placing.box(left, bottom, right, top)
        left, right, lowest = box.left, box.right, box.bottom
        base = placing.point(_X.value, _Y.value)[1]
    text = "".join(chars)
    if not text.isascii():
        text = "".join("\ufffd" if "\ud800" <= char < "\ue000" else char for char in text)
        text = _composed(text_page, text, first)
    if style.angle:  # the base line of what stands upright has no y; its box has
        base = lowest
    return Word(text, left, right, base, style, spaced)


def _composed(text_page: int, text: str, first: int) -> str:
    """Undo what only looks: ligatures and presentation forms; turn back those that PDFium has turned around."""
    if any("\u0590" <= char <= "\u08ff" or "\ufb1d" <= char <= "\ufeff" for char in text):
        text = _unturned(text_page, text, first)
    if any("\x7f" <= char <= "\x9f" for char in text):  # fonts of symbols without names have such numbers: bullets
        text = "•" if len(text) == 1 else "".join(char for char in text if not "\x7f" <= char <= "\x9f")
    if any("\ufb00" <= char <= "\ufeff" for char in text):
        text = "".join(unicodedata.normalize("NFKC", char) if "\ufb00" <= char <= "\ufeff" else char for char in text)
    return text


def _unturned(text_page: int, text: str, first: int) -> str:
    """Characters of one glyph, as lam and alef, come in the order of the page: they stand at the same place."""
    chars = list(text)
    places = []
    for index in range(first, first + len(chars)):
        pdfium.origin(text_page, index, _X_REF, _Y_REF)
        places.append(_X.value)
    start = 0
    for index in range(1, len(chars) + 1):
        if index == len(chars) or places[index] != places[start]:
            if index - start > 1 and all("\u0620" <= char <= "\u06ff" for char in chars[start:index]):
                chars[start:index] = reversed(chars[start:index])
            start = index
    return "".join(chars)


_MATRIX = pdfium.Matrix()
_MATRIX_REF = byref(_MATRIX)
_RECT, _X, _Y = pdfium.Rect(), c_double(), c_double()
_RECT_REF, _X_REF, _Y_REF = byref(_RECT), byref(_X), byref(_Y)


class _Styles:
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
