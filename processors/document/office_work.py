"""What is made of office formats, and of anything that LibreOffice lays out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from processors.document import paper_work, pdf_work, ranges
from processors.document.kinds import Kind
from processors.document.model import Page
from processors.document.office import reading
from processors.document.office.conversion import Opened, layable, opened, pdf_of, readable, resaved
from processors.document.outputs import (
    docx_output,
    without_pictures,
    write_docx,
    write_formats,
    write_images,
    write_tables,
)
from processors.document.pdf.source import PdfSource
from processors.protocol import OutputFile, Result
from processors.specs import DocumentSpec
from processors.specs.document import FILES
from processors.worker.context import Context, Rejected

_IMAGES_DIR = "images"
_OPENED, _READ, _WRITTEN = 0.1, 0.5, 0.6  # shares of the progress
_MODELLED = frozenset({"text", "html", "markdown", "json"})
_TEXTS_OF_OFFICE: frozenset[Kind] = frozenset({"docx", "odt", "rtf", "doc"})

_SLIDES: frozenset[Kind] = frozenset({"pptx", "odp", "ppt"})  # a slide is a page of the PDF, unless it is hidden
#: what is counted where it is read is no page of the PDF
_OTHERWISE_COUNTED: dict[Kind, str] = {
    **dict.fromkeys(("xlsx", "ods", "xls"), "sheets"),
    "epub": "chapters",
}


def make(context: Context[DocumentSpec], path: Path, name: str, kind: Kind, scratch: Path) -> Result:
    """Read an office document, and write what the spec asks for.

    Raises:
        Rejected: it cannot be read.
    """
    spec = context.spec
    document = opened(context, path, name, kind, scratch)
    _refuse_two_counts(spec, document.kind, name)
    context.progress("read", _OPENED)
    outputs: list[OutputFile] = []
    slides: int | None = None
    about: dict[str, Any] = {"format": document.kind if kind == "locked" else kind, "encrypted": document.was_locked}
    by_model = "docx" in spec.output_formats and document.kind not in _TEXTS_OF_OFFICE
    if by_model or spec.metadata or spec.extract_images or spec.tables or _MODELLED & {*spec.output_formats}:
        plain = readable(context, document, scratch)
        root = context.out if spec.extract_images else scratch
        wants_images = spec.extract_images or by_model
        found = reading.read(plain.path, name, plain.kind, root / _IMAGES_DIR if wants_images else None)
        if (by_model or _MODELLED & {*spec.output_formats}) and not any(page.blocks for page in found.pages):
            hint = "It is empty, or all that it has is hidden."
            raise Rejected("empty_document", f"{name} has nothing that could be read.", hint)
        pages = _chosen(spec, found.pages, plain.kind, name)
        slides = len(found.pages) if document.kind in _SLIDES else None
        about |= _about(found, plain.kind)
        context.progress("write", _READ)
        shown = pages if spec.extract_images else [without_pictures(page) for page in pages]
        outputs += write_formats(context, lambda: shown, {key: value for key, value in about.items() if value})
        outputs += write_tables(context, lambda: shown)
        if spec.extract_images:
            outputs += write_images(context, context.out / _IMAGES_DIR)
        if by_model:
            title, author = (str(found.properties.get(key) or "") for key in ("title", "creator"))
            outputs.append(write_docx(context, pages, title, author=author, folder=root, breaks=True))
        if spec.metadata:
            outputs.append(_metadata(context, about | {"properties": found.properties}))
    if "docx" in spec.output_formats and not by_model:
        resaved(context, document, context.out / FILES["docx"])
        outputs.append(docx_output(context))
    made, notes = laid_out(context, lambda: layable(document, scratch), scratch, slides)
    details: dict[str, Any] = {"input": {key: value for key, value in about.items() if value}}
    return Result(outputs=outputs + made, details=details | ({"notes": notes} if notes else {}))


def laid_out(
    context: Context[DocumentSpec], document: Callable[[], Opened], scratch: Path, slides: int | None = None
) -> tuple[list[OutputFile], list[str]]:
    """Make the PDFs and the pictures of pages that the spec asks for; with what is to be said of them.

    Args:
        document: gives what LibreOffice lays out; asked once, and only where something is laid out.
        slides: how many there are, where pages of them were read.

    Raises:
        Rejected: it cannot be laid out, or the pages that are wanted are others there.
    """
    spec, name = context.spec, context.input_name("document_url")
    by_office = "pdfa" in spec.output_formats and spec.rotate is None and spec.pages is None
    wanted = {*spec.output_formats} & {"pdf", "pdfa"}
    made: list[OutputFile] = []
    notes: list[str] = []
    if not spec.wants_preview and not wanted:
        return made, notes
    context.progress("lay out", _WRITTEN)
    ready = document()
    if spec.wants_preview or wanted - ({"pdfa"} if by_office else set()):
        paper = pdf_of(context, ready, scratch)
        source = PdfSource.open(paper, name, scratch, pages=spec.pages)
        formats = sorted(wanted - ({"pdfa"} if by_office else set()))
        if spec.pages is not None and slides not in (None, source.facts.pages):
            raise _counted_twice(spec, name, "slides")
        made, notes = paper_work.make(context, source, formats, lambda done, total: None)
        if spec.wants_preview:
            made += pdf_work.previews(context, source)
    if by_office:
        pdf_of(context, ready, scratch, archival=True).rename(context.out / FILES["pdfa"])
        details = {"format": "pdfa", "conformance": "PDF/A-2b"}
        made.append(context.output(FILES["pdfa"], media_type="application/pdf", role="document", details=details))
    return made, notes


def _refuse_two_counts(spec: DocumentSpec, kind: Kind, name: str) -> None:
    """Refuse pages where one number would mean two things, or nothing: sheets and chapters are not pages of the PDF."""
    wanted = {*spec.output_formats}
    if spec.pages is None:
        return
    if kind in _TEXTS_OF_OFFICE and "docx" in wanted:
        raise _no_pages(name)
    is_laid_out = spec.wants_preview or wanted & {"pdf", "pdfa"}
    is_read = spec.metadata or spec.extract_images or spec.tables or wanted & (_MODELLED | {"docx"})
    if is_laid_out and is_read and kind in _OTHERWISE_COUNTED:
        raise _counted_twice(spec, name, _OTHERWISE_COUNTED[kind])


def _counted_twice(spec: DocumentSpec, name: str, counted: str) -> Rejected:
    return Rejected(
        "no_pages",
        f"The pages {spec.pages} of {name} are {counted} where it is read, and others where it is laid out.",
        "Make two jobs: one for pdf, pdfa and preview, and one for all else.",
    )


def _no_pages(name: str) -> Rejected:
    return Rejected(
        "no_pages", f"{name} has no pages before it is laid out.", "Choose pages of its PDF: ask for pdf alone."
    )


def _chosen(spec: DocumentSpec, pages: list[Page], kind: Kind, name: str) -> list[Page]:
    if spec.pages is None:
        return pages
    if kind not in reading.PAGED:
        raise _no_pages(name)
    count = max((page.number or 0 for page in pages), default=0)
    numbers = {index + 1 for index in ranges.pages_of(spec.pages, count, name)}
    made = [page for page in pages if page.number in numbers]
    if not made:
        raise Rejected("no_such_page", f"The pages {spec.pages} of {name} are hidden.", "Show them, or choose others.")
    return made


def _about(found: reading.Document, kind: Kind) -> dict[str, Any]:
    about = {key: found.properties.get(key) for key in ("title", "language", "headers", "footers")}
    return about | ({"pageCount": len(found.pages)} if kind in reading.PAGED else {})


def _metadata(context: Context[DocumentSpec], about: dict[str, Any]) -> OutputFile:
    text = json.dumps(about, ensure_ascii=False, indent=1)
    (context.out / "metadata.json").write_text(text, encoding="utf-8", errors="replace")
    return context.output("metadata.json", media_type="application/json", role="metadata")
