"""PDF/A out of all that is in folders, and what validators say of it.

    PYTHONPATH=. python tests/quality/archives.py FOLDER...

The service asks pikepdf's validator itself; here it is asked once more, of the file, and pdf_oxide's where that is
installed (`pip install pdf_oxide`). Text is compared with that of the source as PDFium reads it, where that is a PDF.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pypdfium2
from pikepdf import pdfa

from processors.document import archive_work
from processors.document.intake import PICTURES
from processors.document.kinds import kind_of
from processors.document.paper.assembly import Part
from processors.document.paper_work import from_picture
from processors.document.pdf.source import PdfSource
from processors.worker.context import Rejected

_COMPARED = 3000  # characters of a text


def main() -> None:
    """Make, ask and print."""
    verdicts: Counter[str] = Counter()
    for path in sorted(path for folder in sys.argv[1:] for path in Path(folder).iterdir()):
        with tempfile.TemporaryDirectory() as directory:
            scratch = Path(directory)
            try:
                kind = kind_of(path, path.name)
                if kind != "pdf" and kind not in PICTURES:
                    continue
                line = _archived(path, path if kind == "pdf" else _as_pdf(path, scratch), scratch)
            except Rejected as error:
                line = error.code
        verdicts[line.split()[0]] += 1
        print(f"{path.name[:44]:44} {line}")  # noqa: T201
    print(dict(verdicts))  # noqa: T201


def _as_pdf(path: Path, scratch: Path) -> Path:
    return from_picture(path, path.name, scratch, lambda done, total: None)


def _archived(path: Path, pdf: Path, scratch: Path) -> str:
    target = scratch / "archive.pdf"
    started = time.monotonic()
    pages = PdfSource.open(pdf, path.name, scratch).facts.pages
    part = Part(pdf, path.name)
    about, _ = archive_work.make(part, pages, None, None, scratch, target, lambda done, total: None)
    seconds = time.monotonic() - started
    report = pdfa.validate_written(target, "2b")
    unknown = ", ".join(sorted({finding.rule for finding in report.findings}))
    drawn = about.get("pagesRedrawn", "none")
    text = difflib.SequenceMatcher(None, _text(pdf), _text(target), autojunk=False).ratio()
    return f"{report.verdict:12} {_second(target):8} {seconds:5.1f} s  text {text:.2f}  drawn: {drawn}  {unknown}"


def _text(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as document:
        text = " ".join(page.get_textpage().get_text_range() for page in document)
    return " ".join(text.split())[:_COMPARED]


def _second(path: Path) -> str:
    """What another validator says."""
    if importlib.util.find_spec("pdf_oxide") is None:
        return "-"
    document = importlib.import_module("pdf_oxide").PdfDocument(str(path))
    return "valid" if document.validate_pdf_a("2b")["valid"] else "invalid"


if __name__ == "__main__":
    main()
