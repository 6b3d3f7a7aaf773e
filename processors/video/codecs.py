"""Pure: a codec, and the quality or the rate that is wanted, become the options of its encoder.

The options have no stream specifier: whoever makes several pictures at once adds one. All of them are known to the
encoders of Debian 12 (FFmpeg 5.1, SVT-AV1 1.4) and of Debian 13 (FFmpeg 7.1, SVT-AV1 2.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from processors.ffmpeg.colours import Colours
from processors.specs import Quality
from processors.specs.video import VideoCodec

Options = dict[str, Any]  #: of ffmpeg, for one stream, by name and without a dash

#: Of each tier, from low to ultra. H.264's are a common choice around x264's default of 23. The others are those that
#: had its VMAF, within one point, on two clips of ours (960x540 and 640x272): 87 to 93, 93 to 98, 95 to 99, 96 to 99.
CRF: Mapping[VideoCodec, Mapping[Quality, int]] = {
    "h264": {"low": 28, "medium": 23, "high": 20, "ultra": 18},
    "hevc": {"low": 28, "medium": 23, "high": 20, "ultra": 18},
    "av1": {"low": 42, "medium": 32, "high": 25, "ultra": 21},
    "vp9": {"low": 39, "medium": 30, "high": 24, "ultra": 20},
}

#: the best and the worst that a search for a quality considers
CRF_RANGE: Mapping[VideoCodec, tuple[int, int]] = {"h264": (12, 40), "hevc": (12, 40), "av1": (12, 58), "vp9": (12, 58)}

#: the least width and height that its encoder takes
LEAST_SIDE: Mapping[VideoCodec, int] = {"h264": 2, "hevc": 16, "av1": 64, "vp9": 2}

#: of H.264's rate, for the same picture: HEVC as in Apple's HLS authoring specification (5800 of 7800 kb/s at 1080p),
#: VP9 as in Google's settings for video on demand, AV1 as measured on the clips above
RATE_SHARE: Mapping[VideoCodec, float] = {"h264": 1.0, "hevc": 0.75, "vp9": 0.65, "av1": 0.6}

# How long an encoder searches: the presets of x264 and x265, SVT-AV1's numbers, libvpx's cpu-used.
_EFFORT: Mapping[VideoCodec, Mapping[Quality, str | int]] = {
    "h264": {"low": "fast", "medium": "medium", "high": "medium", "ultra": "slow"},
    "hevc": {"low": "fast", "medium": "fast", "high": "medium", "ultra": "medium"},
    "av1": {"low": 9, "medium": 8, "high": 7, "ultra": 6},
    "vp9": {"low": 5, "medium": 4, "high": 3, "ultra": 2},
}

_X264_THREADS = 1.5  # per processor: frames wait for rows of those before, and more of them keep the processors busy
_MOST_SVT_PARALLELISM = 6  # from SVT-AV1 3 on, lp is a level with that as its highest; before, a number of processors
_TILE_WIDTHS = ((3840, 3), (1920, 2), (960, 1))  # of VP9: log2 of the columns; each needs 256 pixels


@dataclass(frozen=True, slots=True)
class Constant:
    """One quality throughout, with a ceiling for scenes that would cost too much."""

    crf: float
    ceiling: int  #: bits per second
    buffer_seconds: int = 2  #: over which the ceiling may be exceeded and made up for


@dataclass(frozen=True, slots=True)
class Average:
    """A rate that is kept over the whole; shorter parts may have half as much again."""

    rate: int  #: bits per second
    buffer_seconds: int = 2


@dataclass(frozen=True, slots=True)
class _Task:
    """What an encoder is asked for."""

    effort: str | int
    rate: Constant | Average
    width: int
    threads: int
    colours: Colours | None
    group: int  #: frames; 0 leaves it to the encoder


def encoder(
    codec: VideoCodec,
    quality: Quality,
    rate: Constant | Average,
    *,
    width: int,
    threads: int,
    colours: Colours | None = None,
    group: int = 0,
) -> Options:
    """Say how a picture is encoded.

    Args:
        quality: how long the encoder searches; the rate says how good the picture is.
        width: of the picture.
        threads: processors that there are for it.
        colours: of HDR that is to be kept, in ten bits; None: eight bits, and the colours that the picture has.
        group: frames of a group of pictures, where each has to have as many and to stand for itself, as in streams.
    """
    chosen = {"h264": _x264, "hevc": _x265, "av1": _svt, "vp9": _vpx}[codec]
    options = chosen(_Task(_EFFORT[codec][quality], rate, width, max(1, threads), colours, group))
    options["pix_fmt"] = "yuv420p" if colours is None else "yuv420p10le"
    return options | (colours.options() if colours is not None else {})


def lossless(threads: int, *, is_ten_bit: bool) -> Options:
    """Say how a picture is kept as it is, and quickly."""
    pixels = "yuv420p10le" if is_ten_bit else "yuv420p"
    return {"c": "libx264", "preset": "ultrafast", "qp": 0, "pix_fmt": pixels, "threads": threads}


def _x264(task: _Task) -> Options:
    threads = math.ceil(task.threads * _X264_THREADS) if task.threads > 1 else 1  # two take more than they gain
    options: Options = {"c": "libx264", "preset": task.effort, "threads": threads}
    if task.group:
        options |= {"profile": "high", "g": task.group, "keyint_min": task.group, "sc_threshold": 0}
    return options | _capped(task.rate)


def _x265(task: _Task) -> Options:
    params: list[str] = ["log-level=warning", f"pools={task.threads}"]
    if task.group:
        params += [f"keyint={task.group}", f"min-keyint={task.group}", "scenecut=0", "open-gop=0"]
    if task.colours is not None:
        params += ["repeat-headers=1", *(["hdr10=1"] if task.colours.is_pq else []), *task.colours.x265_params()]
    # hvc1: Apple's players refuse hev1, the tag that FFmpeg would give it.
    options: Options = {"c": "libx265", "preset": task.effort, "tag": "hvc1", "x265-params": ":".join(params)}
    return options | _capped(task.rate)


def _svt(task: _Task) -> Options:
    params = [f"lp={min(task.threads, _MOST_SVT_PARALLELISM)}"]
    options: Options = {"c": "libsvtav1", "preset": task.effort}
    match task.rate:
        case Constant(crf, ceiling):
            options["crf"] = f"{crf:g}"
            params.append(f"mbr={max(1, ceiling // 1000)}")
        case Average(bits):  # its variable rate has no ceiling of its own before version 3
            options["b"] = bits
            params.append("rc=1")
    if task.group:
        options["g"] = task.group
        params += [f"keyint={task.group}", "irefresh-type=2", "scd=0"]
    if task.colours is not None:
        params += task.colours.svt_params()
    return options | {"svtav1-params": ":".join(params)}


def _vpx(task: _Task) -> Options:
    columns = next((log for least, log in _TILE_WIDTHS if task.width >= least), 0)
    options: Options = {"c": "libvpx-vp9", "deadline": "good", "cpu-used": task.effort, "row-mt": 1}
    options |= {"threads": task.threads, "tile-columns": columns}
    options |= {"profile": 2} if task.colours is not None else {}
    options |= {"g": task.group, "keyint_min": task.group} if task.group else {}
    match task.rate:
        case Constant(crf, ceiling):  # with a CRF, libvpx takes the bit rate for the ceiling
            return options | {"crf": f"{crf:g}", "b": ceiling}
        case Average(bits):  # 145 %: Google's settings for VP9
            return options | {"b": bits, "maxrate": round(bits * 1.45), "bufsize": task.rate.buffer_seconds * bits}


def _capped(rate: Constant | Average) -> Options:
    match rate:
        case Constant(crf, ceiling):
            return {"crf": f"{crf:g}", "maxrate": ceiling, "bufsize": rate.buffer_seconds * ceiling}
        case Average(bits):
            return {"b": bits, "maxrate": bits * 3 // 2, "bufsize": rate.buffer_seconds * bits}


def with_specifier(options: Mapping[str, Any], specifier: str) -> Options:
    """Make options of one stream, as `v` or `v:0`."""
    return {f"{key}:{specifier}": value for key, value in options.items()}
