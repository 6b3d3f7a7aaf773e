"""Nine scanned pages read by the document service, and by tesseract as it comes: page after page, with its own threads.

Prints a table, with the time by the clock and that of the processors: on a busy machine the second says more. Needs
tesseract with English, and two processors for the numbers to mean something.
"""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pypdfium2
from PIL import Image

from processors.document.ocr.pages import read_pages
from processors.document.paper_work import from_picture
from processors.document.pdf.source import PdfSource, Wants
from processors.worker.threads import granted_threads

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "tests" / "resources" / "documents" / "multi_page.pdf"
PAGES = 9
DPI = 300
AIM = 0.25


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory:
        pages = _drawn(Path(directory))
        rows = (
            ("Pitchey, from a TIFF to pages with structure", _timed(lambda: _ours(pages, Path(directory)))),
            ("tesseract, page after page", _timed(lambda: _by_hand(pages, {}))),
            ("the same with OMP_THREAD_LIMIT=1", _timed(lambda: _by_hand(pages, {"OMP_THREAD_LIMIT": "1"}))),
        )
    print(f"{PAGES} pages on {granted_threads()} processors{'':18} {'clock':>9} {'processors':>11}")  # noqa: T201
    ours = rows[0][1]
    for what, times in rows:
        shares = [mine / theirs for mine, theirs in zip(ours, times, strict=True)]
        numbers = " ".join(f"{time:7.2f} s {share:5.2f}" for time, share in zip(times, shares, strict=True))
        print(f"{what:46} {numbers}")  # noqa: T201
    print(f"aim: at most {AIM} of tesseract's default")  # noqa: T201


def _drawn(directory: Path) -> list[Path]:
    document = pypdfium2.PdfDocument(DOCUMENT)
    made = []
    for number in range(PAGES):
        target = directory / f"{number}.png"
        picture = document[number % len(document)].render(scale=DPI / 72, grayscale=True).to_pil()
        picture.save(target, dpi=(DPI, DPI), compress_level=1)
        made.append(target)
    return made


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds by the clock, and of the processors."""
    started, used = time.monotonic(), _used()
    work()
    return time.monotonic() - started, _used() - used


def _used() -> float:
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)


def _ours(pages: list[Path], directory: Path) -> None:
    first, *rest = [Image.open(page) for page in pages]
    scan = directory / "scan.tif"
    first.save(scan, save_all=True, append_images=rest, dpi=(DPI, DPI), compression="tiff_lzw")
    pdf = from_picture(scan, scan.name, directory, lambda done, total: None)
    source = PdfSource.open(pdf, scan.name, directory)
    source.read(Wants(structure=True, ocr="skip-text"))
    read_pages(source, "eng", "skip-text")
    assert sum(len(page.blocks) for page in source.pages()) > PAGES


def _by_hand(pages: list[Path], environment: dict[str, str]) -> None:
    surroundings = {key: value for key, value in os.environ.items() if key != "OMP_THREAD_LIMIT"} | environment
    for page in pages:
        subprocess.run(["tesseract", page, "stdout", "--psm", "1"], env=surroundings, check=True, capture_output=True)


if __name__ == "__main__":
    main()
