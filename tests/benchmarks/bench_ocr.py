"""Nine scanned pages read by the document service, and by tesseract as it comes: page after page, with its own threads.

Prints a table. Needs tesseract with English, and two processors for the numbers to mean something.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
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
        ours = _ours(pages, Path(directory))
        by_hand = _by_hand(pages, {})
        single = _by_hand(pages, {"OMP_THREAD_LIMIT": "1"})
    print(f"{PAGES} pages on {granted_threads()} processors")  # noqa: T201
    for what, seconds in (
        ("Pitchey, from a TIFF to pages with structure", ours),
        ("tesseract, page after page", by_hand),
        ("tesseract, page after page, OMP_THREAD_LIMIT=1", single),
    ):
        print(f"{what:48} {seconds:7.2f} s {ours / seconds:6.2f}")  # noqa: T201
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


def _ours(pages: list[Path], directory: Path) -> float:
    first, *rest = [Image.open(page) for page in pages]
    scan = directory / "scan.tif"
    first.save(scan, save_all=True, append_images=rest, dpi=(DPI, DPI), compression="tiff_lzw")
    started = time.monotonic()
    pdf = from_picture(scan, scan.name, directory, lambda done, total: None)
    source = PdfSource.open(pdf, scan.name, directory)
    source.read(Wants(structure=True, ocr="skip-text"))
    read_pages(source, "eng", "skip-text")
    assert sum(len(page.blocks) for page in source.pages()) > PAGES
    return time.monotonic() - started


def _by_hand(pages: list[Path], environment: dict[str, str]) -> float:
    started = time.monotonic()
    surroundings = {key: value for key, value in os.environ.items() if key != "OMP_THREAD_LIMIT"} | environment
    for page in pages:
        subprocess.run(["tesseract", page, "stdout", "--psm", "1"], env=surroundings, check=True, capture_output=True)
    return time.monotonic() - started


if __name__ == "__main__":
    main()
