"""What is made of HTML, Markdown and plain text."""

from __future__ import annotations

from pathlib import Path

from processors.document.kinds import Kind
from processors.document.office.conversion import Opened, docx_of
from processors.document.office_work import laid_out
from processors.document.outputs import without_pictures, write_docx, write_formats, write_tables
from processors.document.text.reading import read
from processors.protocol import Result
from processors.specs import DocumentSpec
from processors.worker.context import Context, Rejected


def make(context: Context[DocumentSpec], path: Path, name: str, kind: Kind, scratch: Path) -> Result:
    """Read a text, and write what the spec asks for.

    Raises:
        Rejected: it cannot be read, or pages of it are asked for.
    """
    if context.spec.pages is not None:
        raise Rejected("no_pages", f"{name} is {kind} and has no pages to choose.")
    text = read(path, name, kind)
    page = without_pictures(text.page)  # they are files of others: whoever opens what is made would fetch them
    about = {"format": kind, "title": text.title, "language": text.language}
    about = {key: value for key, value in about.items() if value}
    outputs = write_formats(context, lambda: [page], about)
    outputs += write_tables(context, lambda: [page])
    if "docx" in context.spec.output_formats:
        outputs.append(write_docx(context, [page], text.title))

    def laid() -> Opened:
        return Opened(docx_of(scratch / "text.docx", [page], text.title), name, "docx")

    made, notes = laid_out(context, laid, scratch)
    if text.is_guessed:
        notes.append(f"{name} is not UTF-8 and does not say what it is: it was read as Windows-1252.")
    return Result(outputs=outputs + made, details={"input": about} | ({"notes": notes} if notes else {}))
