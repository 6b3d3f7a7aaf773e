"""Quality and speed of the document service on references, beside others that are installed.

    PYTHONPATH=. python tests/quality/bench_documents.py FOLDER [--each] [--only NAME]

FOLDER holds documents, as `a.pdf` and `b.docx`, and what is expected of them: `a.gt.md` and `b.docx.gt.md`. NID is the
likeness of the text in its order, F1 of headings, TEDS of tables; see scores.py. Seconds are of the processor, with all
processes that were started, after a run that warms up: they say more than the clock on a machine that is busy.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.quality import scans, scores

_ROUNDS = 5  # of each way, in turns

Convert = Callable[[Path], str]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="documents and their *.gt.md")
    parser.add_argument("--suffix", default=".pdf", help="which documents; else .pdf")
    parser.add_argument("--each", action="store_true", help="also a line for each document")
    parser.add_argument("--only", help="one converter alone")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="write what the converters make")
    parser.add_argument("--speed", type=Path, metavar="PDF", help="also the time of its text and Markdown")
    parser.add_argument("--scanned", action="store_true", help="pictures of the pages instead, beside tesseract alone")
    parser.add_argument("--ocr", type=Path, metavar="DIR", help="also pictures that have their text beside them")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    pairs = list(_references(options.folder, options.suffix))
    if not pairs:
        raise SystemExit(f"There is no *{options.suffix} with its *.gt.md in {options.folder}.")
    print(f"{len(pairs)} documents\n{'':14} {'NID':>6} {'F1':>6} {'TEDS':>6} {'seconds':>8}")  # noqa: T201
    for name, module, convert in SCANNED if options.scanned else CONVERTERS:
        if (options.only and name != options.only) or importlib.util.find_spec(module) is None:
            continue
        _print(name, _measured(name, convert, pairs, options.keep), options.each)
    if options.speed is not None:
        _speed(options.speed)
    if options.ocr is not None:
        scans.print_error_rates(options.ocr)


def _speed(path: Path) -> None:
    """Time a long PDF, in turns, beside pypdfium2's text."""
    import pypdfium2

    pages = len(pypdfium2.PdfDocument(path))
    ways: dict[str, Convert] = {"pypdfium2 text": _pdfium, "pitchey text": _pitchey_text, "pitchey markdown": _pitchey}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(_ROUNDS):
        for name, convert in ways.items():
            started = _processor_seconds()
            convert(path)
            times[name].append(_processor_seconds() - started)
    least = statistics.median(times["pypdfium2 text"])
    for name, found in times.items():
        seconds = statistics.median(found)
        print(f"{name:18} {seconds:7.3f} s  {1000 * seconds / pages:6.2f} ms a page  {seconds / least:5.2f}")  # noqa: T201


@dataclass
class _Row:
    document: str
    order: float
    headings: scores.Counts
    tables: float | None
    seconds: float


@dataclass
class _Rows:
    rows: list[_Row] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def _references(folder: Path, suffix: str) -> Iterator[tuple[Path, str]]:
    for document in sorted(folder.glob(f"*{suffix}")):
        for name in (f"{document.stem}.gt.md", f"{document.name}.gt.md"):
            if (folder / name).exists():
                yield document, (folder / name).read_text()
                break


def _measured(name: str, convert: Convert, pairs: list[tuple[Path, str]], keep: Path | None) -> _Rows:
    rows = _Rows()
    with contextlib.suppress(Exception):
        convert(pairs[0][0])
    for document, expected in pairs:
        started = _processor_seconds()
        try:
            found = convert(document)
        except Exception as error:
            rows.failed.append(f"{document.name}: {type(error).__name__}: {error}")
            found = ""
        seconds = _processor_seconds() - started
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{document.name}.{name.replace(' ', '-')}.md").write_text(found)
        rows.rows.append(
            _Row(
                document.name,
                scores.order(expected, found),
                scores.heading_counts(expected, found),
                scores.tables(expected, found),
                seconds,
            )
        )
    return rows


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _print(name: str, measured: _Rows, each: bool) -> None:
    rows = measured.rows
    total = scores.Counts(0, 0, 0)
    for row in rows:
        total += row.headings
        if each:
            _line(f"  {row.document[:40]:40}\n{'':14}", row.order, row.headings.f1, row.tables, row.seconds)
    order = sum(row.order for row in rows) / len(rows)
    _line(name, order, total.f1, scores.summary([row.tables for row in rows]), sum(row.seconds for row in rows))
    for line in measured.failed:
        print(f"  failed: {line}")  # noqa: T201


def _line(name: str, order: float, headings: float, tables: float | None, seconds: float) -> None:
    table = "-" if tables is None else f"{tables:.3f}"
    print(f"{name:14} {order:6.3f} {headings:6.3f} {table:>6} {seconds:8.3f}")  # noqa: T201


def _pitchey(path: Path) -> str:
    from processors.document.kinds import kind_of
    from processors.document.office.reading import READ
    from processors.document.office.reading import read as read_office
    from processors.document.pdf.source import PdfSource, Wants
    from processors.document.text.reading import read
    from processors.document.writing.markdown import markdown

    kind = kind_of(path, path.name)
    if kind in READ:
        return "".join(markdown(read_office(path, path.name, kind, None).pages))
    if kind != "pdf":
        return "".join(markdown([read(path, path.name, kind).page]))
    with tempfile.TemporaryDirectory() as scratch:
        source = PdfSource.open(path, path.name, Path(scratch))
        source.read(Wants(structure=True))
        return "".join(markdown(source.pages()))


def _pitchey_text(path: Path) -> str:
    from processors.document.pdf.source import PdfSource, Wants

    with tempfile.TemporaryDirectory() as scratch:
        source = PdfSource.open(path, path.name, Path(scratch))
        source.read(Wants(text=True))
        return "\n".join(source.texts())


def _pdfium(path: Path) -> str:
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    return "\n".join(page.get_textpage().get_text_range().replace("\ufffe", "") for page in document)


def _liteparse(path: Path) -> str:
    from liteparse import LiteParse

    return str(LiteParse(ocr_enabled=False, output_format="markdown", quiet=True).parse(str(path)).text)


def _markitdown(path: Path) -> str:
    from markitdown import MarkItDown

    return str(MarkItDown(enable_plugins=False).convert(path).text_content)


def _pandoc(path: Path) -> str:
    command = ["pandoc", "--to", "gfm", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _mammoth(path: Path) -> str:
    import mammoth

    from processors.document.text import html
    from processors.document.writing.markdown import markdown

    with path.open("rb") as file:
        return "".join(markdown([html.page_of(mammoth.convert_to_html(file).value)[0]]))


def _kreuzberg(path: Path) -> str:
    from kreuzberg import ExtractionConfig, OutputFormat, extract_file_sync

    return str(extract_file_sync(path, config=ExtractionConfig(output_format=OutputFormat.MARKDOWN)).content)


CONVERTERS: list[tuple[str, str, Convert]] = [
    ("pitchey", "processors", _pitchey),
    ("pypdfium2 text", "pypdfium2", _pdfium),
    ("liteparse", "liteparse", _liteparse),
    ("markitdown", "markitdown", _markitdown),
    ("kreuzberg", "kreuzberg", _kreuzberg),
    ("mammoth", "mammoth", _mammoth),
    ("pandoc", "subprocess", _pandoc),
]

SCANNED: list[tuple[str, str, Convert]] = [
    ("pitchey", "processors", scans.markdown_of),
    ("tesseract", "processors", scans.tesseract_of),
]

if __name__ == "__main__":
    os.environ.setdefault("OMP_THREAD_LIMIT", "1")
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main()
