"""Pure: what is done to the picture, from the file's to the one that is encoded."""

from __future__ import annotations

from collections.abc import Sequence

from processors.ffmpeg.filters import Filter, fitted
from processors.ffmpeg.streams import Video
from processors.specs import VideoSpec
from processors.video.quality import fit

# Of codecs and sizes that come from tape and broadcast: their files do not always say that they are interlaced.
_TAPE_CODECS = frozenset({"mpeg2video", "dvvideo", "prores", "rawvideo", "ffv1", "mjpeg", "v210", "huffyuv"})
_TAPE_HEIGHTS = frozenset({480, 486, 512, 576, 1080})
_TAPE_RATE = 31.0
_HIGH_WIDTH, _HIGH_HEIGHT = 1280, 720  # from here on, what says nothing of its colours is BT.709 for players
_PAL_HEIGHTS = frozenset({288, 576})


# Newer FFmpegs hand these on to the encoder, and players would take what is ordinary by now for HDR.
_FORGET_HDR = [
    Filter("sidedata", options={"mode": "delete", "type": kind})
    for kind in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")
]


def may_hide_fields(spec: VideoSpec, video: Video) -> bool:
    """Whether to look at the frames to find out if they are interlaced: the file does not say so, and could well be."""
    if spec.deinterlace != "auto" or video.is_interlaced:
        return False
    is_tape = video.codec in _TAPE_CODECS and video.stored_height in _TAPE_HEIGHTS
    return is_tape and video.framerate < _TAPE_RATE


def deinterlacer(spec: VideoSpec, video: Video, *, has_fields: bool) -> Filter | None:
    """Make whole frames of fields, as many as there were.

    Args:
        has_fields: frames that do not say so were seen to be interlaced.
    """
    if spec.deinterlace == "off" or not (spec.deinterlace == "on" or video.is_interlaced or has_fields):
        return None
    is_said = video.is_interlaced and spec.deinterlace == "auto"
    return Filter("bwdif", options={"mode": "send_frame", "deint": "interlaced" if is_said else "all"})


def framing(
    spec: VideoSpec, video: Video, *, has_fields: bool = False, steady: Filter | None = None
) -> Sequence[Filter]:
    """Give the picture whole frames, its rate, its size and its colours.

    Args:
        steady: what gives it its rate, where that is not the spec's alone to say.
    """
    whole = deinterlacer(spec, video, has_fields=has_fields)
    width, height = fit(video.width, video.height, spec.resolution)
    is_mapped = video.is_hdr and spec.hdr == "sdr"
    return [
        *([whole] if whole is not None else []),
        *([steady] if steady is not None else []),
        *fitted(
            width,
            height,
            hdr=video.hdr_colours if is_mapped else None,
            framerate=spec.framerate if steady is None else None,
            is_full_range=False,
            scaling=scaling(video),
        ),
        *ordinary_colours(video),
        *(_FORGET_HDR if is_mapped else []),
        *_kept_colours(spec, video),
    ]


def scaling(video: Video) -> dict[str, str]:
    """Bring what is of pictures, and not of video, to what players of video take everything for."""
    span = {"out_range": "limited"} if video.is_full_range or video.is_rgb else {}
    return span | ({"out_color_matrix": "bt709"} if video.is_rgb else {}) if not video.is_hdr else {}


def ordinary_colours(video: Video) -> list[Filter]:
    """Say what was meant where a file does not say its colours: players guess by the size, which may change here.

    They take high definition for BT.709, and all else for BT.601, whose primaries are those of 525 or 625 lines.
    """
    if video.is_hdr or (video.matrix is not None and not video.is_rgb):
        return []
    usual = usual_matrix(video)
    said = {
        "color_primaries": video.primaries or usual,
        "color_trc": video.transfer or ("bt709" if usual == "bt709" else "smpte170m"),
        "colorspace": usual,
    }
    return [Filter("setparams", options=said | ({"range": "limited"} if video.is_rgb else {}))]


def usual_matrix(video: Video) -> str:
    """The matrix, and the primaries, of what does not say them: as players guess, and as RGB is brought to."""
    if video.is_rgb or video.stored_height >= _HIGH_HEIGHT or video.stored_width >= _HIGH_WIDTH:
        return "bt709"
    return "bt470bg" if video.stored_height in _PAL_HEIGHTS else "smpte170m"


def _kept_colours(spec: VideoSpec, video: Video) -> list[Filter]:
    """Say of frames what the probe knows: newer encoders believe them, and not the options."""
    colours = video.hdr_colours if spec.hdr == "keep" else None
    return [] if colours is None else [Filter("setparams", options=colours.options())]
