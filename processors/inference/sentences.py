"""A text as its sentences. Pure."""

from __future__ import annotations

import re

#: where one ends and the next begins: after its mark, quotes and brackets, before a letter that is not small
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\sa-z])")
_PARAGRAPH = re.compile(r"\n\s*\n")
_BREAKS = ("\n\n", "\n", ". ", " ")  # where a long text may be parted, the best first
#: words with a point that end no sentence
_SHORT = frozenset(
    "mr. mrs. ms. dr. prof. sr. jr. st. vs. etc. e.g. i.e. cf. no. fig. inc. ltd. co. jan. feb. mar. apr. jun. jul."
    " aug. sep. sept. oct. nov. dec. u.s. u.k. a.m. p.m.".split()
)


_HEADING = re.compile(r"^ {0,3}(?:#{1,6}(?:[ \t].*)?|[=\-*_]{3,})[ \t]*$", re.MULTILINE)  # CommonMark 0.31, 4.1 to 4.3
_ENDED = re.compile(r"[.!?…:;][\"'”’)\]]*$")
_HEADING_WORDS = 12  # what is longer, and has no mark at its end, is no title


def statements(text: str) -> list[str]:
    """The sentences of a text without its headings: what is marked as one, and short paragraphs that end with no mark.

    All of them where nothing would be left.
    """
    parts = sentences(_HEADING.sub("\n\n", text))
    said = [part for part in parts if _ENDED.search(part) or len(part.split()) > _HEADING_WORDS]
    return said or parts or sentences(text)


def sentences(text: str) -> list[str]:
    """The sentences of a text, in order, without the blanks around them."""
    found: list[str] = []
    for paragraph in _PARAGRAPH.split(text):
        plain = " ".join(paragraph.split())
        begin = 0
        for end in _END.finditer(plain):
            last = plain[begin : end.start()].rpartition(" ")[2].lstrip("(\"'“‘[").lower()
            is_initial = len(last) == 2 and last[0].isalpha() and last[1] == "."
            if last in _SHORT or is_initial:
                continue
            found.append(plain[begin : end.end()].strip())
            begin = end.end()
        if rest := plain[begin:].strip():
            found.append(rest)
    return found


def parts(text: str, most: int) -> list[tuple[int, int]]:
    """A text as parts of at most so many characters: where each begins and ends.

    A part ends after a paragraph, where that leaves it half as long at least; else after a line, a sentence, a word.
    """
    found: list[tuple[int, int]] = []
    begin = 0
    while len(text) - begin > most:
        least, last = begin + most // 2, begin + most
        ends = (place + len(mark) for mark in _BREAKS if (place := text.rfind(mark, least, last)) >= 0)
        end = next(ends, last)
        found.append((begin, end))
        begin = end
    return [*found, (begin, len(text))] if begin < len(text) or not found else found
