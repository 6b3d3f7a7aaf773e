"""What was read of pages, laid over them as text that is not drawn: found, selected and copied where it is seen.

The pages stay as they are: their content is neither read nor packed anew, unless an older hidden layer has to go.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, NameObject, NumberObject

from processors.document.ocr.font import WIDTH, glyphless, named, packed
from processors.document.ocr.frames import Frame
from processors.document.ocr.reading import Reading, ReadWord
from processors.document.ocr.stripping import without_hidden
from processors.worker.context import Rejected

_NAME = "/OcrText"  # of the font, among those of a page
_HEIGHT = 0.8  # of the size, above the base line: readers take lines for one whose words reach as high as the next


def write_searchable(
    path: Path,
    name: str,
    indexes: Sequence[int],
    readings: Iterable[Reading],
    font: Path,
    target: Path,
) -> None:
    """Write a PDF with the pages of another, which is not encrypted, and with a layer on those that were read.

    Args:
        indexes: of its pages, counted from 0.
        font: tesseract's, without glyphs.

    Raises:
        Rejected: the PDF cannot be written anew.
    """
    try:
        reader = PdfReader(path)
        writer = PdfWriter()
        if list(indexes) == list(range(len(reader.pages))):
            writer.clone_document_from_reader(reader)
        else:
            writer.append(reader, pages=list(indexes))
        places = {index: place for place, index in enumerate(indexes)}
        shared = glyphless(writer, font)
        for reading in readings:
            _lay(writer, writer.pages[places[reading.page]], reading, shared)
        with target.open("wb") as file:
            writer.write(file)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "Its text can be had all the same, without the format pdf; or repair the file."
        raise Rejected("damaged_document", f"{name} cannot be written anew: {error}.", hint) from error


def _lay(writer: PdfWriter, page: Any, reading: Reading, font: IndirectObject) -> None:
    if reading.drawn is not None:  # text that must not be found again is drawn as a picture
        _replace(writer, page, reading.drawn)
    elif reading.replaces:
        without_hidden(writer, page)
    if reading.turned:
        page[NameObject("/Rotate")] = NumberObject((page.rotation + reading.turned) % 360)
    if not reading.words:
        return
    resources = DictionaryObject(page.get("/Resources", DictionaryObject()).get_object())
    fonts = DictionaryObject(resources.get("/Font", DictionaryObject()).get_object())
    fonts[NameObject(_NAME)] = font
    resources[NameObject("/Font")] = fonts
    page[NameObject("/Resources")] = resources
    before = page.get("/Contents")
    streams: list[Any] = []
    if before is not None:
        resolved = before.get_object()
        streams = list(resolved) if isinstance(resolved, ArrayObject) else [before]
    # What a page does to its space must not move the layer.
    saved, layer = packed(writer, b"q\n"), packed(writer, b"\nQ\n" + layer_of(reading.words, Frame(*reading.onto)))
    page[NameObject("/Contents")] = ArrayObject([saved, *streams, layer])


def layer_of(words: Iterable[ReadWord], onto: Frame) -> bytes:
    """The operators that write words where they stand, without drawing them.

    Args:
        onto: from the page as it is shown, in points from the top left, to the space of the PDF.
    """
    parts = ["BT 3 Tr"]
    size = stretch = -1.0
    for word in words:
        x, y = onto.point(word.x, word.y)
        to_x, to_y = onto.point(word.x + word.dx, word.y + word.dy)
        width = math.hypot(to_x - x, to_y - y)
        if width <= 0 or word.size <= 0:
            continue
        codes = word.text.encode("utf-16-be", "replace")
        if (now := round(_HEIGHT * word.size, 1) or 0.1) != size:
            size = now
            parts.append(f"{_NAME} {size:g} Tf")
        if (now := round(100 * width / (len(codes) / 2 * WIDTH * size), 1)) != stretch:
            stretch = now
            parts.append(f"{stretch:g} Tz")
        cos, sin = (to_x - x) / width, (to_y - y) / width
        turn = f"{cos:.4g} {sin:.4g} {-sin:.4g} {cos:.4g}" if abs(sin) > 1e-3 or cos < 0 else "1 0 0 1"
        text = codes.hex() + ("" if word.is_last else "0020")
        parts.append(f"{turn} {x:.2f} {y:.2f} Tm <{text}> Tj")
    parts.append("ET")
    return "\n".join(parts).encode()


def _replace(writer: PdfWriter, page: Any, picture: Path) -> None:
    """Let a page show a JPEG in place of what it has."""
    with Image.open(picture) as image:
        width, height = image.size
    about = {"/Type": "/XObject", "/Subtype": "/Image", "/Filter": "/DCTDecode", "/ColorSpace": "/DeviceRGB"}
    sides = {"/Width": width, "/Height": height, "/BitsPerComponent": 8}
    drawn = packed(writer, picture.read_bytes(), about | sides)
    page[NameObject("/Resources")] = named({"/XObject": named({"/OcrPage": drawn})})
    box = page.cropbox
    wide, high, left, bottom = (float(each) for each in (box.width, box.height, box.left, box.bottom))
    matrix = {  # the picture is of the page as it is shown
        90: (0, high, -wide, 0, left + wide, bottom),
        180: (-wide, 0, 0, -high, left + wide, bottom + high),
        270: (0, -high, wide, 0, left, bottom + high),
    }.get(page.rotation % 360, (wide, 0, 0, high, left, bottom))
    content = f"q {' '.join(f'{number:g}' for number in matrix)} cm /OcrPage Do Q".encode()
    page[NameObject("/Contents")] = packed(writer, content)
