"""A text as its sentences. Pure."""

from __future__ import annotations

import re

#: where one ends and the next begins: after its mark, quotes and brackets, before a letter that is not small
_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[^\sa-z])")
_PARAGRAPH = re.compile(r"\n\s*\n")
#: words with a point that end no sentence
_SHORT = frozenset(
    "mr. mrs. ms. dr. prof. sr. jr. st. vs. etc. e.g. i.e. cf. no. fig. inc. ltd. co. jan. feb. mar. apr. jun. jul."
    " aug. sep. sept. oct. nov. dec. u.s. u.k. a.m. p.m.".split()
)


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
