"""A PDF out of a picture: each frame a page, as large as its resolution says, with the picture as it is.

A JPEG goes in as it stands in its file; what is black and white as fax group 4, which is a tenth of anything else; all
other without loss.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pikepdf
from pikepdf import Array, Dictionary, Name
from PIL import Image

from processors.document.apart import Say
from processors.document.paper.sizes import Size, shown, size_of
from processors.pictures.opening import MOST_PIXELS, in_eight_bits, opened, refuse_large, turned_by, upright
from processors.worker.context import Rejected

MOST_FRAMES = 5000
_MOST_STORED = 500_000_000  # pixels of a JPEG, which is not decoded
_MOST_GREY = 65_535  # in sixteen bits
_FEW_COLOURS = 256  # that are looked at
_MOST_PROFILE_BYTES = 4_000_000
_COLOURS = {"1": Name.DeviceGray, "L": Name.DeviceGray, "I;16": Name.DeviceGray}
_COLOURS |= {"RGB": Name.DeviceRGB, "CMYK": Name.DeviceCMYK}
_PROFILES = {b"GRAY": 1, b"RGB ": 3, b"CMYK": 4}  # the channels of a profile by what it says it is, ICC.1, 7.2.6


def frames_of(path: Path, name: str) -> int:
    """Count the frames of a picture that become pages; to be done apart.

    Raises:
        Rejected: it cannot be read, or has too many.
    """
    with opened(path, name) as picture:
        frames = int(getattr(picture, "n_frames", 1)) if picture.format == "TIFF" else 1
    if frames > MOST_FRAMES:
        raise Rejected("too_many_pages", f"{name} has {frames} pages; at most {MOST_FRAMES} are read.")
    return frames


def write(path: Path, name: str, frames: Sequence[int], targets: Sequence[Path], say: Say) -> None:
    """Write frames of a picture, each as a PDF of one page; to be done apart.

    A file of its own for each, because what is said to be done must outlive this process.

    Args:
        frames: counted from 0.
        targets: the file of each frame, also of those that are not written now.
        say: told of each when it is done: `{"page": 7}`.

    Raises:
        Rejected: one cannot be read.
    """
    with opened(path, name) as picture:
        for frame in frames:
            with pikepdf.new() as pdf:
                picture.seek(frame)
                _add(pdf, picture, path, name)
                pdf.save(targets[frame])
            say({"page": frame})


def _add(pdf: pikepdf.Pdf, picture: Image.Image, path: Path, name: str) -> None:
    is_stored = picture.format in ("JPEG", "MPO") and picture.mode in ("L", "RGB", "CMYK")
    refuse_large(picture, name, _MOST_STORED if is_stored else MOST_PIXELS)
    dots, turned = picture.info.get("dpi"), turned_by(picture)
    if is_stored:
        stream = _stored(pdf, picture, path)
    else:
        picture = upright(picture)
        stream = _drawn(pdf, picture)
        dots, turned = _turned(dots, turned), 1
    if profile := _profile(pdf, picture, stream):
        stream.ColorSpace = profile
    _put(pdf, stream, size_of(picture.width, picture.height, dots, turned), turned)


def _turned(dots: Any, turned: int) -> Any:
    """Dots per inch, across and down, of a picture that was turned by Exif's orientation."""
    return dots[::-1] if turned > 4 and isinstance(dots, tuple) else dots


def _put(pdf: pikepdf.Pdf, stream: pikepdf.Stream, size: Size, turned: int) -> None:
    page = pdf.add_blank_page(page_size=(size.width, size.height))
    page.Resources = Dictionary(XObject=Dictionary(Picture=stream))
    matrix = " ".join(f"{each:.4f}".rstrip("0").rstrip(".") for each in shown(size, turned))
    page.Contents = pdf.make_stream(f"q {matrix} cm /Picture Do Q".encode())


