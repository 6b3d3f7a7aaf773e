"""Where the links of a page lie, and where they lead."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import pypdfium2.raw as raw

from processors.document.model import Box
from processors.document.pdf.placing import Placing

_MOST_LINKS = 2000  # of a page
_MOST_URL_BYTES = 4096
_FAR = 1e6  # points


def links_of(document: Any, page: Any, placing: Placing) -> list[tuple[Box, str]]:
    """Read them: a URL, or `#page-3@72` or `#page-3` for a place in the document."""
    found: list[tuple[Box, str]] = []
    position, link, rect = ctypes.c_int(0), raw.FPDF_LINK(), raw.FS_RECTF()
    while len(found) < _MOST_LINKS and raw.FPDFLink_Enumerate(page.raw, ctypes.byref(position), ctypes.byref(link)):
        target = _target(document, link)
        if target and raw.FPDFLink_GetAnnotRect(link, ctypes.byref(rect)):
            found.append((placing.box(rect.left, rect.bottom, rect.right, rect.top), target))
    return found


def _target(document: Any, link: Any) -> str:
    action = raw.FPDFLink_GetAction(link)
    if action and raw.FPDFAction_GetType(action) == raw.PDFACTION_URI:
        length = raw.FPDFAction_GetURIPath(document.raw, action, None, 0)
        if not 1 < length <= _MOST_URL_BYTES:
            return ""
        buffer = ctypes.create_string_buffer(length)
        raw.FPDFAction_GetURIPath(document.raw, action, buffer, length)
        return buffer.value.decode("utf-8", "replace")
    destination = raw.FPDFLink_GetDest(document.raw, link)
    if not destination and action and raw.FPDFAction_GetType(action) == raw.PDFACTION_GOTO:
        destination = raw.FPDFAction_GetDest(document.raw, action)
    index = raw.FPDFDest_GetDestPageIndex(document.raw, destination) if destination else -1
    return f"#page-{index + 1}{_height(document, destination, index)}" if index >= 0 else ""


def _height(document: Any, destination: Any, index: int) -> str:
    """How far below the top of its page a place is, as `@72`, where it says so."""
    has_x, has_y, has_zoom = raw.FPDF_BOOL(), raw.FPDF_BOOL(), raw.FPDF_BOOL()
    x, y, zoom = raw.FS_FLOAT(), raw.FS_FLOAT(), raw.FS_FLOAT()
    size = raw.FS_SIZEF()
    known = raw.FPDFDest_GetLocationInPage(destination, *map(ctypes.byref, (has_x, has_y, has_zoom, x, y, zoom)))
    # For its size a page is not read. On one that is turned or cut places are elsewhere, and there is no heading.
    if not known or not has_y or not raw.FPDF_GetPageSizeByIndexF(document.raw, index, ctypes.byref(size)):
        return ""
    return f"@{max(0, round(size.height - y.value))}" if math.isfinite(y.value) and abs(y.value) < _FAR else ""
