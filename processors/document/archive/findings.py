"""What the judge does not approve of, and where it is: in the document, or on which of its pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Stream
from pikepdf.pdfa import Finding

_PLACE = re.compile(r"^obj (\d+) (\d+)")
_UNKNOWN_KEYS = re.compile(r"unrecognized key\(s\) ([^ ]+(?:, [^ ]+)*) are not checked")
_KEY = re.compile(r" (/[^ ]+)(?= \()")
_UP = frozenset({"/Parent", "/P", "/Dest", "/D", "/StructParent", "/StructParents", "/Popup", "/IRT"})
#: what the judge says of colours that it does not know: shades, patterns and spot colours
_UNKNOWN_COLOURS = re.compile(r"shadings|[Pp]attern|/Separation")
_LAYERS = ("pikepdf:optional-content", "pikepdf:schema-Properties")
_PLAIN = frozenset({"/DeviceRGB", "/DeviceGray", "/CalRGB", "/CalGray", "/Lab", "/Pattern"})
_MOST_OBJECTS = 100_000  # of a page


def pages_of(pdf: pikepdf.Pdf, findings: Iterable[Finding]) -> tuple[dict[int, str], list[Finding]]:
    """Say on which pages something is wrong, and what of it is on none.

    Returns:
        By page, counted from 0, the first thing that is wrong; and what concerns the document.
    """
    wanted: dict[tuple[int, int], str] = {}
    elsewhere: dict[tuple[int, int], Finding] = {}
    rest: list[Finding] = []
    for finding in findings:
        if place := _PLACE.match(finding.where):
            key = int(place[1]), int(place[2])
            wanted.setdefault(key, finding.message)
            elsewhere.setdefault(key, finding)
        else:
            rest.append(finding)
    pages: dict[int, str] = {}
    if wanted:
        for index, page in enumerate(pdf.pages):
            for place_of in _objects(page.obj):
                if place_of in wanted:
                    pages.setdefault(index, wanted[place_of])
                    elsewhere.pop(place_of, None)
    return pages, rest + list(elsewhere.values())


def without_extras(pdf: pikepdf.Pdf, findings: Iterable[Finding]) -> bool:
    """Take keys away that no reader needs to know; say whether there were some."""
    changed = False
    for finding in findings:
        place, extras = _PLACE.match(finding.where), _UNKNOWN_KEYS.search(finding.message)
        if place is None or extras is None:
            continue
        holder: Any = _at(pdf.get_object(int(place[1]), int(place[2])), finding.where)
        for key in extras[1].split(", "):
            if isinstance(holder, (Dictionary, Stream)) and key in holder:
                del holder[key]
                changed = True
    return changed


def _at(holder: Any, where: str) -> Any:
    """The part of an object that is meant, as `obj 13 0 (FormXObject) /Resources (Resources)`."""
    for key in _KEY.findall(where):
        holder = holder.get(key) if isinstance(holder, (Dictionary, Stream)) else None
    return holder


def serious(pdf: pikepdf.Pdf, findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what the judge only does not know, where it is good.

    That are shades, patterns of shades and spot colours whose colours are those of the archive, and names of layers
    where no layer is.
    """
    known: dict[tuple[str, str], bool] = {}

    def is_good(finding: Finding) -> bool:
        if finding.kind != "unsupported":
            return False
        if finding.rule in _LAYERS:
            return "/OCProperties" not in pdf.Root
        place = _PLACE.match(finding.where)
        if place is None or not _UNKNOWN_COLOURS.search(finding.message):
            return False
        if place.groups() not in known:
            known[place.groups()] = _are_colours_plain(pdf.get_object(int(place[1]), int(place[2])))  # type: ignore[index]
        return known[place.groups()]  # type: ignore[index]

    return [finding for finding in findings if not is_good(finding)]


def _are_colours_plain(holder: Any) -> bool:
    """Whether all that the judge does not know among the colours of a page, a form or a picture is good."""
    if not isinstance(holder, (Dictionary, Stream)):
        return False
    resources = holder.get("/Resources", holder)
    if not isinstance(resources, Dictionary):
        return False
    shades = list(_values(resources.get("/Shading")))
    for pattern in _values(resources.get("/Pattern")):
        if not isinstance(pattern, Dictionary) or "/ExtGState" in pattern or pattern.get("/PatternType") != 2:
            return False
        shades.append(pattern.get("/Shading"))
    spaces = [shade.get("/ColorSpace") if isinstance(shade, (Dictionary, Stream)) else None for shade in shades]
    named = resources.get("/ColorSpace")
    spaces += _values(named) if isinstance(named, Dictionary) else [] if named is None else [named]  # of a picture
    return all(_is_plain(space) for space in spaces)


def _is_plain(space: Any) -> bool:
    if isinstance(space, Array) and len(space) > 1:
        kind = space[0]
        if kind == Name.ICCBased:
            return isinstance(space[1], Stream) and space[1].get("/N") in (1, 3)
        if kind == Name.Pattern or kind == Name.Indexed:
            return _is_plain(space[1])
        if kind == Name.Separation and len(space) > 3:
            return _is_plain(space[2])
        return str(kind) in _PLAIN
    return str(space) in _PLAIN if isinstance(space, Name) else isinstance(space, Array) and space[0] == Name.Pattern


def _values(holder: Any) -> Iterator[Any]:
    if isinstance(holder, Dictionary):
        yield from (value for _, value in holder.items())


def _objects(start: Any) -> set[tuple[int, int]]:
    """What a page is made of, without other pages that it leads to."""
    found = {start.objgen}
    stack = [start]
    while stack and len(found) < _MOST_OBJECTS:
        each = stack.pop()
        is_list = isinstance(each, Array)
        for value in each if is_list else [value for key, value in each.items() if key not in _UP]:
            if not isinstance(value, (Dictionary, Stream, Array)) or _is_page(value):
                continue
            if value.is_indirect:
                if value.objgen in found:
                    continue
                found.add(value.objgen)
            stack.append(value)
    return found


def _is_page(value: Any) -> bool:
    return isinstance(value, Dictionary) and value.get("/Type") == Name.Page
