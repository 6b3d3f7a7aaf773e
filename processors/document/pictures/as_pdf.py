"""Pictures as a PDF, without loss: a JPEG as it stands, black and white as a fax, the rest packed."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps, TiffImagePlugin

from processors.document import apart
from processors.document.pictures.opening import fewest, opened, pages, plain, resolution

_ORIENTATION = 0x0112  # EXIF's tag
_ROTATED = {1: 0, 3: 180, 6: 90, 8: 270}  # what is not mirrored: degrees to the right
_STRIP_OFFSETS, _STRIP_BYTES, _ROWS_PER_STRIP = 273, 279, 278
_FAST = 3  # of zlib: what is better takes three times as long for a twentieth
_BYTES_A_SECOND = 500_000  # of a file, at least
_LARGEST_PAGE = 14_400.0  # points, of a PDF's page


def write_pdf(path: Path, name: str, target: Path) -> Path:
    """Make a PDF of a picture, apart, and give its path.

    Raises:
        Rejected: it cannot be read, or is too large.
    """
    allowed = apart.limits()
    allowed = replace(allowed, seconds=allowed.seconds + path.stat().st_size / _BYTES_A_SECOND)
    apart.call(lambda: _write(path, name, target), name, allowed=allowed)
    return target


def _write(path: Path, name: str, target: Path) -> int:
    with opened(path, name) as image, target.open("wb") as file:
        objects = _Objects(file)
        kids: list[int] = []
        for frame in pages(image, name):
            across, down = resolution(frame)
            size = (72 * frame.width / across, 72 * frame.height / down)
            size = tuple(min(_LARGEST_PAGE, max(3.0, side)) for side in size)  # type: ignore[assignment]
            about, data, rotate, is_aside = _picture(frame, path)
            if is_aside:
                size = (size[1], size[0])
            kids.append(_page(objects, about, data, size, rotate))
        objects.end(kids)
    return len(kids)


class _Objects:
    """The objects of a PDF, written one by one; the first two are its catalogue and its tree of pages."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._offsets: dict[int, int] = {}
        self._next = 3
        file.write(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")

    def add(self, text: str, stream: bytes | None = None) -> int:
        number = self._next
        self._next += 1
        self._put(number, text, stream)
        return number

    def _put(self, number: int, text: str, stream: bytes | None = None) -> None:
        self._offsets[number] = self._file.tell()
        body = text.encode() if stream is None else b"%b\nstream\n%b\nendstream" % (text.encode(), stream)
        self._file.write(b"%d 0 obj\n%b\nendobj\n" % (number, body))

    def end(self, kids: list[int]) -> None:
        self._put(1, "<</Type/Catalog/Pages 2 0 R>>")
        self._put(2, f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]>>")
        begin = self._file.tell()
        rows = "".join(f"{self._offsets[number]:010} 00000 n \n" for number in range(1, self._next))
        trailer = f"trailer\n<</Size {self._next}/Root 1 0 R>>\nstartxref\n{begin}\n%%EOF\n"
        self._file.write(f"xref\n0 {self._next}\n0000000000 65535 f \n{rows}{trailer}".encode())


def _page(objects: _Objects, about: str, data: bytes, size: tuple[float, float], rotate: int) -> int:
    width, height = size
    picture = objects.add(f"<</Type/XObject/Subtype/Image{about}/Length {len(data)}>>", data)
    content = f"q {width:.3f} 0 0 {height:.3f} 0 0 cm /P Do Q".encode()
    drawn = objects.add(f"<</Length {len(content)}>>", content)
    return objects.add(
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width:.3f} {height:.3f}]/Rotate {rotate}"
        f"/Resources<</XObject<</P {picture} 0 R>>>>/Contents {drawn} 0 R>>"
    )


def _picture(frame: Image.Image, path: Path) -> tuple[str, bytes, int, bool]:
    """What is said of a picture, its bytes, by how much its page is shown turned, whether its sides have changed."""
    orientation = frame.getexif().get(_ORIENTATION, 1)
    if frame.format == "JPEG" and frame.mode in ("L", "RGB") and orientation in _ROTATED:
        size = frame.size
        frame.draft("L", (max(1, frame.width // 8), max(1, frame.height // 8)))
        frame.load()  # is all of it there?
        space = "DeviceGray" if frame.getbands() == ("L",) and _is_grey(path) else "DeviceRGB"
        about = f"/Width {size[0]}/Height {size[1]}/BitsPerComponent 8/ColorSpace/{space}/Filter/DCTDecode"
        return about, path.read_bytes(), _ROTATED[orientation], False
    frame.load()
    before = frame.size
    image = fewest(plain(ImageOps.exif_transpose(frame)))
    is_aside = before != image.size
    sides = f"/Width {image.width}/Height {image.height}"
    if image.mode == "1":
        parameters = f"/DecodeParms<</K -1/Columns {image.width}/Rows {image.height}/BlackIs1 true>>"
        about = f"{sides}/BitsPerComponent 1/ColorSpace/DeviceGray/Filter/CCITTFaxDecode{parameters}"
        return about, b"".join(_faxed(image)), 0, is_aside
    space = "DeviceGray" if image.mode == "L" else "DeviceRGB"
    data = zlib.compress(image.tobytes(), _FAST)
    return f"{sides}/BitsPerComponent 8/ColorSpace/{space}/Filter/FlateDecode", data, 0, is_aside


def _is_grey(path: Path) -> bool:
    with Image.open(path, formats=["JPEG"]) as image:
        return image.mode == "L"


def _faxed(image: Image.Image) -> Iterator[bytes]:
    """Pack black and white by CCITT's group 4: the only strip of a TIFF that libtiff makes."""
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[_ROWS_PER_STRIP] = image.height
    with io.BytesIO() as file:
        image.save(file, "TIFF", compression="group4", tiffinfo=info)
        file.seek(0)
        with Image.open(file, formats=["TIFF"]) as made:
            tags = made.tag_v2  # type: ignore[attr-defined]  # of a TIFF
            strips = list(zip(tags[_STRIP_OFFSETS], tags[_STRIP_BYTES], strict=True))
        data = file.getvalue()
    for start, length in strips:
        yield data[start : start + length]
