"""From a spec to what is made of a document: which reader, which writers, in which order."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from processors.document import office_work, pdf_work, text_work
from processors.document.intake import PAPER, as_pdf, has_appended
from processors.document.kinds import OFFICE, PICTURES, TEXTS, Kind, kind_of
from processors.protocol import Result
from processors.specs import DocumentSpec
from processors.worker.context import Context, Rejected

#: what each kind of file can become here
_WRITTEN = frozenset({"text", "html", "markdown", "json", "docx"})
_PAPER = frozenset({"preview", "pdf", "pdfa"})
SERVED: dict[Kind, frozenset[str]] = {
    "pdf": _WRITTEN | _PAPER,
    **dict.fromkeys(TEXTS, _WRITTEN | _PAPER),
    **dict.fromkeys(OFFICE, _WRITTEN | _PAPER),
    **dict.fromkeys(PICTURES, _WRITTEN | _PAPER),
}


def result(context: Context[DocumentSpec]) -> Result:
    """Do the work, and say what came of it."""
    path, name = context.input_path("document_url"), context.input_name("document_url")
    context.progress("probe", 0.0)
    kind = kind_of(path, name)
    _refuse_what_is_not_served(context.spec, kind, name)
    scratch = Path(tempfile.mkdtemp(prefix=".reading-", dir=context.out))
    # A reader that is killed leaves its files, as those that tesseract is given: they go with the folder.
    os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
    try:
        if kind in PAPER or has_appended(context):
            made = pdf_work.make(context, as_pdf(context, path, name, kind, scratch), name, scratch, kind)
        else:
            work = text_work if kind in TEXTS else office_work
            made = work.make(context, path, name, kind, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    context.progress("done", 1.0)
    return made


def _refuse_what_is_not_served(spec: DocumentSpec, kind: Kind, name: str) -> None:
    wanted = {*spec.output_formats, *(["preview"] if spec.generate_preview else [])}
    served = SERVED.get(kind, frozenset())
    missing = sorted(wanted - served)
    if missing:
        possible = ", ".join(sorted(served))
        hint = f"It can become {possible}." if possible else None
        raise Rejected("conversion_not_served", f"{name} is {kind}, which cannot become {missing[0]} here.", hint)
