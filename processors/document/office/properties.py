"""What office files say of themselves, in their core and application properties."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

from processors.document.office.package import Package

_CORE = {
    "dc-title": "title",
    "dc-creator": "creator",
    "dc-subject": "subject",
    "dc-description": "description",
    "dc-language": "language",
    "cp-keywords": "keywords",
    "cp-category": "category",
    "cp-lastModifiedBy": "lastModifiedBy",
    "cp-revision": "revision",
    "dcterms-created": "created",
    "dcterms-modified": "modified",
}
_APPLICATION = ("Application", "AppVersion", "Company", "Manager", "Pages", "Words", "Slides", "Template")
_MOST_TEXT = 10_000


def properties(package: Package) -> dict[str, Any]:
    """Read them; what is empty is left out."""
    found: dict[str, Any] = {}
    for relation in package.relations("").values():
        if relation.is_outside or not package.has(relation.target):
            continue
        if relation.kind == "core-properties":
            texts = {each.tag: _text(each) for each in package.xml(relation.target)}
            found |= {name: texts[tag] for tag, name in _CORE.items() if texts.get(tag)}
        elif relation.kind in ("extended-properties", "extendedProperties"):
            texts = {each.tag: _text(each) for each in package.xml(relation.target)}
            found |= {name[0].lower() + name[1:]: texts[name] for name in _APPLICATION if texts.get(name)}
    return found


def _text(element: Element) -> str:
    return "".join(element.itertext()).strip()[:_MOST_TEXT]
