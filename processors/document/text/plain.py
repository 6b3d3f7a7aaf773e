"""Plain text: paragraphs between empty lines, and lists where lines begin with marks."""

from __future__ import annotations

import re

from processors.document.layout.markers import marker_of
from processors.document.model import Block, ListItem, Page, Paragraph, Span

_TAB = 4


def page_of(text: str) -> Page:
    """Read a text."""
    blocks: list[Block] = []
    for part in re.split(r"\n[ \t]*(?:\n[ \t]*)+|\f", text.replace("\r\n", "\n").replace("\r", "\n")):
        lines = [line for line in part.split("\n") if line.strip()]
        if not lines:
            continue
        if all(marker_of(line.strip()) for line in lines):
            blocks += [_item(line.expandtabs(_TAB)) for line in lines]
        else:
            blocks.append(Paragraph((Span("\n".join(line.rstrip() for line in lines).strip()),)))
    return Page(None, tuple(blocks))


def _item(line: str) -> ListItem:
    text = line.strip()
    marker = marker_of(text)
    assert marker is not None  # the caller has looked
    depth = min(5, (len(line) - len(line.lstrip())) // 2)
    return ListItem((Span(text[marker.length :]),), depth, marker.number, marker.checked)
