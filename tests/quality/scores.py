"""How alike two documents in Markdown are: order of the text, headings, tables. From 0 to 1, and 1 is the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from apted import APTED, Config

Grid = list[list[str]]

_SAME_HEADING = 0.8  # so alike are two headings that count as one
_MARKUP = re.compile(r"<!--.*?-->|<[^>\n]+>|!\[[^\]]*\]\([^)]*\)|^\s*\|?[\s:|-]+\|[\s:|-]*$|^\s*```.*$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_LEAD = re.compile(r"^\s*(#{1,6}\s+|[-*+]\s+|>\s+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Counts:
    """Of headings: those that both have, and those that each has."""

    both: int
    expected: int
    found: int

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.both + other.both, self.expected + other.expected, self.found + other.found)

    @property
    def f1(self) -> float:
        return 2 * self.both / (self.expected + self.found) if self.expected + self.found else 1.0


def common_length(a: str, b: str) -> int:
    """Length of the longest common subsequence, by H. Hyyrö's bit-parallel algorithm (2004)."""
    if not a or not b:
        return 0
    masks: dict[str, int] = {}
    for index, char in enumerate(a):
        masks[char] = masks.get(char, 0) | 1 << index
    full = (1 << len(a)) - 1
    row = full
    for char in b:
        found = row & masks.get(char, 0)
        row = ((row + found) | (row - found)) & full
    return len(a) - row.bit_count()


def distance(a: str, b: str) -> int:
    """Levenshtein's distance, by G. Myers' bit-parallel algorithm (1999)."""
    if not a or not b:
        return len(a) + len(b)
    masks: dict[str, int] = {}
    for index, char in enumerate(a):
        masks[char] = masks.get(char, 0) | 1 << index
    full, last = (1 << len(a)) - 1, 1 << len(a) - 1
    up, down, score = full, 0, len(a)
    for char in b:
        same = masks.get(char, 0)
        vertical = same | down
        horizontal = (((same & up) + up) ^ up) | same
        more, fewer = down | (full & ~(horizontal | up)), up & horizontal
        score += bool(more & last) - bool(fewer & last)
        more, fewer = (more << 1 | 1) & full, fewer << 1 & full
        up, down = fewer | (full & ~(vertical | more)), more & vertical
    return score


def error_rate(expected: str, found: str) -> float:
    """Share of characters that are wrong (CER). Quotes and dashes of all kinds are alike, divided words whole."""
    wanted = _as_read(expected)
    return distance(wanted, _as_read(found)) / max(1, len(wanted))


def _as_read(text: str) -> str:
    text = re.sub(r"(\w)[-\u00ad]\s*\n\s*(?=[a-z])", r"\1", unicodedata.normalize("NFKC", text))
    return " ".join(text.translate(_ALIKE).split())


_ALIKE = str.maketrans({**dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‘’‚", "'"), **dict.fromkeys("–—−", "-")})


def indel(a: str, b: str) -> float:
    """Normalized similarity by insertions and deletions."""
    return 2 * common_length(a, b) / (len(a) + len(b)) if a or b else 1.0


def words(markdown: str) -> str:
    """The text alone, with single spaces."""
    text = _LINK.sub(r"\1", _MARKUP.sub(" ", markdown))
    text = re.sub(r"\\([\\`*_\[\]<>#|.)!-])", r"\1", _LEAD.sub("", text)).replace("|", " ")
    text = re.sub(r"(\*\*|__|`)", "", text)
    text = re.sub(r"(?<!\w)[*]([^*\n]+)[*](?!\w)", r"\1", text)
    return " ".join(unicodedata.normalize("NFKC", text).split())


def order(expected: str, found: str) -> float:
    """NID: how alike the texts are, in their order."""
    return indel(words(expected), words(found))


def headings(markdown: str) -> list[tuple[int, str]]:
    """Levels and texts."""
    outside = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    return [
        (len(found[1]), words(found[2])) for found in re.finditer(r"^(#{1,6})\s+(.+?)\s*#*$", outside, re.MULTILINE)
    ]


def heading_counts(expected: str, found: str) -> Counts:
    """Match headings by their texts, each once."""
    left = [text for _, text in headings(found)]
    total, both = len(left), 0
    wanted = [text for _, text in headings(expected)]
    for text in wanted:
        best = max(left, key=lambda other: indel(text, other), default=None)
        if best is not None and indel(text, best) >= _SAME_HEADING:
            left.remove(best)
            both += 1
    return Counts(both, len(wanted), total)


def grids(markdown: str) -> list[Grid]:
    """The tables of a text: those with bars, and those in HTML."""
    parser = _Tables()
    parser.feed(markdown)
    found = list(parser.grids)
    rows: Grid = []
    for line in [*markdown.splitlines(), ""]:
        if line.strip().startswith("|"):
            rows.append([words(cell.strip()) for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))])
        elif rows:
            found.append([row for row in rows if not all(re.fullmatch(r"\s*:?-+:?\s*|", cell) for cell in row)])
            rows = []
    return [grid for grid in found if grid]


def teds(expected: Grid, found: Grid) -> float:
    """TEDS: tree edit distance of two tables, as X. Zhong et al. define it (ECCV 2020)."""
    one, two = _tree(expected), _tree(found)
    size = max(_size(one), _size(two))
    distance: float = APTED(one, two, _Costs()).compute_edit_distance()
    return 1 - distance / size


def tables(expected: str, found: str) -> float | None:
    """The mean of TEDS over all tables, in the best order; one that the other has not is 0. None: there is none."""
    wanted, have = grids(expected), grids(found)
    if not wanted:
        return None
    best = [[0.0] * (len(have) + 1) for _ in range(len(wanted) + 1)]
    for i, a in enumerate(wanted):
        for j, b in enumerate(have):
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], best[i][j] + teds(a, b))
    return best[-1][-1] / max(len(wanted), len(have))


@dataclass
class _Node:
    name: str
    text: str = ""
    children: list[_Node] = field(default_factory=list)


class _Costs(Config):  # type: ignore[misc]  # apted has no types
    def rename(self, node1: _Node, node2: _Node) -> float:
        if node1.name != node2.name:
            return 1.0
        return 0.0 if node1.name != "td" else 1 - indel(node1.text, node2.text)

    def children(self, node: _Node) -> list[_Node]:
        return node.children


def _tree(grid: Grid) -> _Node:
    return _Node("table", children=[_Node("tr", children=[_Node("td", cell) for cell in row]) for row in grid])


def _size(node: _Node) -> int:
    return 1 + sum(map(_size, node.children))


class _Tables(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.grids: list[Grid] = []
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        match tag:
            case "table":
                self.grids.append([])
            case "tr" if self.grids:
                self.grids[-1].append([])
            case "td" | "th":
                self._cell = []
            case _:
                pass

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self.grids and self.grids[-1]:
            self.grids[-1][-1].append(words("".join(self._cell)))
            self._cell = None


def summary(scores: Sequence[float | None]) -> float | None:
    """The mean of what there is."""
    there: list[Any] = [score for score in scores if score is not None]
    return sum(there) / len(there) if there else None
