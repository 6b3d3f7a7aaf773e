"""What is made of a PDF."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from processors.document import paper_work
from processors.document.kinds import Kind
from processors.document.ocr.pages import write_layer
from processors.document.ocr.work import notes_of, read_scanned
from processors.document.outputs import without_pictures, write_docx, write_formats, write_images, write_tables
from processors.document.pdf.metadata import metadata
from processors.document.pdf.previews import chosen, contact_sheets, pictures
from processors.document.pdf.source import PdfSource, Wants
from processors.document.ranges import in_words
from processors.protocol import OutputFile, Result
from processors.specs import DocumentSpec
from processors.worker.context import Context, Rejected

_IMAGES_DIR = "images"
_READING, _WRITING, _DRAWING = 0.6, 0.15, 0.25  # shares of the progress
_LOOKING = 0.1  # the same, of the look at pages that tells which are read from their pictures
_LAYERED = "layered.pdf"
_PAPER = frozenset({"pdf", "pdfa"})
_STRUCTURED = frozenset({"html", "markdown", "json", "docx"})
_MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}

Done = Callable[[int, int], None]


def make(context: Context[DocumentSpec], path: Path, name: str, scratch: Path, kind: Kind = "pdf") -> Result:
    """Read a PDF, and write what the spec asks for.

    Args:
        kind: of the file that it was made of, if it was.

    Raises:
        Rejected: it cannot be read.
    """
    spec = context.spec
    source = PdfSource.open(path, name, scratch, password=spec.password, pages=spec.pages)
    # Pictures that are not asked for are still part of a DOCX.
    root = context.out if spec.extract_images else scratch
    wants = _wants(spec, root / _IMAGES_DIR)
    outputs: list[OutputFile] = []
    about: dict[str, Any] = {
        "format": kind,
        "pageCount": source.facts.pages,
        "pagesRead": in_words(source.indexes),
        "title": source.facts.title or None,
        "tagged": source.facts.tagged,
        "encrypted": source.facts.encrypted,
    }
    details: dict[str, Any] = {"input": about}
    nothing: list[str] = []  # was found, where somebody looked
    if wants.text or wants.structure:
        looking = _LOOKING if spec.ocr_enabled else _READING
        source.read(wants, _share(context, "read", 0.0, looking))
        if source.unread:
            images = context.out / _IMAGES_DIR
            details["ocr"] = read_scanned(source, spec, images, _share(context, "ocr", looking, _READING - looking))
        if source.silent:
            about["pagesWithoutText"] = in_words(source.silent)
        if (source.silent or source.unread) and not source.has_text:
            none = _no_text(source, was_read=spec.ocr_enabled)
            # A blank page belongs into an archive like any other; of text that is asked for there is none to give.
            if not spec.ocr_enabled or not (spec.wants_preview or _PAPER & {*spec.output_formats}):
                raise none
            nothing = [none.message]
        if wants.structure:
            about["hiddenText"] = round(source.hidden, 3)
        context.progress("write", _READING)

        def pages() -> Any:
            return source.pages(remove_headers=spec.remove_headers)

        texts = source.texts if wants.text else None
        known = {key: value for key, value in about.items() if value is not None}
        if "ocr" in details:
            known["ocr"] = {key: value for key, value in details["ocr"].items() if key != "byPage"}
        contents = [asdict(entry) for entry in source.facts.outline]
        shown = pages if spec.extract_images else lambda: map(without_pictures, pages())
        outputs += write_formats(context, shown, known | {"outline": contents}, texts=texts)
        outputs += write_tables(context, pages)
        if "docx" in spec.output_formats:
            outputs.append(write_docx(context, pages(), source.facts.title, folder=root, breaks=spec.page_markers))
        if "ocr" in details:
            for output in outputs:
                output.details.update(_how_read(details["ocr"]))
        outputs += write_images(context, context.out / _IMAGES_DIR)
    if spec.wants_preview:
        outputs += previews(context, source)
    paper = _searchable(source, spec, scratch) if source.unread and _PAPER & {*spec.output_formats} else source
    written, notes = paper_work.make(context, paper, spec.output_formats, _share(context, "pdf", _READING, _WRITING))
    outputs += written
    notes = nothing + notes_of(details.get("ocr", {})) + notes
    if spec.metadata:
        found = metadata(source, _share(context, "metadata", 0.9, 0.1))
        (context.out / "metadata.json").write_text(json.dumps(found, ensure_ascii=False, indent=1), errors="replace")
        outputs.append(context.output("metadata.json", media_type="application/json", role="metadata"))
    details["input"] = {key: value for key, value in about.items() if value is not None}
    return Result(outputs=outputs, details=details | ({"notes": notes} if notes else {}))


def _how_read(found: dict[str, Any]) -> dict[str, Any]:
    """What the details of an output say of the pages that were read from their picture."""
    return {"language": found["language"]} | ({"confidence": found["confidence"]} if "confidence" in found else {})


def _searchable(source: PdfSource, spec: DocumentSpec, scratch: Path) -> PdfSource:
    """All pages, which so keep their numbers, with what was read of some laid over: what is written is made of it."""
    layered = scratch / _LAYERED
    write_layer(source, layered)
    return PdfSource.open(layered, source.name, scratch, pages=spec.pages)


def _no_text(source: PdfSource, *, was_read: bool) -> Rejected:
    if was_read:
        where = "its page" if len(source.indexes) == 1 else f"its {len(source.indexes)} pages"
        hint = "It may be empty, in another language than --language says, or too coarse: see its preview."
        return Rejected("no_text_found", f"No text was found in {source.name}: nothing can be read on {where}.", hint)
    what = "its page is a picture" if len(source.silent) == 1 else f"its {len(source.silent)} pages are pictures"
    hint = "--ocr-enabled has pictures read (ocrEnabled in a spec); preview alone needs no text."
    return Rejected("no_text", f"{source.name} has no text: {what}.", hint)


def _wants(spec: DocumentSpec, images: Path) -> Wants:
    # The text of a PDF is what stands in it, line by line, unless something is to be left out of it.
    text_alone = "text" in spec.output_formats and not spec.remove_headers
    structure = bool(
        _STRUCTURED & {*spec.output_formats}
        or spec.tables is not None
        or spec.extract_images
        or spec.ocr_enabled  # what has to be read is told by all that is on a page
        or ("text" in spec.output_formats and not text_alone)
    )
    return Wants(
        text=text_alone,
        structure=structure,
        words="json" in spec.output_formats,
        images=images if spec.extract_images or "docx" in spec.output_formats else None,
        ocr=spec.ocr_mode if spec.ocr_enabled else None,
    )


def previews(context: Context[DocumentSpec], source: PdfSource) -> list[OutputFile]:
    """Make pictures of pages as the spec asks for."""
    options = context.spec.preview_options
    indexes = chosen(options, source.indexes, source.facts.pages, source.name)
    share = _DRAWING / 2 if options.contact_sheet else _DRAWING
    begin = _READING + _WRITING
    arguments = (source.path, source.name, source.password)
    made = [
        *pictures(*arguments, indexes, options, context.out, _share(context, "preview", begin, share)),
        *(
            contact_sheets(
                *arguments,
                source.indexes,
                options,
                context.out,
                _share(context, "contact sheet", begin + share, share),
            )
            if options.contact_sheet
            else ()
        ),
    ]
    return [
        context.output(
            preview.path,
            media_type=_MEDIA_TYPES[options.format],
            role="preview" if preview.page is not None else "contactSheet",
            details={"width": preview.width, "height": preview.height}
            | ({} if preview.page is None else {"page": preview.page}),
        )
        for preview in made
    ]


def _share(context: Context[DocumentSpec], stage: str, begin: float, share: float) -> Done:
    """Pass pages on as progress, as a part of the whole."""
    return lambda done, total: context.progress(stage, begin + share * done / total)
