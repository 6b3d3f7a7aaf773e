"""Reading pictures beside tesseract alone: characters that are wrong, and the structure of pages that were scanned."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pypdfium2

from processors.document.kinds import PICTURES, kind_of
from processors.document.ocr.languages import checked
from processors.document.ocr.pages import read_pages
from processors.document.paper_work import from_picture
from processors.document.pdf.source import PdfSource, Wants
from processors.document.writing.markdown import markdown
from tests.quality import scores

_DPI = 300
_SUFFIXES = (".pdf", ".png", ".tif", ".jpg")


def print_error_rates(folder: Path) -> None:
    """Print how many characters are wrong, of each picture that has its text beside it.

    The text of `a.tif` and of `a-turned.png` is `a.txt` or `a.gold.txt`; `a.languages` says which, else it is English.
    """
    print(f"{'':36} {'tesseract':>9} {'pitchey':>9} {'seconds':>8} {'seconds':>8}")  # noqa: T201
    for picture, expected, languages in _pictures(folder):
        before = _seconds()
        plain = tesseract(picture, languages)
        between = _seconds()
        ours = text_of(picture, languages)
        rates = [scores.error_rate(expected, found) for found in (plain, ours)]
        times = (between - before, _seconds() - between)
        print(f"{picture.name[:36]:36} {rates[0]:9.4f} {rates[1]:9.4f} {times[0]:8.2f} {times[1]:8.2f}")  # noqa: T201


def _pictures(folder: Path) -> Iterator[tuple[Path, str, str]]:
    texts = {path.name.removesuffix(".txt").removesuffix(".gold"): path for path in folder.glob("*.txt")}
    for picture in sorted(folder.iterdir()):
        if picture.suffix not in _SUFFIXES:
            continue
        known = [stem for stem in texts if picture.name.startswith(stem)]
        if known:
            stem = max(known, key=len)
            said = folder / f"{stem}.languages"
            yield picture, texts[stem].read_text(), said.read_text().strip() if said.exists() else "eng"


def text_of(picture: Path, languages: str) -> str:
    """What the service makes of a picture, as text."""
    with tempfile.TemporaryDirectory() as scratch:
        return "\n".join(_source(picture, Path(scratch), languages).texts())


def markdown_of(document: Path) -> str:
    """What the service makes of pictures of the pages of a PDF."""
    with tempfile.TemporaryDirectory() as scratch:
        return "".join(markdown(_source(scanned(document, Path(scratch)), Path(scratch), "eng").pages()))


def tesseract_of(document: Path) -> str:
    """What tesseract alone makes of pictures of the pages of a PDF."""
    with tempfile.TemporaryDirectory() as scratch:
        return tesseract(scanned(document, Path(scratch)), "eng")


def tesseract(picture: Path, languages: str) -> str:
    """What tesseract alone makes of it, with its own way to find columns and which way up a page is."""
    with tempfile.TemporaryDirectory() as scratch:
        pages = [picture]
        if picture.suffix == ".pdf":
            pages = list(_drawn(picture, Path(scratch)))
        argv = ["--psm", "1", "-l", languages]
        done = [subprocess.run(["tesseract", page, "-", *argv], capture_output=True, check=True) for page in pages]
    return "\n".join(each.stdout.decode() for each in done)


def scanned(document: Path, scratch: Path) -> Path:
    """Pictures of the pages of a PDF, as a TIFF with pages."""
    from PIL import Image

    target = scratch / "scan.tif"
    first, *rest = [Image.open(page) for page in _drawn(document, scratch)]
    first.save(target, save_all=True, append_images=rest, dpi=(_DPI, _DPI), compression="tiff_lzw")
    return target


def _drawn(document: Path, scratch: Path) -> Iterator[Path]:
    for number, page in enumerate(pypdfium2.PdfDocument(document)):
        target = scratch / f"{number}.png"
        page.render(scale=_DPI / 72, grayscale=True).to_pil().save(target, dpi=(_DPI, _DPI), compress_level=1)
        yield target


def _source(picture: Path, scratch: Path, languages: str) -> PdfSource:
    path = picture
    if kind_of(picture, picture.name) in PICTURES:
        path = from_picture(picture, picture.name, scratch, lambda done, total: None)
    source = PdfSource.open(path, picture.name, scratch)
    source.read(Wants(text=True, structure=True, ocr="skip-text"))
    read_pages(source, checked(languages), "skip-text")
    return source


def _seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


os.environ.setdefault("OMP_THREAD_LIMIT", "1")
