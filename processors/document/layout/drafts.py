"""What may become a block, before the look of the whole document is known. Small: it crosses between processes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Annotated, Literal

from pydantic import Field

from processors.document.layout.inline import spans_of
from processors.document.layout.pieces import Chunk, Piece
from processors.document.model import Box, Figure, Method, Span, Table, Word, plain


@dataclass(frozen=True, slots=True)
class Draft:
    """Text that belongs together, and how it looks."""

    spans: tuple[Span, ...]
    box: Box
    size: float  #: of most of it, in points
    lines: int
    bold: bool = False  #: all of it is
    fixed: bool = False  #: nearly all of it is of fixed pitch
    raised: bool = False  #: it begins with a superscript
    upper: bool = False  #: all letters are capitals
    tag: str = ""  #: what the file says that it is
    at_edge: bool = False  #: it stands on the line of the page's number
    code: str = ""  #: lines with their indentation, where it may be a program
    rows: tuple[str, ...] = ()  #: its lines as they stand, where they are wanted
    kind: Literal["draft"] = "draft"

    @property
    def text(self) -> str:
        return plain(self.spans)


FlowItem = Annotated[Draft | Table | Figure, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True)
class Flow:
    """A page in reading order."""

    number: int
    width: float
    height: float
    items: tuple[FlowItem, ...]
    words: tuple[Word, ...] = ()
    sizes: tuple[tuple[float, int, int], ...] = ()  #: of its text, each with characters, and how many of them are bold
    hidden: float = 0.0  #: share of its characters that are there and not drawn
    right_to_left: bool = False
    method: Method = "text"
    confidence: float | None = None  #: from 0 to 1, of a page that was read from a picture
    turned: int = 0  #: degrees to the right, by which the page as it is shown has to be turned to be read


def draft_of(chunk: Chunk, *, at_edge: bool = False, with_rows: bool = False) -> Draft:
    """Sum up lines.

    Args:
        with_rows: keep each as it stands.
    """
    words = [word for line in chunk.lines for word in line.words]
    full = [word for word in words if not word.raised and any(map(str.isalnum, word.text))] or words
    style = chunk.style
    letters = [char for word in full for char in word.text if char.isalpha()]
    fixed = sum(len(word.text) for word in words if word.style.fixed)
    is_code = fixed >= 0.9 * sum(len(word.text) for word in words)
    return Draft(
        spans=spans_of(chunk.lines),
        box=chunk.box,
        size=style.size,
        lines=len(chunk.lines),
        bold=all(word.style.bold for word in full),
        fixed=is_code,
        raised=words[0].raised,
        upper=bool(letters) and all(char == char.upper() != char.lower() for char in letters),
        tag=style.tag,
        at_edge=at_edge,
        code=_program(chunk.lines) if is_code else "",
        rows=tuple(line.text for line in chunk.lines) if with_rows else (),
    )


def _program(lines: list[Piece]) -> str:
    """Lines with their indentation, by the width of a character."""
    left = min(line.box.left for line in lines)
    widths = [(word.right - word.left) / len(word.text) for line in lines for word in line.words]
    width = sorted(widths)[len(widths) // 2] or 1.0
    made = []
    for _, row in groupby(lines, key=lambda line: round(line.base)):
        text = ""
        for piece in sorted(row, key=lambda piece: piece.box.left):
            for word in piece.words:
                column = round((word.left - left) / width)
                gap = max(column - len(text), 1 if text and word.spaced else 0)
                text += " " * gap + word.text
        made.append(text)
    return "\n".join(made)
