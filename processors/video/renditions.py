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

from processors.ffmpeg.filters import Filter
from processors.ffmpeg.program import commanded
from processors.ffmpeg.streams import Subtitle, Video
from processors.specs import VideoSpec
from processors.video.codecs import CRF, Average, Constant, Options, encoder, with_specifier
from processors.video.encoding import Wanted, input_options, picture, text_input
from processors.video.ladder import Rung
from processors.video.quality import fit
from processors.video.sounds import audio_rate, mixed

GROUP_SECONDS = 2  # Apple: a key frame each 2 s
_NTSC = Fraction(1001, 1000)
_CHANNELS = 2  # all players of streams have stereo; surround is mixed down
# From the first moment on, and without gaps: so that it stays with the picture.
_STEADY_SOUND = "aresample=async=1:first_pts=0,aformat=channel_layouts=stereo:sample_rates=48000|44100"
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
class Renditions:
    """What one run of ffmpeg is to make of a file."""

    rungs: Sequence[Rung]
    timing: Timing
    wanted: Wanted  #: of the file, whatever is made of it

    @property
    def texts(self) -> Sequence[Subtitle | None]:
        """The subtitles that ffmpeg makes tracks of; None stands for the file that is given beside the video.

        There are none where texts were made before: of a cut, or where they are to be files.
        """
        captions = self.wanted.captions
        if self.wanted.texts is not None:
            return []
        return [*captions.kept, *([None] if captions.is_file_kept else [])]


def encode(spec: VideoSpec, video: Video, source: Path, made: Renditions, folder: str) -> tuple[str, ...]:
    """Say how the tracks are made: `FOLDER/video-0.mp4`, `audio-0.mp4`, `text-0.vtt` and so on, as they are wanted."""
    wanted = made.wanted
    media = ffmpeg.input(str(source), **input_options(wanted))
    bare: Options = {"map_metadata": -1, "map_chapters": -1, **wanted.part.limit}
    outputs = []
    for number, (node, rung) in enumerate(zip(pictures(spec, video, media, made), made.rungs, strict=True)):
        options = bare | rung_options(spec, video, rung, made.timing, wanted.threads)
        outputs.append(ffmpeg.output(node, f"{folder}/video-{number}.mp4", **options))
    for number, sound in enumerate(wanted.sounds):
        level = wanted.levels.get(sound.index) or mixed(sound, _CHANNELS, least_channels=_CHANNELS)
        options = bare | {"c:a": "aac", "b:a": audio_rate(spec, sound, most_channels=_CHANNELS)}
        options["af"] = f"{level},{_STEADY_SOUND}"
        outputs.append(ffmpeg.output(media[str(sound.index)], f"{folder}/audio-{number}.mp4", **options))
    for number, text in enumerate(made.texts):
        track = media[str(text.index)] if text is not None else _given(wanted)
        options = bare | {"c:s": "webvtt", "flush_packets": 1}
        outputs.append(ffmpeg.output(track, f"{folder}/text-{number}.vtt", **options))
    return tuple(ffmpeg.merge_outputs(*outputs).compile(cmd=commanded(wanted.threads), overwrite_output=True))


def pictures(spec: VideoSpec, video: Video, media: Any, made: Renditions) -> list[Any]:
    """Give a picture to each rung: each size is scaled from the next larger one, because that costs less."""
    node = steady_picture(spec, video, media, made)
    size = fit(video.width, video.height, spec.resolution)
    given = []
    for number, rung in enumerate(made.rungs):
        if (rung.width, rung.height) != size:
            size = (rung.width, rung.height)
            node = node.filter("scale", *size)
        if number == len(made.rungs) - 1:
            own = node
        else:
            both = node.filter_multi_output("split")
            own, node = both[0], both[1]
        rate, _ = made.timing.frames_of(rung)
        given.append(own if rate == made.timing.framerate else own.filter("fps", fps=_text(rate)))
    return given


def steady_picture(spec: VideoSpec, video: Video, media: Any, made: Renditions) -> Any:
    """Chain what is done to the picture before it is scaled for each rung: at a steady rate, from the first moment."""
    rate = Filter("fps", options={"fps": _text(made.timing.framerate), "start_time": 0})
    return picture(spec, video, media, made.wanted, steady=rate)


def rung_options(spec: VideoSpec, video: Video, rung: Rung, steady: Timing, threads: int) -> Options:
    """Say how a rung is encoded: constant quality up to its rate, or the rate that was asked for as the average."""
    _, frames = steady.frames_of(rung)
    crf = CRF[spec.video_codec][spec.quality] if rung.crf is None else rung.crf
    rate = Average(rung.bitrate, _BUFFER_SECONDS) if spec.bitrate else Constant(crf, rung.bitrate, _BUFFER_SECONDS)
    colours = video.hdr_colours if spec.hdr == "keep" else None
    return with_specifier(
        encoder(spec.video_codec, spec.quality, rate, width=rung.width, threads=threads, colours=colours, group=frames),
        "v",
    )


def _given(wanted: Wanted) -> Any:
    assert wanted.text_file is not None  # else there would be no such track
    return ffmpeg.input(str(wanted.text_file.path), **text_input(wanted, wanted.text_file))["s:0"]


def _text(rate: Fraction) -> str:
    return f"{rate.numerator}/{rate.denominator}"
