"""Whatever comes in, as one PDF: a picture becomes one, and what is appended follows."""

from __future__ import annotations

from pathlib import Path

from processors.document import paper_work
from processors.document.kinds import PICTURES, TEXTS, Kind, kind_of
from processors.document.office.conversion import Opened, layable, opened, pdf_of
from processors.document.paper.assembly import Part
from processors.specs import DocumentSpec
from processors.worker.context import Context

PAPER: frozenset[Kind] = frozenset({"pdf", *PICTURES})  #: what is one, or becomes one as it is

_JOINED = "joined.pdf"


def has_appended(context: Context[DocumentSpec]) -> bool:
    """Whether more documents follow the first."""
    return any(file.field == "append" for file in context.request.inputs)


def as_pdf(context: Context[DocumentSpec], path: Path, name: str, kind: Kind, scratch: Path) -> Path:
    """Give the documents of a job as one PDF.

    Raises:
        Rejected: one of them cannot be read, or cannot become one.
    """
    first = _one(context, path, name, kind, scratch)
    if not has_appended(context):
        return first
    password = context.spec.password
    parts = [Part(first, name, password)]
    for number, file in enumerate(file for file in context.request.inputs if file.field == "append"):
        own = scratch / f"appended-{number:03}"
        own.mkdir()
        appended = context.inputs / file.path
        made = _one(context, appended, file.name, kind_of(appended, file.name), own)
        parts.append(Part(made, file.name, password))
    paper_work.join(parts, scratch / _JOINED, lambda done, total: context.progress("join", None))
    return scratch / _JOINED


def _one(context: Context[DocumentSpec], path: Path, name: str, kind: Kind, scratch: Path) -> Path:
    if kind == "pdf":
        return path
    if kind in PICTURES:
        return paper_work.from_picture(path, name, scratch, lambda done, total: context.progress("pages", None))
    is_text = kind in TEXTS
    document = Opened(path, name, kind) if is_text else opened(context, path, name, kind, scratch)
    return pdf_of(context, layable(document, scratch), scratch)
