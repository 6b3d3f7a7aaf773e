"""What a page looks like, whoever has looked at it: pieces of text, drawn lines, pictures.

The way from here to blocks is the same for the text of a PDF and for what was read from a picture. All lengths are in
points, from the top left corner of the page as it is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from processors.document.model import Box, Figure, Table

ASCENT = 0.75  # of the size, that a line reaches above its base line ...
DESCENT = 0.22  # ... and below it: of what a page looks like, the fonts' own figures say less


class Style(NamedTuple):
    """How text looks."""

    size: float
    bold: bool = False
    italic: bool = False
    fixed: bool = False  #: every character is as wide
    hidden: bool = False  #: it is there and not drawn, as over a scan
    tag: str = ""  #: what the file says that it is: H1, P, Artifact
    angle: int = 0  #: in degrees, of text that is not level


@dataclass(frozen=True, slots=True)
class Word:
    """Text without a space."""

    text: str
    left: float
    right: float
    base: float  #: y of its base line
    style: Style
    spaced: bool = True  #: whether a space stands before it
    raised: bool = False
    link: str | None = None
    confidence: float | None = None  #: from 0 to 1, of one that was read from a picture

    @property
    def box(self) -> Box:
        size = self.style.size
        return Box(self.left, self.base - ASCENT * size, self.right, self.base + DESCENT * size)


@dataclass(slots=True)
class Piece:
    """Words that follow each other on a line without a wide gap. Not to be changed once it is made."""

    words: Sequence[Word]
    order: int = 0  #: where it comes in the file
    box: Box = field(init=False)
    base: float = field(init=False)
    size: float = field(init=False)

    def __post_init__(self) -> None:
        full = [word for word in self.words if not word.raised] or self.words
        longest = max(full, key=lambda word: len(word.text))
        self.base, self.size = longest.base, max(word.style.size for word in full)
        left, right = min(word.left for word in self.words), max(word.right for word in self.words)
        self.box = Box(left, self.base - ASCENT * self.size, right, self.base + DESCENT * self.size)

    @property
    def text(self) -> str:
        return "".join((" " if word.spaced and index else "") + word.text for index, word in enumerate(self.words))

    @property
    def style(self) -> Style:
        """How most of it looks."""
        counts: dict[Style, int] = {}
        for word in self.words:
            counts[word.style] = counts.get(word.style, 0) + len(word.text)
        return max(counts, key=lambda style: counts[style])


@dataclass(frozen=True, slots=True)
class Rule:
    """A drawn straight line; horizontal or upright, by its longer side. Or the coloured ground of something."""

    box: Box
    is_ground: bool = False

    @property
    def is_level(self) -> bool:
        return self.box.width >= self.box.height


@dataclass(slots=True)
class Sheet:
    """All that is on a page."""

    number: int
    width: float
    height: float
    pieces: list[Piece] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)


@dataclass(slots=True)
class Chunk:
    """Lines that belong together: what may become a paragraph, a heading, an item, a note."""

    lines: list[Piece]

    @property
    def box(self) -> Box:
        box = self.lines[0].box
        for line in self.lines[1:]:
            box = box.joined(line.box)
        return box

    @property
    def style(self) -> Style:
        """How most of it looks."""
        counts: dict[Style, int] = {}
        for line in self.lines:
            for word in line.words:
                counts[word.style] = counts.get(word.style, 0) + len(word.text)
        return max(counts, key=lambda style: counts[style])

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


Item = Chunk | Table | Figure
