"""What a PDF says of itself that its reading needs: how many pages, its outline, its title."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pypdfium2.raw as raw
from pydantic import TypeAdapter

from processors.document.pdf.opening import opened
from processors.document.pdf.outline import Entry, outline_of
from processors.document.pdf.strings import property_of

_LONGEST_TITLE = 500


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one PDF."""

    pages: int
    title: str
    tagged: bool
    encrypted: bool
    outline: tuple[Entry, ...]


_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)


def look(path: Path, name: str, password: str | None) -> Any:
    """Read the facts, as JSON says them; to be done apart.

    Raises:
        Rejected: the file cannot be opened.
    """
    with opened(path, name, password) as document:
        facts = Facts(
            pages=len(document),
            title=" ".join(property_of(document, "Title").split())[:_LONGEST_TITLE],
            tagged=bool(document.is_tagged()),
            encrypted=raw.FPDF_GetSecurityHandlerRevision(document.raw) >= 0,
            outline=tuple(outline_of(document)),
        )
    return _FACTS.dump_python(facts, mode="json")


def facts_from(value: Any) -> Facts:
    """Take what `look` has given."""
    return _FACTS.validate_python(value)
