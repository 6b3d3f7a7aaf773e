"""From the characters of a page to words and pieces, with how they look."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from ctypes import byref, c_double
from dataclasses import replace

from processors.document.layout.inline import HYPHEN
from processors.document.layout.markers import is_lone_marker
from processors.document.layout.pieces import Piece, Style, Word
from processors.document.model import Box
from processors.document.pdf import pdfium
from processors.document.pdf.placing import Placing
from processors.document.pdf.styles import Styles

MOST_CHARS = 500_000  # of a page; a full page of the smallest print has 30,000
_GAP_SIZES = 0.7  # of the size: words farther apart are two pieces
_MARKER_SIZES = 3.5  # of the size, that an item may stand from its bullet
_RAISED_SIZES = 0.15  # of the size, that a superscript stands above its line
_SPACE = 0.15  # of the size, that a space is wide at least
_RAISED_SCALE = 0.85


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
        if len(line) == 1 and line[0].text == "o" and line[0].style.fixed and not word.style.fixed:
            line[0] = replace(line[0], text="◦")  # as Word writes the bullets of the second depth
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
    styles = Styles(text_page, placing, tags)
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
    text_page: int, placing: Placing, styles: Styles, chars: list[str], begin: int, words: list[Word], spaced: bool
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


_RECT, _X, _Y = pdfium.Rect(), c_double(), c_double()
_RECT_REF, _X_REF, _Y_REF = byref(_RECT), byref(_X), byref(_Y)
