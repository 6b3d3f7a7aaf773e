"""Which pictures of a PDF are not shown as they are stored: PDFium shows them right, and does not say which."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Dictionary, Name, Stream

_ALTERING = ("/SMask", "/SMaskInData", "/Mask", "/Decode")  # ISO 32000-1, table 89
_DEEPEST = 20  # forms in forms

Size = tuple[int, int]  #: of a picture, in pixels


class Altered:
    """Looks into the dictionaries of pictures, page by page; the file is opened when it is asked for the first."""

    def __init__(self, path: Path, password: str | None) -> None:
        self._path = path
        self._password = password
        self._pdf: pikepdf.Pdf | None = None
        self._is_closed_to_us = False

    def on(self, index: int) -> frozenset[Size] | None:
        """How large the pictures of a page are that have a mask, or colours of their own; None where nobody knows.

        Args:
            index: of the page, counted from 0.
        """
        if self._pdf is None and not self._is_closed_to_us:
            self._pdf = self._opened()
        if self._pdf is None:
            return None
        try:
            resources: Any = self._pdf.pages[index].obj
            while "/Resources" not in resources and "/Parent" in resources:
                resources = resources.Parent
            return frozenset(_sizes(resources.get("/Resources"), set(), 0))
        except (pikepdf.PdfError, LookupError, TypeError, ValueError, AttributeError):
            return None

    def _opened(self) -> pikepdf.Pdf | None:
        for password in dict.fromkeys((self._password or "", "")):
            try:
                return pikepdf.open(self._path, password=password, suppress_warnings=True)
            except pikepdf.PdfError:
                continue
        self._is_closed_to_us = True
        return None


def _sizes(resources: Any, seen: set[tuple[int, int]], depth: int) -> Iterator[Size]:
    """Of pictures, in forms and patterns too."""
    if not isinstance(resources, Dictionary) or depth > _DEEPEST:
        return
    for key in ("/XObject", "/Pattern"):
        found = resources.get(key)
        for each in found.values() if isinstance(found, Dictionary) else ():
            if not isinstance(each, Stream) or each.objgen in seen:
                continue
            seen.add(each.objgen)
            if each.get("/Subtype") == Name.Image:
                if any(name in each for name in _ALTERING):
                    yield int(each.Width), int(each.Height)
            else:
                yield from _sizes(each.get("/Resources"), seen, depth + 1)
