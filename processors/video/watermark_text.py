"""The text of a watermark, as a picture.

libass sets it, which FFmpeg's `ass` filter is: it shapes Arabic and Indic scripts, orders those that run from right to
left, breaks lines, and finds for each letter a font that has it. `drawtext` does not in the FFmpeg of Debian 12, and
takes one font only in any. The text reaches libass in a file, with what could be a command in it made harmless.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import av
from av.video.frame import VideoFrame

from processors.ffmpeg.filters import Filter
from processors.ffmpeg.program import FFMPEG, heard
from processors.specs import VideoSpec
from processors.specs.video import Watermark
from processors.video.pictures import filtered
from processors.worker.context import Context, Rejected

_SCRIPT, _DRAWN = "watermark.ass", "watermark-text.png"  # in the working directory; no outputs are called so
_FONT = "DejaVu Sans"  # where others have the letters that it has not
_LINE_SHARE = 4  # a text with scale 1 has lines of a quarter of the picture's height
_SMALLEST_PIXELS = 8
_SPACING = 1.2  # of lines, and about the width of CJK letters, as multiples of the size
_WORD_JOINER = "\u2060"  # invisible
_NOT_FOUND = re.compile(r"failed to find any fallback with glyph 0x([0-9A-Fa-f]+)")

# Numbers of keys on a keypad, as ASS has it; the canvas is cropped later, so only left, right and centre count.
_ALIGNMENTS = {"top-left": 7, "bottom-left": 7, "top-right": 9, "bottom-right": 9, "center": 8}


@dataclass(frozen=True, slots=True)
class Canvas:
    """What a text is set on, and how large, in pixels."""

    size: int  #: of a line
    width: int
    height: int


def text_image(
    context: Context[VideoSpec], text: str, wanted: Watermark, width: int, height: int
) -> tuple[VideoFrame, list[str]]:
    """Draw a text for a picture of some size, and say what could not be drawn.

    Raises:
        Rejected: nothing of it can be seen.
        HandlerError: ffmpeg failed.
    """
    text = cleaned(text)
    canvas = canvas_of(text, wanted, width, height)
    (context.out / _SCRIPT).write_text(script(text, canvas, _ALIGNMENTS[wanted.position]), encoding="utf-8")
    blank = f"color=c=black@0:s={canvas.width}x{canvas.height},format=rgba"
    argv = [
        *FFMPEG, "-y", "-f", "lavfi", "-i", blank, "-vf", f"ass={_SCRIPT}:alpha=1", "-frames:v", "1",
        "-f", "image2", "-update", "1", _DRAWN,
    ]  # fmt: skip
    said = heard(context, argv, "The text of the watermark")
    with av.open(str(context.out / _DRAWN), container_options={"format_whitelist": "png_pipe,image2"}) as container:
        drawn = next(container.decode(video=0))
    box = _visible(drawn)
    if box is None:
        raise Rejected("watermark_empty", "The text of the watermark has nothing that can be seen.", "Give it letters.")
    x, y, box_width, box_height = box
    cut = filtered([drawn], [Filter("crop", [box_width, box_height, x, y], {"exact": 1})])
    return cut, _notes(said)


def cleaned(text: str) -> str:
    """Leave out what is no character, as control characters; line ends become one kind."""
    lines = re.split(r"\r\n|[\n\r\v\f\x85\u2028\u2029]", text.replace("\t", " "))
    return "\n".join("".join(each for each in line if unicodedata.category(each) not in ("Cc", "Cs")) for line in lines)


def canvas_of(text: str, wanted: Watermark, width: int, height: int) -> Canvas:
    """Choose the size of a text, and a canvas with room for it: long texts are set smaller, to stay in the picture.

    Args:
        width: of the picture.
    """
    edge = 2 * wanted.margin * height
    room_width, room_height = max(16.0, width - edge), max(16.0, height - edge)
    letters = max(1, len(text))
    most = math.sqrt(room_width * room_height / (letters * _SPACING))
    size = max(_SMALLEST_PIXELS, round(min(wanted.scale * height / _LINE_SHARE, most)))
    longest = max((len(word) for word in text.split()), default=1)  # is not broken
    canvas_width = max(room_width, longest * size * _SPACING) + 2 * size
    lines = text.count("\n") + 2 + letters * size * _SPACING / canvas_width
    return Canvas(size, math.ceil(canvas_width), math.ceil(lines * size * _SPACING + 2 * size))


def script(text: str, canvas: Canvas, alignment: int) -> str:
    """Write a file for libass: white letters with a dark edge and a shadow, to be read on anything."""
    outline, shadow = max(1.0, canvas.size / 16), max(0.5, canvas.size / 24)
    white, black, half = "&H00FFFFFF", "&H00000000", "&H80000000"
    edge = math.ceil(outline + shadow)
    style = (
        f"W,{_FONT},{canvas.size},{white},{white},{black},{half},0,0,0,0,100,100,0,0,1,{outline:.2f},{shadow:.2f},"
        f"{alignment},{edge},{edge},{edge},-1"  # -1: the first strong letter of each paragraph says where it begins
    )
    return f"""[Script Info]
ScriptType: v4.00+
PlayResX: {canvas.width}
PlayResY: {canvas.height}
WrapStyle: 0
ScaledBorderAndShadow: yes

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: {style}

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.00,9:59:59.99,W,,0,0,0,,{escaped(text)}
"""


def escaped(text: str) -> str:
    """Make a text harmless for ASS: braces begin commands, and backslashes do before some letters."""
    text = text.replace("\\", "\\" + _WORD_JOINER).replace("{", "\\{").replace("}", "\\}")
    return text.replace("\n", "\\N")


def _visible(drawn: VideoFrame) -> tuple[int, int, int, int] | None:
    """Find the rectangle that holds all that is not transparent."""
    alpha = filtered([drawn], [Filter("format", options={"pix_fmts": "rgba"}), Filter("alphaextract")])
    plane = alpha.planes[0]
    data = bytes(plane)
    rows = [data[at : at + alpha.width] for at in range(0, plane.line_size * alpha.height, plane.line_size)]
    filled = [number for number, row in enumerate(rows) if any(row)]
    if not filled:
        return None
    seen: Sequence[bytes] = [rows[number] for number in filled]
    left = min(len(row) - len(row.lstrip(b"\0")) for row in seen)
    right = max(len(row.rstrip(b"\0")) for row in seen)
    return left, filled[0], right - left, filled[-1] - filled[0] + 1


def _notes(said: str) -> list[str]:
    """Tell of letters that no font here has."""
    missing = dict.fromkeys(chr(int(code, 16)) for code in _NOT_FOUND.findall(said))
    if not missing:
        return []
    return [f"No font here has {' '.join(missing)} of the watermark's text: a box stands in its place."]
