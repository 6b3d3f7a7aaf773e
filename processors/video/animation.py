"""Animated pictures without sound: GIF and WebP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from processors.ffmpeg.program import commanded, run_ffmpeg
from processors.ffmpeg.report import described
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import Expected, incomplete, verified
from processors.specs import Quality, VideoSpec
from processors.video import preparing
from processors.video.encoding import Wanted, input_options, picture
from processors.video.lengths import blame_the_input
from processors.video.quality import fit
from processors.worker.context import Context
from processors.worker.threads import granted_threads

BOX = "480x480"  #: where no resolution is asked for
FRAMERATE = 12.0  #: where none is asked for; GIF counts time in hundredths of a second
_WEBP_QUALITY: dict[Quality, int] = {"low": 50, "medium": 70, "high": 80, "ultra": 90}  # libwebp's default is 75
_DITHER: dict[Quality, dict[str, str | int]] = {  # a pattern costs fewer bytes than noise
    "low": {"dither": "bayer", "bayer_scale": 4},
    "medium": {"dither": "bayer", "bayer_scale": 2},
    "high": {"dither": "sierra2_4a"},
    "ultra": {"dither": "sierra2_4a"},
}
_PALETTE = "palette.png"
_VP8_START = b"\x9d\x01\x2a"  # of a key frame (RFC 6386, section 9.1)
_MOST_HELD_BYTES = 150_000_000  # of frames that wait for their palette; beyond, the file is read twice
_BYTES_PER_PIXEL = 4


def sized(spec: VideoSpec, video: Video) -> VideoSpec:
    """Fill in the size and the rate that nobody has asked for."""
    resolution = spec.resolution or BOX
    framerate = spec.framerate or min(FRAMERATE, video.framerate)
    return spec.model_copy(update={"resolution": resolution, "framerate": framerate})


def held_bytes(spec: VideoSpec, video: Video, seconds: float | None) -> float:
    """The memory of all frames at once."""
    width, height = fit(video.width, video.height, spec.resolution)
    frames = (seconds or float("inf")) * (spec.framerate or video.framerate)
    return width * height * _BYTES_PER_PIXEL * frames


def gif(spec: VideoSpec, source: Source, video: Video, wanted: Wanted) -> list[tuple[str, ...]]:
    """Say how a GIF is made, with the palette that suits it best: in one run, or in two where it is long."""
    seconds = wanted.part.seconds(source.probe.video_seconds)
    use: dict[str, Any] = {**_DITHER[spec.quality], "diff_mode": "rectangle"}
    frames = _frames(spec, source, video, wanted)
    options: dict[str, Any] = {"map_metadata": -1, "loop": 0, **wanted.part.limit}
    if held_bytes(spec, video, seconds) <= _MOST_HELD_BYTES:
        both = frames.filter_multi_output("split")
        palette = both[0].filter("palettegen", stats_mode="diff")
        used = ffmpeg.filter([both[1], palette], "paletteuse", **use)
        return [_command(used, "video.gif", options)]
    palette = frames.filter("palettegen", stats_mode="diff")
    used = ffmpeg.filter([frames, ffmpeg.input(_PALETTE)], "paletteuse", **use)
    return [_command(palette, _PALETTE, {"frames:v": 1, "update": 1}), _command(used, "video.gif", options)]


def webp(spec: VideoSpec, source: Source, video: Video, wanted: Wanted) -> list[tuple[str, ...]]:
    """Say how an animated WebP is made."""
    options = {"c:v": "libwebp_anim", "quality": _WEBP_QUALITY[spec.quality], "loop": 0, "map_metadata": -1}
    options["pix_fmt"] = "yuv420p"  # else it may be made of RGB, and larger
    return [_command(_frames(spec, source, video, wanted), "video.webp", options | wanted.part.limit)]


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """What has to be found out before, and one run of ffmpeg, or two."""
    spec = sized(context.spec, video)
    state = preparing.prepared(context, source, video, resolution=spec.resolution)
    seconds = state.wanted.part.seconds(source.probe.video_seconds)

    def run(report: Report) -> Made:
        runs = (gif if spec.output_format == "gif" else webp)(spec, source, video, state.wanted)
        for number, argv in enumerate(runs):

            def share(fraction: float | None, speed: float | None, number: int = number) -> None:
                report((number + (fraction or 0.0)) / len(runs), speed)

            run_ffmpeg(context, argv, source.name, share, seconds=seconds)
        name = f"video.{spec.output_format}"
        if spec.output_format == "gif":
            details = described(verified(context.out / name, name, Expected({"video": 1, "audio": 0})))
        else:
            details = _looked_at(context.out / name)
        made = details.get("durationSeconds") or 0.0
        blame_the_input(context, source, made, seconds, video)
        output = context.output(name, media_type=f"image/{spec.output_format}", role="video", details=details)
        return Made([output], {"notes": state.notes} if state.notes else {})

    return [*preparing.tasks(context, source, video, state), Task("transcode", seconds or 1.0, run)]


def read_webp(data: bytes) -> tuple[int, int, int, float]:
    """Read a WebP: width, height, frames, seconds. FFmpeg 7 writes animated ones, but cannot read them.

    Where all frames are the same, there is one, and it is no animation.

    Raises:
        ValueError: it is none, or not a whole one.
    """
    if data[:4] != b"RIFF" or data[8:15] != b"WEBPVP8" or int.from_bytes(data[4:8], "little") + 8 != len(data):
        raise ValueError("its header does not fit its size")
    width = height = frames = milliseconds = 0
    at = 12
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + size]
        if kind == b"VP8X":
            width, height = (1 + int.from_bytes(body[begin : begin + 3], "little") for begin in (4, 7))
        elif kind == b"ANMF":
            frames += 1
            milliseconds += int.from_bytes(body[12:15], "little")
        elif kind == b"VP8 " and body[3:6] == _VP8_START:
            frames, width, height = 1, *(int.from_bytes(body[begin : begin + 2], "little") & 0x3FFF for begin in (6, 8))
        at += 8 + size + size % 2
    if not frames:
        raise ValueError("it has no frames")
    return width, height, frames, milliseconds / 1000


def _looked_at(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
        width, height, frames, seconds = read_webp(data)
    except (OSError, ValueError) as error:
        raise incomplete(path.name, str(error)) from error
    return {"format": "webp", "width": width, "height": height, "frames": frames, "durationSeconds": seconds,
            "size": len(data)}  # fmt: skip


def _frames(spec: VideoSpec, source: Source, video: Video, wanted: Wanted) -> Any:
    return picture(spec, video, ffmpeg.input(str(source.path), **input_options(wanted)), wanted)


def _command(stream: Any, name: str, options: dict[str, Any]) -> tuple[str, ...]:
    program = commanded(granted_threads())
    return tuple(ffmpeg.output(stream, name, **options).compile(cmd=program, overwrite_output=True))
