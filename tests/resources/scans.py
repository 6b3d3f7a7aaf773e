"""Makes scans of pages that the tests write: pictures, and PDFs of pictures; and says where words stand in a PDF."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pypdfium2
from PIL import Image

from processors.document.model import Box
from tests.resources.pdfs import Leaf, assembled, written

DPI = 200


def picture(leaf: Leaf, directory: Path, *, dpi: int = DPI) -> Image.Image:
    """A page as a scanner sees it, in grey."""
    path = written(directory / "to-scan.pdf", [leaf])
    image: Image.Image = pypdfium2.PdfDocument(path)[0].render(scale=dpi / 72, grayscale=True).to_pil()
    return image.convert("L")


def scanned(path: Path, pages: Sequence[Image.Image | tuple[Image.Image, Leaf]], *, dpi: int = DPI) -> Path:
    """Write a PDF whose pages are pictures, some with text upon them; a leaf's size is not looked at."""
    objects: dict[int, str | tuple[str, bytes]] = {1: "<</Type/Catalog/Pages 2 0 R>>"}
    objects[5] = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
    kids = []
    for number, page in enumerate(pages):
        image, leaf = page if isinstance(page, tuple) else (page, Leaf())
        first = 10 + 3 * number
        width, height = (72 * side / dpi for side in image.size)
        with io.BytesIO() as file:
            image.save(file, "JPEG", quality=90)
            data = file.getvalue()
        about = f"/Type/XObject/Subtype/Image/Width {image.width}/Height {image.height}/BitsPerComponent 8"
        objects[first] = (f"{about}/ColorSpace/DeviceGray/Filter/DCTDecode", data)
        drawn = [f"q {width:g} 0 0 {height:g} 0 0 cm /P Do Q", *leaf.commands]
        objects[first + 1] = ("", "\n".join(drawn).encode("cp1252"))
        objects[first + 2] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width:g} {height:g}]/Contents {first + 1} 0 R"
            f"/Resources<</XObject<</P {first} 0 R>>/Font<</F 5 0 R>>>>>>"
        )
        kids.append(f"{first + 2} 0 R")
    objects[2] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    return assembled(path, objects)


def places(path: Path, word: str, page: int = 0) -> list[Box]:
    """Where a word can be selected on a page of a PDF as it is shown, in points from the top left."""
    document = pypdfium2.PdfDocument(path)
    leaf = document[page]
    text = leaf.get_textpage()
    searcher = text.search(word, match_whole_word=True)
    found = []
    while (hit := searcher.get_next()) is not None:
        boxes = [text.get_charbox(index, loose=True) for index in range(hit[0], hit[0] + hit[1])]
        edges = [_shown(leaf, *corner) for box in boxes for corner in ((box[0], box[1]), (box[2], box[3]))]
        xs, ys = [x for x, _ in edges], [y for _, y in edges]
        found.append(Box(min(xs), min(ys), max(xs), max(ys)))
    return found


def _shown(page: Any, x: float, y: float) -> tuple[float, float]:
    width, height = page.get_size()
    match page.get_rotation():
        case 90:
            return y, x
        case 180:
            return width - x, y
        case 270:
            return width - y, height - x
        case _:
            return x, height - y


def share(one: Box, other: Box) -> float:
    """How much of the smaller of two boxes is in the other, from 0 to 1."""
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return max(0.0, across) * max(0.0, down) / min(one.width * one.height, other.width * other.height)
