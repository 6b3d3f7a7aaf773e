"""How a whole document looks: the size of its text, which sizes its headings have, what its pages repeat.

Pages are looked at one by one, wherever, and what was seen is added up: no page need be kept for it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from processors.document.layout.drafts import Draft, Flow
from processors.document.model import Span

_EDGE = 0.12  # of the page's height, at the top and at the bottom, where what repeats may be
_LEAST_PAGES = 3  # on which something stands before it counts as repeated ...
_FEW_PAGES = 4  # ... in a document that is longer; in a short one half of them, and two
_MOST_EDGES = 20_000  # different texts at edges that are counted
_MOST_OUTSTANDING = 20_000
_MOST_OF_PAGE = 40
_LONGEST = 250  # characters of a heading


@dataclass(frozen=True, slots=True)
class Seen:
    """What one page adds to the looks of its document."""

    sizes: tuple[tuple[float, int, int], ...] = ()  #: each with its characters, and how many of them are bold
    edges: tuple[str, ...] = ()
    outstanding: tuple[Draft, ...] = ()  #: what may be a heading; without its spans' looks


@dataclass(slots=True)
class Looks:
    """What was seen so far."""

    pages: int = 0
    characters: Counter[float] = field(default_factory=Counter)  #: by size
    bold: Counter[float] = field(default_factory=Counter)  #: those of them that are bold
    edges: Counter[str] = field(default_factory=Counter)  #: pages by text at the top or bottom
    outstanding: list[Draft] = field(default_factory=list)

    def add(self, seen: Seen) -> None:
        """Add a page."""
        self.pages += 1
        for size, characters, bold in seen.sizes:
            self.characters[size] += characters
            self.bold[size] += bold
        if len(self.edges) < _MOST_EDGES:
            self.edges.update(seen.edges)
        if len(self.outstanding) < _MOST_OUTSTANDING:
            self.outstanding += seen.outstanding

    @property
    def body(self) -> float:
        """The size of running text, in points."""
        plain = {size: count - self.bold[size] for size, count in self.characters.items()}
        # Where more is bold than not, as in forms, what is not is the text if there is enough of it.
        if plain and max(plain.values()) >= 0.25 * sum(self.characters.values()):
            return max(plain, key=lambda size: (plain[size], -size))
        return max(self.characters, key=lambda size: (self.characters[size], -size), default=10.0)

    @property
    def mostly_bold(self) -> bool:
        """Whether bold says nothing, because the text is."""
        body = self.body
        return self.bold[body] > 0.5 * self.characters[body]

    def is_repeated(self, key: str) -> bool:
        """Whether a text stands at the edge of many pages."""
        count = self.edges[key]
        if self.pages <= _FEW_PAGES:
            return count >= 2 and count >= 0.5 * self.pages
        return count >= _LEAST_PAGES and count >= 0.2 * self.pages


def seen_in(flow: Flow) -> Seen:
    """Look at a page."""
    drafts = [item for item in flow.items if isinstance(item, Draft)]
    body = max(flow.sizes, key=lambda size: size[1], default=(0.0, 0, 0))[0]
    return Seen(
        sizes=flow.sizes,
        edges=tuple(dict.fromkeys(key for draft in drafts if (key := edge_key(draft, flow)))),
        outstanding=tuple(
            replace(draft, spans=(Span(draft.text),), code="")
            for draft in drafts
            if len(draft.text) <= _LONGEST and (draft.bold or draft.tag or draft.upper or draft.size > 1.02 * body)
        )[:_MOST_OF_PAGE],
    )


def edge_key(draft: Draft, flow: Flow) -> str:
    """What tells a text at the top or bottom of a page from others; empty for what is elsewhere. Numbers are alike."""
    if draft.lines > 3:
        return ""
    top, bottom = draft.box.bottom < _EDGE * flow.height, draft.box.top > (1 - _EDGE) * flow.height
    if not top and not bottom:
        return ""
    text = re.sub(r"\d+|\b[ivxlc]+\b", "#", " ".join(draft.text.split()).lower())
    return f"{'top' if top else 'bottom'} {text[:200]}"
