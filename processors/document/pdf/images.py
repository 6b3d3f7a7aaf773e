"""The pictures of a PDF as files: as they are stored where that can be, with their mask as transparency else."""

from __future__ import annotations

import ctypes
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdfium2
import pypdfium2.raw as raw
from PIL import Image

from processors.document.pdf.altered import Size

MOST_PIXELS = 50_000_000  # of a picture; a scan of A3 at 600 dots per inch has 70 million in one colour, at 400 31


class Images:
    """Writes pictures below a directory, each once."""

    def __init__(self, document: Any, directory: Path, altered: Callable[[], frozenset[Size] | None]) -> None:
        """Begin.

        Args:
            altered: the sizes of the pictures that are not shown as they are stored; None where nobody knows.
        """
        self._document = document
        self._directory = directory
        self._altered = altered

    def save(self, handle: int, page: Any) -> str | None:
        """Write a picture, and give the name of its file; None where it is too large or cannot be read.

        Args:
            handle: PDFium's, of a picture on the page.
        """
        pointer = ctypes.cast(handle, raw.FPDF_PAGEOBJECT)
        width, height = ctypes.c_uint(), ctypes.c_uint()
        if not raw.FPDFImageObj_GetImagePixelSize(pointer, ctypes.byref(width), ctypes.byref(height)):
            return None
        if not 0 < width.value * height.value <= MOST_PIXELS:
            return None
        image = pypdfium2.PdfImage(pointer, page=page, pdf=self._document)
        try:
            data, suffix = self._stored(image, pointer, (width.value, height.value)) or self._drawn(image)
        except (pypdfium2.PdfiumError, ValueError, OSError):
            return None
        # Named by what it is: the logo of every page is one file, and processes need not agree on numbers.
        name = f"image-{hashlib.sha256(data).hexdigest()[:16]}.{suffix}"
        self._directory.mkdir(exist_ok=True)
        target = self._directory / name
        if not target.exists():
            partial = target.with_suffix(f".{os.getpid()}.part")  # an address may be the same in another fork
            partial.write_bytes(data)
            partial.rename(target)
        return f"{self._directory.name}/{name}"

    def _stored(self, image: Any, pointer: Any, size: Size) -> tuple[bytes, str] | None:
        """A JPEG as it stands in the file, unless it has a mask or colours that are not the screen's."""
        if image.get_filters() != ["DCTDecode"] or raw.FPDFPageObj_HasTransparency(pointer):
            return None
        altered = self._altered()
        if altered is None or size in altered:
            return None
        data = bytes(image.get_data(decode_simple=False))
        with io.BytesIO(data) as file, Image.open(file) as picture:
            return (data, "jpg") if picture.format == "JPEG" and picture.mode in ("RGB", "L") else None

    def _drawn(self, image: Any) -> tuple[bytes, str]:
        bitmap = image.get_bitmap(render=True, scale_to_original=True)
        picture = bitmap.to_pil()
        if picture.mode in ("RGBA", "RGBX") and picture.getextrema()[-1] == (255, 255):
            picture = picture.convert("RGB")
        with io.BytesIO() as file:
            picture.save(file, format="PNG")
            return file.getvalue(), "png"
