"""Pictures as the tensors that models take. Reading them happens in the attempt: a picture may be anybody's."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processors.inference.manifest import Picture
from processors.pictures import opening

_RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def opened(path: Path, name: str) -> Image.Image:
    """The picture in a file, the right way up and in RGB; of one with several frames the first.

    Raises:
        Rejected: it is no picture, too large, or broken.
    """
    with opening.opened(path, name) as file:
        opening.refuse_large(file, name)
        picture = opening.in_eight_bits(opening.upright(file))
        return _over_white(picture)


def _over_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        over = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(over, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def tensor(pictures: Sequence[Image.Image], how: Picture) -> NDArray[Any]:
    """One tensor of all pictures: [pictures, channels, height, width], or as the layout has it."""
    arrays = np.stack([_array(_fitted(picture, how), how) for picture in pictures])
    return arrays if how.layout == "nhwc" else np.ascontiguousarray(arrays.transpose(0, 3, 1, 2))


def shown(width: int, height: int, how: Picture) -> tuple[float, float, float, float]:
    """The part of a picture that its tensor shows, in the picture's pixels: left, top, width, height.

    With a border the part is larger than the picture.
    """
    across, down = (width, height) if how.stretch_first is None else (how.stretch_first, how.stretch_first)
    part: tuple[float, float, float, float]
    match how.fit:
        case "crop":
            left, top, right, bottom = _middle(across, down, how)
            part = (left, top, right - left, bottom - top)
        case "pad":
            inner = _contained(across, down, how)
            part = (0, 0, how.width * across / inner[0], how.height * down / inner[1])
        case _:
            part = (0, 0, across, down)
    by_x, by_y = width / across, height / down
    return part[0] * by_x, part[1] * by_y, part[2] * by_x, part[3] * by_y


def _middle(across: int, down: int, how: Picture) -> tuple[int, int, int, int]:
    share = how.crop_share * min(across / how.width, down / how.height)
    width, height = int(how.width * share), int(how.height * share)
    left, top = (across - width) // 2, (down - height) // 2
    return left, top, left + max(1, width), top + max(1, height)


def _contained(across: int, down: int, how: Picture) -> tuple[int, int]:
    """How large a picture becomes that is to be seen whole; a thin one still has a pixel."""
    share = min(how.width / across, how.height / down)
    return max(1, round(across * share)), max(1, round(down * share))


def _fitted(picture: Image.Image, how: Picture) -> Image.Image:
    size, resample = (how.width, how.height), _RESAMPLE[how.resample]
    if how.stretch_first is not None:
        picture = picture.resize((how.stretch_first, how.stretch_first), resample)
        picture = _recompressed(picture, how)
    match how.fit:
        case "crop":
            fitted = picture.crop(_middle(picture.width, picture.height, how)).resize(size, resample)
        case "pad":
            fitted = Image.new("RGB", size, (how.pad_with,) * 3)
            fitted.paste(picture.resize(_contained(*picture.size, how), resample))
        case _:
            fitted = picture.resize(size, resample)
    if how.stretch_first is None:
        fitted = _recompressed(fitted, how)
    return fitted.convert("L") if how.channels == "gray" else fitted


def _recompressed(picture: Image.Image, how: Picture) -> Image.Image:
    if how.recompress is None:
        return picture
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=how.recompress)
    return Image.open(data).convert("RGB")


def _array(picture: Image.Image, how: Picture) -> NDArray[Any]:
    """[height, width, channels]."""
    array = np.asarray(picture)
    array = array[..., None] if array.ndim == 2 else array
    if how.channels == "bgr":
        array = array[..., ::-1]
    if how.dtype == "uint8":
        return array
    mean, std = np.array(how.mean, np.float32), np.array(how.std, np.float32)
    scaled: NDArray[Any] = (array.astype(np.float32) / how.divide_by - mean) / std
    return scaled
