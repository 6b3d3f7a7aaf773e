"""What a document is, whatever file it came from: pages of blocks, blocks of spans.

Readers make it, writers take it, and neither knows the other. Boxes are in points (1/72 inch) from the top left corner
of the page as it is shown; what has no place on a page (HTML, Markdown, office formats) has no box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

_AS_JSON = ConfigDict(alias_generator=to_camel, populate_by_name=True)

_MOST_AREA = 1_000_000  # places of a table
_FREE_AREA, _AREA_OF_A_CELL = 24, 20  # places that any table may have, and more for each of its cells
_LONGEST_REPEATED = 1000  # characters of a cell whose text stands in every place that it spans
_FREE_REPEATED, _MOST_REPEATED = 200, 10  # characters that any table may repeat, and how often all of its own

Role = Literal["header", "footer"]
Method = Literal["text", "ocr"]  #: how text was had: it stood there, or was read from a picture


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on a page."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def joined(self, other: Box) -> Box:
        """The smallest that holds both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point is inside."""
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text that looks the same throughout."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    raised: bool = False  #: a superscript
    #: where it leads: a URL, `#` and a name of a heading, `#page-3`, or `#page-3@72`, 72 points below the top of page 3
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A title of what follows."""

    __pydantic_config__ = _AS_JSON
    level: int  #: from 1 to 6
    spans: tuple[Span, ...]
    box: Box | None = None
    names: tuple[str, ...] = ()  #: by which links of the document call this place, without `#`
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    __pydantic_config__ = _AS_JSON
    spans: tuple[Span, ...]
    box: Box | None = None
    role: Role | None = None  #: what repeats at the edges of pages
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class ListItem:
    """An item of a list; those that follow each other are one list."""

    __pydantic_config__ = _AS_JSON
    spans: tuple[Span, ...]
    depth: int = 0
    number: str | None = None  #: as `3.` or `b)`; None in a list of bullets
    checked: bool | None = None  #: of a box to tick
    box: Box | None = None
    kind: Literal["listItem"] = "listItem"


@dataclass(frozen=True, slots=True)
class Code:
    """Lines of a program, as they stand."""

    __pydantic_config__ = _AS_JSON
    text: str
    language: str | None = None
    box: Box | None = None
    kind: Literal["code"] = "code"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table; one that spans several stands where the first of them is."""

    __pydantic_config__ = _AS_JSON
    spans: tuple[Span, ...]
    columns: int = 1
    rows: int = 1
    header: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells. A row has no cell where one from above or from the left reaches."""

    __pydantic_config__ = _AS_JSON
    rows: tuple[tuple[Cell, ...], ...]
    box: Box | None = None
    kind: Literal["table"] = "table"


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture."""

    __pydantic_config__ = _AS_JSON
    path: str | None = None  #: of the output that holds it, where pictures are extracted
    alternative: str = ""  #: what it shows, where the document says so
    box: Box | None = None
    kind: Literal["figure"] = "figure"


@dataclass(frozen=True, slots=True)
class Caption:
    """What a picture or a table is called."""

    __pydantic_config__ = _AS_JSON
    spans: tuple[Span, ...]
    box: Box | None = None
    kind: Literal["caption"] = "caption"


@dataclass(frozen=True, slots=True)
class Footnote:
    """A note below the text."""

    __pydantic_config__ = _AS_JSON
    label: str
    spans: tuple[Span, ...]
    box: Box | None = None
    kind: Literal["footnote"] = "footnote"


Block = Heading | Paragraph | ListItem | Code | Table | Figure | Caption | Footnote


@dataclass(frozen=True, slots=True)
class Word:
    """A word where it stands."""

    text: str
    box: Box
    confidence: float | None = None  #: from 0 to 1, of one that was read from a picture


@dataclass(frozen=True, slots=True)
class Page:
    """A page, or the whole of a document that has none."""

    __pydantic_config__ = _AS_JSON
    number: int | None  #: from 1, as the file counts; None in what has no pages
    blocks: tuple[Block, ...]
    width: float | None = None
    height: float | None = None
    words: tuple[Word, ...] = ()
    method: Method = "text"
    confidence: float | None = None  #: from 0 to 1, of a page that was read from a picture
    turned: int = 0  #: degrees to the right, by which it was turned to be read; boxes are of the page turned like that


def plain(spans: tuple[Span, ...]) -> str:
    """The text of spans."""
    return "".join(span.text for span in spans)


def grid(table: Table) -> list[list[str]]:
    """The texts of a table, with as many in each row; see `spread`."""
    return [[plain(spans).strip() for spans in row] for row in spread(table)]


def spread(table: Table) -> list[list[tuple[Span, ...]]]:
    """The cells of a table, with as many in each row; what one spans has its text throughout.

    A table that would be too large for that has in each row its own cells alone; one that would repeat much more than
    it says has each text once. So a small document makes no large output.
    """
    cells = sum(map(len, table.rows))
    if _area(table) > min(_MOST_AREA, _FREE_AREA + _AREA_OF_A_CELL * cells):
        return [[cell.spans for cell in row] for row in table.rows]
    longest = _longest_repeated(table)
    taken: dict[tuple[int, int], tuple[Span, ...]] = {}
    width = 0
    for y, row in enumerate(table.rows):
        x = 0
        for cell in row:
            while (y, x) in taken:
                x += 1
            is_short = len(plain(cell.spans)) <= longest
            for down in range(min(cell.rows, len(table.rows) - y)):
                for across in range(cell.columns):
                    is_first = not (down or across)
                    taken[y + down, x + across] = cell.spans if is_first or is_short else ()
            x += cell.columns
            width = max(width, x)
    width = max([width, *(x + 1 for _, x in taken)])
    return [[taken.get((y, x), ()) for x in range(width)] for y in range(len(table.rows))]


def _longest_repeated(table: Table) -> int:
    """The most characters of a cell that stand in every place that it spans."""
    own = repeated = 0
    for y, row in enumerate(table.rows):
        for cell in row:
            length = len(plain(cell.spans))
            own += length
            if length <= _LONGEST_REPEATED:
                repeated += length * (cell.columns * min(cell.rows, len(table.rows) - y) - 1)
    return _LONGEST_REPEATED if repeated <= _FREE_REPEATED + _MOST_REPEATED * own else 0


def _area(table: Table) -> int:
    """The most places that a table may have."""
    reach = sum(max((cell.columns for cell in row if cell.rows > 1), default=0) for row in table.rows)
    widest = max((sum(cell.columns for cell in row) for row in table.rows), default=0)
    return (widest + reach) * len(table.rows)


def tables(page: Page) -> Iterator[Table]:
    """The tables of a page."""
    return (block for block in page.blocks if isinstance(block, Table))
