"""Pages that cannot be mended, as a picture of themselves with their text over it, not drawn. To be done apart."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

from processors.document.apart import Say
from processors.document.layout.inline import HYPHEN
from processors.document.paper import invisible
from processors.document.paper.invisible import Run
from processors.document.paper.opening import unit_of
from processors.document.paper.pictures import image, packed
from processors.document.pdf import pdfium
from processors.document.pdf.opening import opened
from processors.document.pdf.placing import placing_of
from processors.document.pdf.reading import page_at
from processors.document.pdf.text import pieces_of

_DOTS = 200.0  # in an inch
_POINTS = 72.0
_MOST_PIXELS = 20_000_000  # of a page: A3 at 300 dots per inch has 17
_MOST_POINTS = 14_400.0  # a side of a page, ISO 32000-1, annex C.2
_FEW_COLOURS = 256  # with so many a picture is drawn lines and text, and smaller without loss
_QUALITY = 85


def redraw(
    path: Path, name: str, password: str | None, indexes: Sequence[int], targets: Mapping[int, Path], say: Say
) -> None:
    """Draw pages, and write each as a PDF of one page.

    A file of its own for each, because what is said to be done must outlive this process.

    Args:
        indexes: counted from 0.
        targets: the file of each page, also of those that are not drawn now.
        say: told of each when it is done: `{"page": 7}`.
    """
    with opened(path, name, password) as document:
        document.init_forms()
        for index in indexes:
            page = page_at(document, index, name)
            try:
                page.set_rotation(0)  # what is put back is turned as it was
                with pikepdf.new() as pdf:
                    _add(pdf, page, invisible.font(pdf))
                    pdf.save(targets[index])
            finally:
                page.close()
            say({"page": index})


def replace(pdf: pikepdf.Pdf, indexes: Sequence[int], drawn: Path) -> None:
    """Put pages in the place of those they are pictures of; links stay where they are."""
    fonts: Any = None
    with pikepdf.open(drawn) as source:
        for index, page in zip(indexes, source.pages, strict=True):
            old = pdf.pages[index].obj
            old["/Contents"] = pdf.copy_foreign(page.obj["/Contents"])
            old["/Resources"] = pdf.copy_foreign(source.make_indirect(page.obj["/Resources"]))
            if fonts is None:
                fonts = pdf.make_indirect(old.Resources.Font)
            old.Resources.Font = fonts  # each page was drawn with its own, and all are the same
            links = [each for each in old.get("/Annots", Array()) if _is_link(each)]
            for key in ("/Group", "/Annots", "/Tabs", "/VP", "/Metadata", "/LastModified", "/StructParents"):
                if key in old:
                    del old[key]
            box = [float(each) for each in page.mediabox]
            if max(box[2] - box[0], box[3] - box[1]) >= _MOST_POINTS:
                links = []  # the page was scaled, and they were not
            for key in ("/CropBox", "/BleedBox", "/TrimBox", "/ArtBox"):
                if key in old:
                    del old[key]
            if "/UserUnit" in old and unit_of(old) == 1.0:  # also what cannot be one
                del old["/UserUnit"]
            old["/MediaBox"] = Array(box)
            if links:
                old["/Annots"] = Array(links)


def _is_link(annotation: Any) -> bool:
    return isinstance(annotation, Dictionary) and annotation.get("/Subtype") == Name.Link and "/AP" not in annotation


def _add(pdf: pikepdf.Pdf, page: Any, font: pikepdf.Object) -> None:
    left, bottom, right, top = page.get_bbox()
    width, height = right - left, top - bottom
    least = min(1.0, _MOST_POINTS / max(width, height))
    dots = min(_DOTS, _POINTS * (_MOST_PIXELS / max(1.0, width * height)) ** 0.5)
    bitmap = page.render(scale=dots / _POINTS, may_draw_forms=True)
    stream = _stream(pdf, bitmap.to_pil().convert("RGB"))
    bitmap.close()
    box = [each * least for each in (left, bottom, right, top)]
    made = pdf.add_blank_page(page_size=(max(3.0, width * least), max(3.0, height * least)))
    made.mediabox = Array(box)
    made.Resources = Dictionary(XObject=Dictionary(Page=stream), Font=Dictionary(Text=font))
    drawing = f"q {width * least:.4f} 0 0 {height * least:.4f} {box[0]:.4f} {box[1]:.4f} cm /Page Do Q\n"
    made.Contents = pdf.make_stream(drawing.encode() + invisible.content(_runs(page, left, top, least), "Text"))


def _stream(pdf: pikepdf.Pdf, picture: Image.Image) -> pikepdf.Stream:
    colours = picture.getcolors(_FEW_COLOURS)
    if colours is not None and all(red == green == blue for _, (red, green, blue) in colours):  # type: ignore[misc]
        return packed(pdf, picture.convert("L"))
    if colours is not None:
        return packed(pdf, picture)
    with io.BytesIO() as file:
        picture.save(file, "JPEG", quality=_QUALITY)
        return image(pdf, file.getvalue(), picture.size, Name.DeviceRGB, Filter=Name.DCTDecode)


def _runs(page: Any, left: float, top: float, scale: float) -> list[Run]:
    """The text of a page, line by line where it stands."""
    text_page = page.get_textpage()
    try:
        pieces = pieces_of(pdfium.pointer(text_page.raw), placing_of(page), {}, [])
    finally:
        text_page.close()
    runs = []
    for piece in pieces:
        words = piece.words
        text = "".join(f" {word.text}" if word.spaced and place else word.text for place, word in enumerate(words))
        box, size = piece.box, max(word.style.size for word in words)
        runs.append(
            Run(
                text.replace(HYPHEN, "-").strip(),
                (left + box.left) * scale,
                (top - piece.base) * scale,
                max(0.1, box.width) * scale,
                0.0,
                max(0.5, size) * scale,
            )
        )
    return runs
