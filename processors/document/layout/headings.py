"""Which chunks are headings, and of which level.

What the file says itself comes first: its tags, then its outline. Else a heading is what stands out: larger than the
text, or bold, or numbered, and short, and without the end of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from processors.document.layout.drafts import Draft
from processors.document.layout.looks import Looks
from processors.document.layout.markers import is_entry, marker_of

_LONGEST = 250  # characters
_MOST_LINES = 4
_LARGER = 1.15  # than the text: by that much a heading stands out by its size alone
_HARDLY_LARGER = 1.04
_MOST_WORDS_BOLD = 16  # of a heading that stands out by being bold alone
_NUMBERED = re.compile(
    r"^((?P<dotted>\d{1,2}(\.\d{1,2}){0,4})\.?|(?P<roman>[IVX]{1,5})\.|(?P<letter>[A-Z])\.|\(\d{1,2}\)"
    r"|(chapter|section|part|appendix|kapitel|teil|anhang|abschnitt|chapitre|partie|annexe)\s+[\dIVXA-Z]{1,4}[.:]?)\s+\S",
    re.IGNORECASE,
)
_SENTENCE_ENDS = (".", ",", ";", "。", "،", "؛")
_KNOWN = frozenset(
    "abstract introduction conclusion conclusions references bibliography acknowledgements acknowledgments appendix "
    "summary contents zusammenfassung einleitung inhalt literatur literaturverzeichnis fazit résumé références".split()
)


@dataclass(frozen=True, slots=True)
class Outline:
    """The headings that a file names itself: levels, from 1, by text without spaces and case."""

    levels: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def of(entries: Sequence[tuple[int, str]]) -> Outline:
        """Make one of levels and titles."""
        return Outline({key(title): level for level, title in entries if key(title)})


def key(text: str) -> str:
    """A text as titles are compared: letters and digits alone."""
    return "".join(char for char in text.lower() if char.isalnum())


def is_heading(draft: Draft, looks: Looks, outline: Outline) -> bool:
    """Decide it by the look of one chunk in its document."""
    text = draft.text.strip()
    if draft.tag in ("H", "H1", "H2", "H3", "H4", "H5", "H6", "Title"):
        return 0 < len(text) <= _LONGEST
    if not 1 < len(text) <= _LONGEST or draft.lines > _MOST_LINES or draft.fixed:
        return False
    if all((span.link or "").startswith("#page-") for span in draft.spans):  # of a table of contents
        return False
    letters = sum(map(str.isalpha, text))
    if letters < 2 or letters < 0.4 * len(text.replace(" ", "")):
        return False
    if is_entry(text):
        return False
    if marker_of(text) is not None and not _NUMBERED.match(text) and draft.size < _LARGER * looks.body:
        return False
    if is_in_outline(draft, outline):
        return draft.size >= 0.95 * looks.body
    return _stands_out(draft, text, looks)


def is_in_outline(draft: Draft, outline: Outline) -> bool:
    """Whether a file's outline names it."""
    return key(draft.text) in outline.levels or _without_number(draft.text) in outline.levels


def _stands_out(draft: Draft, text: str, looks: Looks) -> bool:
    ratio = draft.size / (looks.body or 1.0)
    is_bold = draft.bold and not looks.mostly_bold
    numbered = _NUMBERED.match(text) is not None
    if ratio >= _LARGER:
        return not text.endswith((",", ";")) and (len(text) <= 120 or is_bold)
    if text.endswith(_SENTENCE_ENDS) or (text.endswith(":") and not numbered):
        return False
    if draft.lines > 2 or len(text.split()) > _MOST_WORDS_BOLD:
        return False
    if is_bold and ratio >= 0.95:
        return numbered or not text[:1].islower()
    if (ratio >= _HARDLY_LARGER or draft.upper) and ratio >= 0.98 and (numbered or draft.lines == 1) and len(text) > 3:
        return numbered or ratio >= 1.08
    return text.lower() in _KNOWN and ratio >= 0.95


def _without_number(text: str) -> str:
    return key(re.sub(r"^[\divxIVXA-Z.]{1,8}\s+", "", text))


@dataclass(frozen=True, slots=True)
class Rank:
    """How a heading looks; those that look the same have the same level."""

    size: float
    bold: bool


def rank_of(draft: Draft) -> Rank:
    return Rank(round(draft.size * 2) / 2, draft.bold)


@dataclass(slots=True)
class Levels:
    """Levels of headings, from what the file says and from how all of them look."""

    ranks: dict[Rank, int] = field(default_factory=dict)

    @staticmethod
    def of(looks: Looks, outline: Outline) -> Levels:
        """Give the largest and boldest of a document's headings the first level."""
        ranks = {rank_of(draft) for draft in looks.outstanding if is_heading(draft, looks, outline)}
        ordered = sorted(ranks, key=lambda rank: (-rank.size, not rank.bold))
        levels: dict[Rank, int] = {}
        level = 0
        last: Rank | None = None
        for rank in ordered:
            if last is None or last.size - rank.size > 0.03 * last.size or rank.bold != last.bold:
                level += 1
            last = rank
            levels[rank] = min(6, level)
        return Levels(levels)

    def of_draft(self, draft: Draft, outline: Outline) -> int:
        """The level of a heading."""
        if draft.tag in ("H1", "H2", "H3", "H4", "H5", "H6"):
            return int(draft.tag[1])
        if draft.tag == "Title":
            return 1
        text = draft.text
        level = outline.levels.get(key(text)) or outline.levels.get(_without_number(text))
        return min(6, level) if level else self.ranks.get(rank_of(draft), 2)
