"""Office files as pages, read apart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from processors.document import apart
from processors.document.kinds import Kind
from processors.document.model import Page
from processors.document.office import epub, pptx, properties, xlsx
from processors.document.office.docx import reading as docx
from processors.document.office.package import Package
from processors.document.office.pictures import Pictures
from processors.worker.context import Rejected

_PAGES: TypeAdapter[list[Page]] = TypeAdapter(list[Page])
_SECONDS = 120.0

READ: frozenset[Kind] = frozenset({"docx", "pptx", "xlsx", "epub"})  #: what is read by ourselves
PAGED: frozenset[Kind] = frozenset({"pptx", "xlsx", "epub"})  #: what has slides, sheets or chapters to choose


@dataclass(frozen=True, slots=True)
class Document:
    """What an office file holds."""

    pages: list[Page]
    properties: dict[str, Any]


def read(path: Path, name: str, kind: Kind, images: Path | None) -> Document:
    """Read an office file that is a ZIP archive.

    Args:
        images: where its pictures go; None: nowhere.

    Raises:
        Rejected: it is damaged, protected, or takes too much.
    """
    allowed = apart.Limits(apart.limits().memory_bytes, _SECONDS)
    found = apart.call(lambda: _look(path, name, kind, images), name, allowed=allowed)
    return Document(_PAGES.validate_python(found["pages"]), found["properties"])


def _look(path: Path, name: str, kind: Kind, images: Path | None) -> dict[str, Any]:
    try:
        document = _read(path, name, kind, Pictures(images))
    except RecursionError as error:
        raise Rejected("nested_too_deep", f"{name} is nested deeper than any document that is to be read.") from error
    return {"pages": _PAGES.dump_python(document.pages, mode="json"), "properties": document.properties}


def _read(path: Path, name: str, kind: Kind, pictures: Pictures) -> Document:
    with Package(path, name) as package:
        match kind:
            case "epub":
                return Document(*epub.pages_of(package, pictures))
            case "pptx":
                return Document(pptx.pages_of(package, pictures), properties.properties(package))
            case "xlsx":
                return Document(xlsx.pages_of(path, name), properties.properties(package))
            case _:
                found = docx.read(package, pictures)
                edges = {"headers": found.headers, "footers": found.footers}
                return Document(
                    [found.page], properties.properties(package) | {key: value for key, value in edges.items() if value}
                )
