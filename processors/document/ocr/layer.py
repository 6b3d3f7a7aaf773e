"""What was read of pages, laid over them as text that is not drawn: found, selected and copied where it is seen.

The pages stay as they are: their content is neither read nor packed anew, unless an older hidden layer has to go.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

from processors.document.ocr.frames import Frame
from processors.document.ocr.reading import Reading, ReadWord
from processors.document.ocr.stripping import without_hidden
from processors.document.paper import invisible
from processors.document.paper.invisible import Run, squeezed
from processors.document.paper.opening import opened
from processors.document.paper.pictures import image

_NAME = "OcrText"  # of the font, among those of a page
_HEIGHT = 0.8  # of the size, above the base line: readers take lines for one whose words reach as high as the next


def write_searchable(path: Path, name: str, password: str | None, readings: Iterable[Reading], target: Path) -> None:
    """Write a PDF as it is, and with a layer on the pages that were read.

    Raises:
        Rejected: the PDF cannot be written anew.
    """
    with opened(path, name, password) as pdf:
        font = invisible.font(pdf)
        for reading in readings:
            _lay(pdf, pdf.pages[reading.page], reading, font)
        pdf.save(target, encryption=False)


def _lay(pdf: pikepdf.Pdf, page: pikepdf.Page, reading: Reading, font: pikepdf.Object) -> None:
    if reading.drawn is not None:  # text that must not be found again is drawn as a picture
        _replace(pdf, page, reading.drawn)
    elif reading.replaces:
        without_hidden(pdf, page)
    if reading.turned:
        page.obj["/Rotate"] = (_rotation(page) + reading.turned) % 360
    text = invisible.content(runs_of(reading.words, Frame(*reading.onto)), _NAME)
    if not text:
        return
    resources = _own(page.obj, "/Resources")
    _own(resources, "/Font")[f"/{_NAME}"] = font
    before = page.obj.get("/Contents", Array())
    streams = list(before) if isinstance(before, Array) else [before]
    # What a page does to its space must not move the layer.
    page.obj["/Contents"] = Array([squeezed(pdf, b"q\n" + text + b"\nQ\n"), *streams])


def runs_of(words: Iterable[ReadWord], onto: Frame) -> Iterable[Run]:
    """Words where they stand.

    Args:
        onto: from the page as it is shown, in points from the top left, to the space of the PDF.
    """
    for word in words:
        x, y = onto.point(word.x, word.y)
        to_x, to_y = onto.point(word.x + word.dx, word.y + word.dy)
        yield Run(word.text, x, y, to_x - x, to_y - y, _HEIGHT * word.size, spaced=not word.is_last)


def _own(holder: pikepdf.Object, key: str) -> pikepdf.Object:
    """A dictionary in another, which may be shared with other pages, as one that is not."""
    before = holder.get(key)
    holder[key] = Dictionary(dict(before.items())) if isinstance(before, Dictionary) else Dictionary()
    return holder[key]


def _rotation(page: pikepdf.Page) -> int:
    return int(page.obj.get("/Rotate", 0)) % 360


def _replace(pdf: pikepdf.Pdf, page: pikepdf.Page, picture: Path) -> None:
    """Let a page show a JPEG in place of what it has."""
    with Image.open(picture) as drawn:
        stream = image(pdf, picture.read_bytes(), drawn.size, Name.DeviceRGB, Filter=Name.DCTDecode)
    page.obj["/Resources"] = Dictionary(XObject=Dictionary(OcrPage=stream))
    left, bottom, right, top = (float(each) for each in page.cropbox)
    wide, high = right - left, top - bottom
    matrix = {  # the picture is of the page as it is shown
        90: (0, high, -wide, 0, left + wide, bottom),
        180: (-wide, 0, 0, -high, left + wide, bottom + high),
        270: (0, -high, wide, 0, left, bottom + high),
    }.get(_rotation(page), (wide, 0, 0, high, left, bottom))
    page.obj["/Contents"] = squeezed(pdf, f"q {' '.join(f'{each:g}' for each in matrix)} cm /OcrPage Do Q".encode())
