"""Whether a document says how large its pages are. What does not is laid out on A4, as almost everywhere."""

from __future__ import annotations

from mmap import ACCESS_READ, mmap
from pathlib import Path

from processors.document.kinds import Kind
from processors.document.office.package import Package

#: the word that says it, in the parts whose names begin so
_WORDS: dict[Kind, tuple[bytes, tuple[str, ...]]] = {
    "docx": (b"pgSz", ("word/",)),
    "xlsx": (b"paperSize=", ("xl/worksheets/", "xl/chartsheets/")),
    **dict.fromkeys(("odt", "ods"), (b"page-width", ("styles.xml", "content.xml"))),
}


def has_paper(package: Package, kind: Kind) -> bool:
    """Whether a packed document says it; a presentation always does."""
    if kind not in _WORDS:
        return True
    word, begins = _WORDS[kind]
    parts = [part for begin in begins for part in package.parts(begin) if part.endswith(".xml")]
    return any(package.mentions(part, word) for part in parts)


def has_text_paper(path: Path) -> bool:
    """Whether an RTF says it."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        return any(data.find(word) >= 0 for word in (b"\\paperw", b"\\pgwsxn"))