def _stored(pdf: pikepdf.Pdf, picture: Image.Image, path: Path) -> pikepdf.Stream:
    """A JPEG as it is, once it is known to go on to its end."""
    data = path.read_bytes()
    mode, size, has_adobe = picture.mode, picture.size, "adobe" in picture.info
    with Image.open(io.BytesIO(data)) as again:
        again.draft("L", (max(1, size[0] // 8), max(1, size[1] // 8)))  # an eighth is read in a fraction of the time
        again.load()
    stream = image(pdf, data, size, _COLOURS[mode], Filter=Name.DCTDecode)
    if mode == "CMYK" and has_adobe:  # Adobe writes how much paper is left, and not how much ink there is
        stream.Decode = Array([1, 0] * 4)
    return stream


def _drawn(pdf: pikepdf.Pdf, picture: Image.Image) -> pikepdf.Stream:
    """A picture that is decoded, without loss."""
    mask = None
    if picture.mode in ("P", "L", "RGB") and "transparency" in picture.info:
        picture = picture.convert("LA" if picture.mode == "L" else "RGBA")
    if picture.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        picture = picture.convert("LA" if picture.mode in ("LA", "La") else "RGBA")
        alpha = picture.getchannel("A")
        if alpha.getextrema() != (255, 255):
            mask = packed(pdf, alpha)
        picture = picture.convert("L" if picture.mode == "LA" else "RGB")
    if picture.mode in ("I;16B", "I;16L", "I;16N"):
        picture = picture.convert("I")
    if picture.mode == "I" and _fits_in_sixteen_bits(picture):
        picture = picture.convert("I;16")
    if picture.mode not in _COLOURS:
        picture = in_eight_bits(picture) if picture.mode in ("I", "F") else picture.convert("RGB")
    if picture.mode == "RGB" and _is_grey(picture):
        picture = picture.convert("L")
    stream = packed(pdf, picture)
    if mask is not None:
        stream.SMask = mask
    return stream


def _fits_in_sixteen_bits(picture: Image.Image) -> bool:
    low, high = cast(tuple[int, int], picture.getextrema())
    return low >= 0 and high <= _MOST_GREY


def packed(pdf: pikepdf.Pdf, picture: Image.Image) -> pikepdf.Stream:
    """A picture without transparency as it is in a PDF, without loss."""
    if picture.mode == "1":
        return _faxed(pdf, picture)
    if picture.mode == "CMYK":
        return image(pdf, zlib.compress(picture.tobytes(), 6), picture.size, Name.DeviceCMYK, Filter=Name.FlateDecode)
    colours = _COLOURS[picture.mode]
    with io.BytesIO() as file:
        picture.save(file, "PNG")
        data = b"".join(_chunks(file.getvalue()))
    bits = 16 if picture.mode == "I;16" else 8
    channels = 3 if picture.mode == "RGB" else 1
    rows = Dictionary(Predictor=15, Colors=channels, BitsPerComponent=bits, Columns=picture.width)
    stream = image(pdf, data, picture.size, colours, Filter=Name.FlateDecode, DecodeParms=rows)
    stream.BitsPerComponent = bits
    return stream


def _is_grey(picture: Image.Image) -> bool:
    """Whether a picture in three colours has none."""
    colours: Any = picture.getcolors(_FEW_COLOURS)
    return colours is not None and all(red == green == blue for _, (red, green, blue) in colours)


def _chunks(png: bytes) -> Iterator[bytes]:
    """What is in the data chunks of a PNG: it is what a PDF calls Flate with predictor 15."""
    place = 8
    while place < len(png):
        length, kind = struct.unpack_from(">I4s", png, place)
        if kind == b"IDAT":
            yield png[place + 8 : place + 8 + length]
        place += 12 + length


def _faxed(pdf: pikepdf.Pdf, picture: Image.Image) -> pikepdf.Stream:
    with io.BytesIO() as file:
        picture.save(file, "TIFF", compression="group4", tiffinfo={278: picture.height})  # one strip
        file.seek(0)
        with Image.open(file) as fax:
            tags: Any = fax.tag_v2  # type: ignore[attr-defined]
            (start,), (length,) = tags[273], tags[279]
        data = file.getvalue()[start : start + length]
    # In the file white is one, as in a PDF; the code's black stands for ones.
    parameters = Dictionary(K=-1, Columns=picture.width, Rows=picture.height, BlackIs1=True)
    stream = image(pdf, data, picture.size, Name.DeviceGray, Filter=Name.CCITTFaxDecode, DecodeParms=parameters)
    stream.BitsPerComponent = 1
    return stream


def image(pdf: pikepdf.Pdf, data: bytes, size: tuple[int, int], colours: Any, **more: Any) -> pikepdf.Stream:
    """A picture whose data are already as they are to be, with eight bits for a colour."""
    width, height = size
    return pikepdf.Stream(
        pdf,
        data,
        Type=Name.XObject,
        Subtype=Name.Image,
        Width=width,
        Height=height,
        ColorSpace=colours,
        BitsPerComponent=8,
        **more,
    )


def _profile(pdf: pikepdf.Pdf, picture: Image.Image, stream: pikepdf.Stream) -> Any:
    """What the colours of a picture are, where it says that and it fits."""
    data = picture.info.get("icc_profile")
    if not data or not 128 <= len(data) <= _MOST_PROFILE_BYTES or data[36:40] != b"acsp":
        return None
    channels = {"/DeviceGray": 1, "/DeviceRGB": 3, "/DeviceCMYK": 4}.get(str(stream.get("/ColorSpace")))
    if channels is None or _PROFILES.get(data[16:20]) != channels:
        return None
    return Array([Name.ICCBased, pdf.make_indirect(pikepdf.Stream(pdf, data, N=channels))])
