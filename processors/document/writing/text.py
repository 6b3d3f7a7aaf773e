"""Pages as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from processors.document.model import Block, Code, Figure, Footnote, ListItem, Page, Table, grid, plain

PAGE_MARKER = "\f"  # as programs that print have always said it


def text(pages: Iterable[Page], *, page_markers: bool = False) -> Iterator[str]:
    """Write pages, in pieces.

    Args:
        page_markers: whether a form feed stands between pages.
    """
    before: Block | None = None
    for index, page in enumerate(pages):
        if page_markers and index:
            yield PAGE_MARKER
        for block in page.blocks:
            words = _block(block)
            if words:
                is_list = isinstance(before, ListItem) and isinstance(block, ListItem)
                yield ("" if before is None or is_list else "\n") + words + "\n"
                before = block


def _block(block: Block) -> str:
    match block:
        case Table():
            return "\n".join("\t".join(" ".join(cell.split()) for cell in row) for row in grid(block))
        case Code():
            return block.text.rstrip()
        case Figure():
            return block.alternative
        case ListItem():
            box = "" if block.checked is None else "[x] " if block.checked else "[ ] "
            return f"{'  ' * block.depth}{block.number or '-'} {box}{plain(block.spans).strip()}"
        case Footnote():
            return f"{block.label} {plain(block.spans).strip()}"
        case _:
            return plain(block.spans).strip()
