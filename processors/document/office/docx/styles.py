"""What the styles of a DOCX say of a paragraph: a heading, a title, a caption, code, an item of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal
from xml.etree.ElementTree import Element

Look = Literal["heading", "title", "caption", "code", "text"]

_DEEPEST = 20  # styles that are based on each other
_CODE = re.compile(r"\b(code|preformatted|listing|verbatim)\b", re.IGNORECASE)
_HEADING = re.compile(r"heading ([1-9])$", re.IGNORECASE)
_MONOSPACED = re.compile(r"courier|consolas|mono|menlo|lucida console|source code", re.IGNORECASE)
_NO_HEADING = 9  # of an outline level: body text
_MOST_LEVEL = 6


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says."""

    look: Look = "text"
    level: int | None = None  #: of a heading, from 1
    number: str | None = None  #: its list
    depth: int | None = None  #: in that list
    bold: bool = False
    italic: bool = False
    code: bool = False  #: in a font whose letters are equally wide
    hidden: bool = False


PLAIN = Style()


class Styles:
    """The styles of a document."""

    def __init__(self, root: Element | None) -> None:
        self._elements = {}
        self.default = ""
        for style in root.findall("w-style") if root is not None else ():
            name = style.get("w-styleId", "")
            self._elements[name] = style
            if style.get("w-default") in ("1", "true", "on") and style.get("w-type") == "paragraph":
                self.default = name
        self._known: dict[str, Style] = {}

    def of(self, identifier: str | None) -> Style:
        """The style of that name, with what it inherits."""
        if not identifier:
            return PLAIN
        if identifier not in self._known:
            self._known[identifier] = self._read(identifier, 0)
        return self._known[identifier]

    def _read(self, identifier: str, depth: int) -> Style:
        element = self._elements.get(identifier)
        if element is None or depth > _DEEPEST:
            return PLAIN
        based = element.find("w-basedOn")
        style = self._read(based.get("w-val", ""), depth + 1) if based is not None else PLAIN
        named = element.find("w-name")
        name = (named.get("w-val", "") if named is not None else "") or identifier
        if found := _HEADING.match(name):
            style = replace(style, look="heading", level=min(_MOST_LEVEL, int(found[1])))
        elif name.lower() == "title":
            style = replace(style, look="title", level=1)
        elif name.lower() == "caption":
            style = replace(style, look="caption", level=None)
        elif _CODE.search(name) and element.get("w-type") == "paragraph":
            style = replace(style, look="code", level=None)
        elif name.lower() in ("normal", "body text", "toc heading") or name.lower().startswith("toc "):
            style = replace(style, look="text", level=None)
        return _with_properties(style, element)


def _with_properties(style: Style, element: Element) -> Style:
    level = element.find("w-pPr/w-outlineLvl")
    if level is not None:
        style = with_outline(style, level.get("w-val", ""))
    numbers = element.find("w-pPr/w-numPr")
    if numbers is not None:
        number, depth = numbers.find("w-numId"), numbers.find("w-ilvl")
        if number is not None:
            style = replace(style, number=number.get("w-val"))
        if depth is not None and depth.get("w-val", "").isdecimal():
            style = replace(style, depth=int(depth.get("w-val", "0")))
    bold, italic = element.find("w-rPr/w-b"), element.find("w-rPr/w-i")
    fonts = element.find("w-rPr/w-rFonts")
    if fonts is not None:
        style = replace(style, code=is_monospaced(fonts))
    if bold is not None:
        style = replace(style, bold=is_on(bold))
    if italic is not None:
        style = replace(style, italic=is_on(italic))
    hidden = element.find("w-rPr/w-vanish")
    if hidden is not None:
        style = replace(style, hidden=is_on(hidden))
    return style


def with_outline(style: Style, value: str) -> Style:
    """A style at a level of the outline, which counts from 0."""
    if not value.isdecimal() or style.look == "title":
        return style
    if int(value) >= _NO_HEADING:
        return replace(style, look="text", level=None) if style.look == "heading" else style
    return replace(style, look="heading", level=min(_MOST_LEVEL, int(value) + 1))


def is_monospaced(fonts: Element) -> bool:
    """Whether the letters of a font are equally wide, by its name."""
    return bool(_MONOSPACED.search(fonts.get("w-ascii", "")))


def is_on(element: Element) -> bool:
    """Whether a switch is on, which it is without a value."""
    return element.get("w-val", "true") not in ("0", "false", "off", "none")
