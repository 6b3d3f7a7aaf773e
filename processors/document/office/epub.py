"""EPUB (EPUB 3.3): its chapters in the order of the spine, each as the HTML that it is."""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree.ElementTree import Element

from processors.document.model import Block, Figure, Page
from processors.document.office.package import Package
from processors.document.office.pictures import Pictures
from processors.document.text import html
from processors.document.text.reading import decoded
from processors.worker.context import Rejected

_CONTAINER = "META-INF/container.xml"
_MOST_CHAPTERS = 10_000
# In XHTML each element may end itself; in HTML, as which it is read, these only do.
_VOID = "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr"
_EMPTY = re.compile(rf"<((?!(?:{_VOID})\b)([a-zA-Z][\w:-]*)[^<>]*)/>")
_HTML = frozenset({"application/xhtml+xml", "text/html"})


def pages_of(package: Package, pictures: Pictures) -> tuple[list[Page], dict[str, Any]]:
    """Read an EPUB: its chapters, and what it says of itself.

    Raises:
        Rejected: it is damaged, or encrypted.
    """
    if package.has("META-INF/encryption.xml") and package.has("META-INF/rights.xml"):
        raise Rejected("unknown_encryption", f"{package.name} is bound to a reader's licence, and cannot be read.")
    root = next(iter(package.xml(_CONTAINER).iter("rootfile")), None)
    part = unquote(root.get("full-path", "")) if root is not None else ""
    opf = package.xml(part)
    made: list[Page] = []
    for chapter in _spine(opf, posixpath.dirname(part))[:_MOST_CHAPTERS]:
        if not package.has(chapter):
            continue
        text, _ = decoded(package.read(chapter), package.name, is_html=True)
        text = _EMPTY.sub(r"<\1></\2>", text)
        if html.is_bottomless(text):
            raise Rejected("nested_too_deep", f"{package.name} is nested deeper than any text that is to be read.")
        page, _, _ = html.page_of(text)
        if page.blocks:
            made.append(Page(len(made) + 1, tuple(_with_pictures(page.blocks, chapter, package, pictures))))
    return made, _about(opf)


def _spine(opf: Element, folder: str) -> list[str]:
    items = {each.get("id", ""): each for each in opf.iterfind("opf-manifest/opf-item")}
    found = []
    for reference in opf.iterfind("opf-spine/opf-itemref"):
        item = items.get(reference.get("idref", ""))
        if item is not None and item.get("media-type", "") in _HTML:
            found.append(posixpath.normpath(posixpath.join(folder, unquote(item.get("href", "")))))
    return found


def _about(opf: Element) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for element in opf.iterfind("opf-metadata/*"):
        name = element.tag.removeprefix("dc-")
        text = " ".join("".join(element.itertext()).split())
        if element.tag.startswith("dc-") and text:
            found.setdefault(name, text)
    return found


def _with_pictures(blocks: tuple[Block, ...], chapter: str, package: Package, pictures: Pictures) -> list[Block]:
    made: list[Block] = []
    for block in blocks:
        if isinstance(block, Figure):
            part = _part_of(block.path, chapter)
            block = replace(block, path=pictures.path_of(part, package.read) if package.has(part) else None)
        made.append(block)
    return made


def _part_of(path: str | None, chapter: str) -> str:
    parts = urlsplit(path or "")
    if parts.scheme or parts.netloc:
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(chapter), unquote(parts.path)))
