"""Pictures as documents and models get them: the right way up, in all of their greys, or with one clear error."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pikepdf
import pytest
from PIL import Image, ImageDraw

from processors.document.office.pictures import Pictures
from processors.document.paper import pictures as paper
from processors.inference import pictures as inference
from processors.pictures.opening import MOST_PIXELS, opened, refuse_large
from processors.worker.context import Rejected


def _marked(size: tuple[int, int], mode: str) -> Image.Image:
    """White, and dark in its top left corner."""
    picture = Image.new("L", size, 255)
    ImageDraw.Draw(picture).rectangle((0, 0, size[0] // 5, size[1] // 5), fill=0)
    return picture.convert(mode)


def _page(path: Path, name: str) -> tuple[list[int], Image.Image]:
    """The page that is made of a picture: its size in points, and how its picture is stored."""
    target = path.with_suffix(".pdf")
    paper.write(path, name, [0], [target], lambda _: None)
    with pikepdf.open(target) as pdf:
        picture: Any = pdf.pages[0].Resources.XObject.Picture
        stored = pikepdf.PdfImage(picture).as_pil_image()
        return [round(float(each)) for each in pdf.pages[0].mediabox[2:]], stored


def _corner(picture: Image.Image) -> str:
    """Which corner is dark."""
    grey, (width, height) = picture.convert("L"), picture.size
    corners = {"tl": (9, 9), "tr": (width - 9, 9), "bl": (9, height - 9), "br": (width - 9, height - 9)}
    return " ".join(name for name, at in corners.items() if grey.getpixel(at) == 0)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_tiff_that_is_turned_is_shown_upright_and_as_large_as_it_is(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "turned.tif"
    _marked((300, 200), mode).save(path, tiffinfo={274: 6}, dpi=(150, 75))
    points, stored = _page(path, path.name)
    assert points == [192, 144]  # 2.67 inches, which were down, by 2
    for picture in (stored, inference.opened(path, path.name)):
        assert (picture.size, _corner(picture)) == ((200, 300), "tr")


def test_sixteen_bits_and_fractions_keep_their_greys(tmp_path: Path) -> None:
    ramp = np.linspace(0, 65_535, 4096).reshape(64, 64)
    deep, real, wide = tmp_path / "deep.png", tmp_path / "real.tif", tmp_path / "wide.tif"
    Image.fromarray(ramp.astype(np.uint16)).save(deep)
    Image.fromarray((ramp / 65_535).astype(np.float32)).save(real)
    Image.fromarray((ramp * 100 - 7).astype(np.int32)).save(wide)
    for path in (deep, real, wide):
        seen = np.asarray(inference.opened(path, path.name))
        assert seen.mean() == pytest.approx(127, abs=2), path
        stored = np.asarray(_page(path, path.name)[1]).astype(float)
        assert stored.mean() / stored.max() == pytest.approx(0.5, abs=0.01), path
    name = Pictures(tmp_path / "images").path_of("a", lambda _: real.read_bytes())
    assert name is not None
    with Image.open(tmp_path / name) as picture:
        assert np.asarray(picture).mean() == pytest.approx(127, abs=2)


def test_a_picture_whose_exif_cannot_be_read_is_a_picture(tmp_path: Path) -> None:
    exif = b"Exif\x00\x00MM\x00*" + struct.pack(">IH", 8, 900) + b"\xff" * 40
    for suffix in ("webp", "jpg", "png"):
        path = tmp_path / f"strange.{suffix}"
        _marked((64, 64), "RGB").save(path, exif=b"Exif\x00\x00" + b"\x00" * 9, lossless=True)
        assert inference.opened(path, path.name).size == (64, 64)
        assert _page(path, path.name)[1].size == (64, 64)
        _marked((64, 64), "RGB").save(path, exif=exif, lossless=True)
        assert inference.opened(path, path.name).size == (64, 64)
        assert _page(path, path.name)[1].size == (64, 64)


def test_what_is_no_picture_or_damaged_is_told_apart(tmp_path: Path) -> None:
    text, cut, path = tmp_path / "a.jpg", tmp_path / "cut.png", tmp_path / "whole.png"
    text.write_text("no picture")
    _marked((64, 64), "RGB").save(path)
    cut.write_bytes(path.read_bytes()[:60])
    for bad, code in ((text, "not_a_picture"), (cut, "damaged_picture")):
        with pytest.raises(Rejected) as error:
            inference.opened(bad, "mine.jpg")
        assert error.value.code == code
        assert "mine.jpg" in error.value.message


def test_a_picture_below_the_limit_is_not_refused_for_the_limit_of_another(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (9900, 9900)).save(path)
    with opened(path, path.name) as picture:
        refuse_large(picture, path.name)
        with pytest.raises(Rejected, match=r"large\.png has 9900 x 9900 pixels; at most 90 million are read"):
            refuse_large(picture, path.name, MOST_PIXELS - 10_000_000)
