"""Pages as the outputs of a job: one file for each format that is asked for, and one for each table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from processors.document.model import Figure, Page, tables
from processors.document.writing import docx
from processors.document.writing.as_json import as_json
from processors.document.writing.html import html
from processors.document.writing.markdown import markdown
from processors.document.writing.places import Places
from processors.document.writing.tables import as_csv
from processors.document.writing.tables import as_json as table_as_json
from processors.document.writing.text import text
from processors.protocol import OutputFile
from processors.specs import DocumentSpec
from processors.specs.document import FILES
from processors.worker.context import Context

Pages = Callable[[], Iterable[Page]]  #: gives the pages anew each time

_MEDIA_TYPES = {
    "text": "text/plain; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "json": "application/json",
}
_DOCX_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_TABLES_DIR = "tables"


def write_formats(
    context: Context[DocumentSpec],
    pages: Pages,
    about: Mapping[str, Any],
    *,
    texts: Callable[[], Iterator[str]] | None = None,
) -> list[OutputFile]:
    """Write each format that the spec names.

    Args:
        about: of the document, for JSON and the title of HTML.
        texts: the text of each page as it stands in the file, where there is that.
    """
    spec = context.spec
    made: list[OutputFile] = []
    for wanted in dict.fromkeys(spec.output_formats):
        match wanted:
            case "text" if texts is not None:
                pieces = _with_ends(texts(), page_markers=spec.page_markers)
            case "text":
                pieces = text(pages(), page_markers=spec.page_markers)
            case "markdown":
                places = Places(pages, page_markers=spec.page_markers)
                pieces = markdown(map(places.alive, pages()), page_markers=spec.page_markers)
            case "html":
                title = str(about.get("title") or context.input_name("document_url"))
                alive = map(Places(pages, page_markers=spec.page_markers).alive, pages())
                pieces = html(alive, title=title, language=about.get("language"), page_markers=spec.page_markers)
            case "json":
                pieces = as_json(pages(), about)
            case _:
                continue
        name = FILES[wanted]
        with (context.out / name).open("w", encoding="utf-8", errors="replace") as file:
            file.writelines(pieces)
        made.append(context.output(name, media_type=_MEDIA_TYPES[wanted], role="document", details={"format": wanted}))
    return made


def _with_ends(texts: Iterable[str], *, page_markers: bool) -> Iterator[str]:
    for index, page in enumerate(texts):
        if index:
            yield "\f" if page_markers else "\n"
        yield page.rstrip() + "\n" if page.strip() else ""


def write_tables(context: Context[DocumentSpec], pages: Pages) -> list[OutputFile]:
    """Write each table as a file of its own, if the spec says so."""
    form = context.spec.tables
    if form is None:
        return []
    made: list[OutputFile] = []
    for page in pages():
        for table in tables(page):
            number = len(made) + 1
            name = f"{_TABLES_DIR}/table-{number:03}.{form}"
            target = context.out / name
            target.parent.mkdir(exist_ok=True)
            # RFC 4180's ends of lines are written as they are.
            target.write_bytes((as_csv(table) if form == "csv" else table_as_json(table)).encode(errors="replace"))
            media_type = "text/csv; charset=utf-8" if form == "csv" else "application/json"
            details: dict[str, Any] = {"rows": len(table.rows), "page": page.number}
            made.append(context.output(name, media_type=media_type, role="table", details=details))
    return made


def write_docx(
    context: Context[DocumentSpec],
    pages: Iterable[Page],
    title: str,
    *,
    author: str = "",
    folder: Path | None = None,
    breaks: bool = False,
) -> OutputFile:
    """Write pages as DOCX.

    Args:
        folder: what the paths of their pictures are relative to.
        breaks: whether each page begins on a new one.
    """
    docx.write(context.out / FILES["docx"], pages, title=title, author=author, folder=folder, breaks=breaks)
    return docx_output(context)


def docx_output(context: Context[DocumentSpec]) -> OutputFile:
    """Name the DOCX that was made."""
    return context.output(FILES["docx"], media_type=_DOCX_TYPE, role="document", details={"format": "docx"})


def without_pictures(page: Page) -> Page:
    """A page whose pictures are no files, for outputs beside which there are none."""
    blocks = (replace(block, path=None) if isinstance(block, Figure) else block for block in page.blocks)
    return replace(page, blocks=tuple(blocks))


def write_images(context: Context[DocumentSpec], directory: Path) -> list[OutputFile]:
    """Name the pictures that were extracted."""
    media_types = {".jpg": "image/jpeg", ".png": "image/png"}
    return [
        context.output(f"{directory.name}/{file.name}", media_type=media_types[file.suffix], role="image")
        for file in sorted(directory.glob("*"))
        if file.suffix in media_types
    ]
