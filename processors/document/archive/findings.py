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
_ROLES_WITH_EXTRAS = re.compile(r"\((Catalog|Page|LinkAnnot|TextAnnot|MarkupAnnot|Annot|ImageXObject|FormXObject)\)")
_UP = frozenset({"/Parent", "/P", "/Dest", "/D", "/StructParent", "/StructParents", "/Popup", "/IRT"})
_SHADES = ("pikepdf:shading", "pikepdf:schema-Resources")
_PLAIN = frozenset({"/DeviceRGB", "/DeviceGray", "/CalRGB", "/CalGray", "/Lab"})
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
        if place is None or extras is None or not _ROLES_WITH_EXTRAS.search(finding.where):
            continue
        holder: Any = pdf.get_object(int(place[1]), int(place[2]))
        for key in extras[1].split(", "):
            if isinstance(holder, (Dictionary, Stream)) and key in holder:
                del holder[key]
                changed = True
    return changed


def serious(pdf: pikepdf.Pdf, findings: Iterable[Finding]) -> list[Finding]:
    """Leave out what the judge only does not know: shades whose colours are those of the archive."""
    found = list(findings)
    if any(_is_of_shades(finding) for finding in found):
        return [finding for finding in found if not (_is_of_shades(finding) and _are_shades_plain(pdf, finding))]
    return found


def _is_of_shades(finding: Finding) -> bool:
    about = f"{finding.where} {finding.message}"
    return (
        finding.kind == "unsupported"
        and finding.rule in _SHADES
        and ("shading" in finding.message or "patterns" in about)
    )


def _are_shades_plain(pdf: pikepdf.Pdf, finding: Finding) -> bool:
    place = _PLACE.match(finding.where)
    if place is None:
        return False
    holder: Any = pdf.get_object(int(place[1]), int(place[2]))
    resources = holder.get("/Resources", holder)
    if not isinstance(resources, Dictionary):
        return False
    shades = list(_values(resources.get("/Shading")))
    for pattern in _values(resources.get("/Pattern")):
        if not isinstance(pattern, Dictionary) or "/ExtGState" in pattern or pattern.get("/PatternType") != 2:
            return False
        shades.append(pattern.get("/Shading"))
    return all(_is_plain(shade) for shade in shades)


def _is_plain(shade: Any) -> bool:
    if not isinstance(shade, (Dictionary, Stream)):
        return False
    space = shade.get("/ColorSpace")
    if isinstance(space, Array) and len(space):
        if space[0] == Name.ICCBased:
            return isinstance(space[1], Stream) and space[1].get("/N") in (1, 3)
        space = space[0]
    return str(space) in _PLAIN


def _values(holder: Any) -> Iterator[Any]:
    if isinstance(holder, Dictionary):
        for key in holder.keys():
            yield holder[key]


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
