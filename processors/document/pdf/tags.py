"""What a tagged PDF says of the parts of a page: which are headings, and which belong to no text."""

from __future__ import annotations

import ctypes
from typing import Any

import pypdfium2.raw as raw

_MOST_ELEMENTS = 20_000  # of a page
_DEEPEST = 60
_WANTED = frozenset({"H", "H1", "H2", "H3", "H4", "H5", "H6", "Title", "LBody", "LI", "Lbl", "Code", "Note", "Caption"})


def tags_of(page: Any) -> dict[int, str]:
    """The role of each marked part of a page, by its number; of those within each other the innermost that counts.

    Args:
        page: of pypdfium2's, in a tagged document.
    """
    tree = raw.FPDF_StructTree_GetForPage(page.raw)
    if not tree:
        return {}
    found: dict[int, str] = {}
    try:
        stack = [
            (raw.FPDF_StructTree_GetChildAtIndex(tree, index), "", 0)
            for index in range(min(_MOST_ELEMENTS, max(0, raw.FPDF_StructTree_CountChildren(tree))))
        ]
        for _ in range(_MOST_ELEMENTS):
            if not stack:
                break
            element, role, depth = stack.pop()
            if not element or depth > _DEEPEST:
                continue
            name = _type(element)
            role = name if name in _WANTED else role
            if role:
                for index in range(max(0, raw.FPDF_StructElement_GetMarkedContentIdCount(element))):
                    part = raw.FPDF_StructElement_GetMarkedContentIdAtIndex(element, index)
                    if part >= 0:
                        found[part] = role
            children = max(0, raw.FPDF_StructElement_CountChildren(element))
            for index in range(min(children, _MOST_ELEMENTS)):
                stack.append((raw.FPDF_StructElement_GetChildAtIndex(element, index), role, depth + 1))
    finally:
        raw.FPDF_StructTree_Close(tree)
    return found


def _type(element: Any) -> str:
    buffer = ctypes.create_string_buffer(64)
    length = raw.FPDF_StructElement_GetType(element, buffer, 64)
    return buffer.raw[: max(0, length - 2)].decode("utf-16-le", "replace") if 2 <= length <= 64 else ""
