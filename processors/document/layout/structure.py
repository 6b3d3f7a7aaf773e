"""From drafts to blocks, knowing how the whole document looks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from processors.document.layout.drafts import Draft, Flow
from processors.document.layout.headings import Levels, Outline, is_heading, is_in_outline
from processors.document.layout.looks import Looks, edge_key
from processors.document.layout.markers import Marker, is_entry, marker_of, note_of, without_leaders
from processors.document.model import (
    Block,
    Caption,
    Code,
    Figure,
    Footnote,
    Heading,
    ListItem,
    Page,
    Paragraph,
    Role,
    Span,
)

_CAPTION = re.compile(
    r"^(table|figure|fig\.|listing|algorithm|tabelle|abbildung|abb\.|tableau|tabla|figura|tabel|figuur|quadro)\s*"
    r"(\d{1,3}|[IVX]{1,5}|[A-Z]\.?\d{1,3})\s*[.:–-]?|^\[?(표|그림)\s*\d+",
    re.IGNORECASE,
)
_MOST_HEADINGS = 6  # of a page on which all else is less
_MOST_IN_A_ROW = 4  # headings that follow a heading at once
_LONGEST_CAPTION = 600  # characters
_SMALL = 0.93  # of the text's size: notes are smaller
_NOTES_FROM = 0.45  # of the page's height, downwards


def page_of(flow: Flow, looks: Looks, outline: Outline, levels: Levels, *, remove_headers: bool = False) -> Page:
    """Make the blocks of a page."""
    blocks: list[Block] = []
    footers: list[Block] = []
    headers: list[Block] = []
    lefts: list[float] = []  # of the lists that are open, from the outer to the inner
    headings = _headings(flow, looks, outline)
    for item in flow.items:
        if not isinstance(item, Draft):
            blocks.append(item)
            lefts.clear()
            continue
        role = _role(item, flow, looks)
        if role is not None:
            if not remove_headers:
                (headers if role == "header" else footers).append(Paragraph(item.spans, item.box, role))
            continue
        block = _block(item, flow, looks, lefts)
        if id(item) in headings and isinstance(block, Paragraph | ListItem):
            block = Heading(levels.of_draft(item, outline), _without_bold(item.spans), item.box)
        if not isinstance(block, ListItem):
            lefts.clear()
        blocks.append(block)
    return Page(
        flow.number,
        (*headers, *_joined(blocks), *footers),
        flow.width,
        flow.height,
        flow.words,
        method=flow.method,
        confidence=flow.confidence,
        turned=flow.turned,
    )


def _role(draft: Draft, flow: Flow, looks: Looks) -> Role | None:
    if draft.at_edge:
        return "header" if draft.box.top < flow.height / 2 else "footer"
    key = edge_key(draft, flow)
    if not key or not looks.is_repeated(key):
        return None
    return "header" if key.startswith("top") else "footer"


def _headings(flow: Flow, looks: Looks, outline: Outline) -> set[int]:
    """The drafts of a page that are headings, by their id."""
    drafts = [item for item in flow.items if isinstance(item, Draft)]
    found = [draft for draft in drafts if is_heading(draft, looks, outline)]
    if len(found) > _MOST_HEADINGS and len(found) > len(drafts) / 2:
        # Where nearly all stands out nothing does: these are the words of a drawing.
        found = [draft for draft in found if draft.tag or is_in_outline(draft, outline)]
    known = {id(draft) for draft in found}
    for is_one, run in groupby(flow.items, key=lambda item: id(item) in known):
        rest = [item for item in list(run)[1:] if isinstance(item, Draft)]
        if is_one and len(rest) >= _MOST_IN_A_ROW:  # without a text to any: an address, the words of a drawing
            known -= {id(draft) for draft in rest if not draft.tag and not is_in_outline(draft, outline)}
    return known


def _block(draft: Draft, flow: Flow, looks: Looks, lefts: list[float]) -> Block:
    text = draft.text
    if draft.fixed and draft.code and (draft.lines > 1 or re.search(r"[{}();=<>]", text)):
        return Code(draft.code, box=draft.box)
    if is_entry(text) or _is_contents(draft.spans):
        return _item(replace(draft, spans=_without_leaders(draft.spans)), Marker(0), lefts)
    note = note_of(text) if draft.raised or draft.size < _SMALL * looks.body else None
    if note is not None and note.number is not None and draft.box.top > _NOTES_FROM * flow.height:
        return Footnote(note.number.rstrip(")"), without(draft.spans, note.length), draft.box)
    if len(text) <= _LONGEST_CAPTION and _CAPTION.match(text) and not draft.tag.startswith("H"):
        return Caption(draft.spans, draft.box)
    marker = marker_of(text)
    if marker is not None and marker.length < len(text):
        return _item(draft, marker, lefts)
    return Paragraph(draft.spans, draft.box)


def _without_bold(spans: Sequence[Span]) -> tuple[Span, ...]:
    """A heading is bold by itself."""
    return tuple(replace(span, bold=False) for span in spans)


def _item(draft: Draft, marker: Marker, lefts: list[float]) -> ListItem:
    left = draft.box.left
    while lefts and left < lefts[-1] - 0.5 * draft.size:
        lefts.pop()
    if not lefts or left > lefts[-1] + 0.5 * draft.size:
        lefts.append(left)
    spans = without(draft.spans, marker.length)
    return ListItem(spans, min(len(lefts) - 1, 5), marker.number, marker.checked, draft.box)


def _is_contents(spans: Sequence[Span]) -> bool:
    """Whether a line leads to another page, whose number it ends with: it is of a table of contents."""
    last = spans[-1].text.split()[-1:] if spans else []
    leads = [(span.link or "").startswith("#page-") for span in spans if not span.text.strip().isdecimal()]
    return bool(leads) and all(leads) and bool(last) and last[0].isdecimal()


def _without_leaders(spans: Sequence[Span]) -> tuple[Span, ...]:
    return tuple(replace(span, text=without_leaders(span.text), bold=False) for span in spans)


def without(spans: Sequence[Span], length: int) -> tuple[Span, ...]:
    """Leave out the first characters."""
    left: list[Span] = []
    for span in spans:
        if length >= len(span.text):
            length -= len(span.text)
            continue
        left.append(replace(span, text=span.text[length:]) if length else span)
        length = 0
    if left:
        left[0] = replace(left[0], text=left[0].text.lstrip())
    return tuple(left)


def _joined(blocks: Sequence[Block]) -> list[Block]:
    """Join what was divided: code, and a paragraph that goes on in the next column."""
    made: list[Block] = []
    for block in blocks:
        before = made[-1] if made else None
        if isinstance(before, Code) and isinstance(block, Code):
            box = before.box.joined(block.box) if before.box and block.box else before.box
            made[-1] = Code(before.text + "\n" + block.text, box=box)
        elif isinstance(before, Figure) and isinstance(block, Figure) and before.box == block.box:
            continue
        else:
            made.append(block)
    return made
