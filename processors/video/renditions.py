"""Pure: all renditions of a stream, and its sounds and subtitles, become one run of ffmpeg that decodes once.

Every rung has a group of pictures of the same length, begun by a frame from which a player can start: so that it may
switch at each, and segments can be cut there. File names are relative to the out directory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from processors.ffmpeg.filters import Filter, fitted
from processors.ffmpeg.probe import Audio, Subtitle, Video
from processors.ffmpeg.program import FFMPEG
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.specs import VideoSpec
from processors.video.codecs import CRF, Average, Constant, Options, encoder, with_specifier
from processors.video.ladder import Rung
from processors.video.sounds import audio_rate
from processors.video.watermark import Mark

GROUP_SECONDS = 2  # Apple: a key frame each 2 s
_NTSC = Fraction(1001, 1000)
_CHANNELS = 2  # all players of streams have stereo; surround is mixed down
_HALVED_FROM = 30  # rungs of faster videos may have half the frames, and then a group must have an even number
_BUFFER_SECONDS = 1  # of the rate: so a segment of 6 s exceeds it by a sixth at most


@dataclass(frozen=True, slots=True)
class Timing:
    """When the frames of a stream are shown, and where segments may begin."""

    framerate: Fraction  #: of the fastest rung
    group_frames: int  #: of the fastest rung; a rung of half the rate has half of them

    @property
    def group_seconds(self) -> float:
        """The length of a group of pictures: 2 s, or as near as whole frames come."""
        return float(self.group_frames / self.framerate)

    def segment_seconds(self, wanted: float) -> float:
        """The length of a segment: whole groups, as near to what is wanted as they come."""
        return max(1, round(wanted / self.group_seconds)) * self.group_seconds

    def frames_of(self, rung: Rung) -> tuple[Fraction, int]:
        """The rate of a rung, and the frames of a group."""
        is_halved = rung.framerate < float(self.framerate) * 0.75
        return (self.framerate / 2, self.group_frames // 2) if is_halved else (self.framerate, self.group_frames)


def timing(framerate: float) -> Timing:
    """Find the exact rate that a rounded one means, as 30000/1001 for 29.97, and the group that fits it."""
    exact = Fraction(round(framerate)) / _NTSC
    if abs(float(exact) - framerate) > 0.005:
        exact = Fraction(framerate).limit_denominator(1000)
    frames = round(GROUP_SECONDS * float(exact))
    return Timing(exact, 2 * round(exact) if exact > _HALVED_FROM else max(1, frames))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one run of ffmpeg is to make of a file."""

    rungs: Sequence[Rung]
    timing: Timing
    sounds: Sequence[Audio]
    texts: Sequence[Subtitle]
    threads: int
    mark: Mark | None = None


def encode(spec: VideoSpec, video: Video, source: Path, wanted: Wanted, folder: str) -> tuple[str, ...]:
    """Say how the tracks are made: `FOLDER/video-0.mp4`, `audio-0.mp4`, `text-0.vtt` and so on, as they are wanted."""
    media = ffmpeg.input(str(source), **span(spec), **SAFE_INPUT, **SAFE_DECODER)
    bare: Options = {"map_metadata": -1, "map_chapters": -1}
    outputs = []
    for number, (picture, rung) in enumerate(zip(pictures(spec, video, media, wanted), wanted.rungs, strict=True)):
        options = bare | picture_options(spec, video, rung, wanted.timing, wanted.threads)
        outputs.append(ffmpeg.output(picture, f"{folder}/video-{number}.mp4", **options))
    for number, sound in enumerate(wanted.sounds):
        # From the first moment on, and without gaps: so that it stays with the picture.
        steady = media[str(sound.index)].filter("aresample", **{"async": 1, "first_pts": 0})
        plain = steady.filter("aformat", channel_layouts="stereo", sample_rates="48000|44100")
        options = bare | {"c:a": "aac", "b:a": audio_rate(spec, sound, most_channels=_CHANNELS)}
        outputs.append(ffmpeg.output(plain, f"{folder}/audio-{number}.mp4", **options))
    for number, text in enumerate(wanted.texts):
        options = bare | {"c:s": "webvtt", "flush_packets": 1}
        outputs.append(ffmpeg.output(media[str(text.index)], f"{folder}/text-{number}.vtt", **options))
    return tuple(ffmpeg.merge_outputs(*outputs).compile(cmd=list(FFMPEG), overwrite_output=True))


def span(spec: VideoSpec) -> dict[str, float]:
    """The part of the input that is wanted."""
    options = {} if spec.start is None else {"ss": spec.start}
    return options if spec.end is None else options | {"t": spec.end - (spec.start or 0.0)}


def pictures(spec: VideoSpec, video: Video, media: Any, wanted: Wanted) -> list[Any]:
    """Give a picture to each rung: each size is scaled from the next larger one, because that costs less."""
    picture = framed(spec, video, media, wanted, wanted.rungs[0])
    size = (wanted.rungs[0].width, wanted.rungs[0].height)
    given = []
    for number, rung in enumerate(wanted.rungs):
        if (rung.width, rung.height) != size:
            size = (rung.width, rung.height)
            picture = picture.filter("scale", *size)
        if number == len(wanted.rungs) - 1:
            own = picture
        else:
            both = picture.filter_multi_output("split")
            own, picture = both[0], both[1]
        rate, _ = wanted.timing.frames_of(rung)
        given.append(own if rate == wanted.timing.framerate else own.filter("fps", fps=_text(rate)))
    return given


def framed(spec: VideoSpec, video: Video, media: Any, wanted: Wanted, best: Rung) -> Any:
    """Chain what is done to the picture of the best rung; ffmpeg itself has turned it as the file says."""
    is_mapped = video.is_hdr and spec.hdr == "sdr"
    size = fitted(best.width, best.height, is_hdr=is_mapped, framerate=None, is_full_range=False)
    return _applied(media[str(video.index)], [*prepared(spec, video, wanted.timing.framerate), *size])


def prepared(spec: VideoSpec, video: Video, framerate: Fraction) -> list[Filter]:
    """What is done to a picture before it is scaled: whole frames, at a steady rate from the first moment on."""
    filters = []
    if spec.deinterlace == "on" or (spec.deinterlace == "auto" and video.is_interlaced):
        only = "all" if spec.deinterlace == "on" else "interlaced"
        filters.append(Filter("bwdif", options={"mode": "send_frame", "deint": only}))
    filters.append(Filter("fps", options={"fps": _text(framerate), "start_time": 0}))
    return filters


def picture_options(spec: VideoSpec, video: Video, rung: Rung, steady: Timing, threads: int) -> Options:
    """Say how a rung is encoded: constant quality up to its rate, or the rate that was asked for as the average."""
    _, frames = steady.frames_of(rung)
    crf = CRF[spec.video_codec][spec.quality] if rung.crf is None else rung.crf
    rate = Average(rung.bitrate, _BUFFER_SECONDS) if spec.bitrate else Constant(crf, rung.bitrate, _BUFFER_SECONDS)
    colours = video.hdr_colours if spec.hdr == "keep" else None
    return with_specifier(
        encoder(spec.video_codec, spec.quality, rate, width=rung.width, threads=threads, colours=colours, group=frames),
        "v",
    )


def _applied(picture: Any, filters: Sequence[Filter]) -> Any:
    for each in filters:
        picture = picture.filter(each.name, *each.arguments, **each.options)
    return picture


def _text(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
