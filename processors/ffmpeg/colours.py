"""Pure: the colours of HDR, as encoders and containers are told of them. The numbers are those of SMPTE ST 2086."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

_PQ = "smpte2084"
_CHROMATICITY_STEPS = 50_000  # x265 and HEVC count them in 0.00002 ...
_LUMINANCE_STEPS = 10_000  # ... and luminances in 0.0001 cd/m2


@dataclass(frozen=True, slots=True)
class Mastering:
    """The display that HDR was mastered on. Points are CIE 1931 x and y."""

    red: tuple[float, float]
    green: tuple[float, float]
    blue: tuple[float, float]
    white: tuple[float, float]
    least_luminance: float  #: cd/m2
    most_luminance: float


@dataclass(frozen=True, slots=True)
class Light:
    """How bright HDR gets: the brightest pixel, and the brightest picture on average; cd/m2."""

    most: int
    most_average: int


@dataclass(frozen=True, slots=True)
class Colours:
    """What has to be said of a picture in HDR for a player to show it right."""

    primaries: str
    transfer: str
    matrix: str
    mastering: Mastering | None = None
    light: Light | None = None

    @property
    def is_pq(self) -> bool:
        """Whether it is HDR10; else HLG, which needs no metadata."""
        return self.transfer == _PQ

    def options(self) -> dict[str, str]:
        """The tags, as options of ffmpeg and of its filter setparams. The range is that of the picture."""
        return {"color_primaries": self.primaries, "color_trc": self.transfer, "colorspace": self.matrix}

    def x265_params(self) -> list[str]:
        """The metadata for x265."""
        params = []
        if (of := self.mastering) is not None:
            points = ("G", of.green), ("B", of.blue), ("R", of.red), ("WP", of.white)
            text = "".join(f"{name}({_steps(x)},{_steps(y)})" for name, (x, y) in points)
            luminances = (round(each * _LUMINANCE_STEPS) for each in (of.most_luminance, of.least_luminance))
            params.append(f"master-display={text}L({','.join(map(str, luminances))})")
        if self.light is not None:
            params.append(f"max-cll={self.light.most},{self.light.most_average}")
        return params

    def svt_params(self) -> list[str]:
        """The metadata for SVT-AV1."""
        params = []
        if (of := self.mastering) is not None:
            points = ("G", of.green), ("B", of.blue), ("R", of.red), ("WP", of.white)
            text = "".join(f"{name}({x:.5f},{y:.5f})" for name, (x, y) in points)
            params.append(f"mastering-display={text}L({of.most_luminance:.4f},{of.least_luminance:.4f})")
        if self.light is not None:
            params.append(f"content-light={self.light.most},{self.light.most_average}")
        return params


def _steps(coordinate: float) -> int:
    return round(coordinate * _CHROMATICITY_STEPS)


def read_mastering(data: bytes | None) -> Mastering | None:
    """Read FFmpeg's AVMasteringDisplayMetadata: ten fractions, and whether there are points and luminances."""
    if data is None or len(data) < struct.calcsize("=22i"):
        return None
    *numbers, has_points, has_luminances = struct.unpack_from("=22i", data)
    if not (has_points and has_luminances):
        return None
    red_x, red_y, green_x, green_y, blue_x, blue_y, white_x, white_y, least, most = _fractions(numbers)
    return Mastering((red_x, red_y), (green_x, green_y), (blue_x, blue_y), (white_x, white_y), least, most)


def read_light(data: bytes | None) -> Light | None:
    """Read FFmpeg's AVContentLightMetadata."""
    return None if data is None or len(data) < 8 else Light(*struct.unpack_from("=2I", data))


def _fractions(numbers: Sequence[int]) -> list[float]:
    return [float(Fraction(over, under or 1)) for over, under in zip(numbers[::2], numbers[1::2], strict=True)]
