"""Pure: a spec, and what is known of its input, become a run of ffmpeg that makes an MP4 or a WebM.

The command is built with ffmpeg-python's graph; file names of outputs are relative to the out directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ffmpeg

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.filters import Filter
from processors.ffmpeg.program import commanded
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.streams import Audio, Video
from processors.ffmpeg.tasks import Source
from processors.specs import VideoSpec, bits_per_second
from processors.video.codecs import CRF, RATE_SHARE, Average, Constant, Options, encoder, with_specifier
from processors.video.framing import framing
from processors.video.labels import without_stale
from processors.video.quality import TIERS, ceiling, fit
from processors.video.sounds import sound_options
from processors.video.subtitles import CODECS, Captions, burning
from processors.video.watermark import Mark, marked


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of subtitles that is given beside the video."""

    path: Path
    charset: str | None = None  #: where it is not UTF-8
    is_styled: bool = False  #: it says by itself how it looks


@dataclass(frozen=True, slots=True)
class Text:
    """A WebVTT file in the out directory, with the times of the part that is wanted."""

    name: str
    language: str | None = None
    title: str | None = None
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the spec's words mean for this file, and what was found out about it."""

    part: Cut = field(default_factory=Cut)
    sounds: Sequence[Audio] = ()
    captions: Captions = field(default_factory=Captions)
    text_file: TextFile | None = None
    texts: Sequence[Text] | None = None  #: that become tracks, in place of those of the files; of a cut
    threads: int = 1
    has_fields: bool = False  #: frames that do not say so are interlaced
    levels: Mapping[int, str] = field(default_factory=dict)  #: filters that bring sounds to a loudness, by index
    crf: int | None = None  #: that was found to give the quality that is asked for
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Transcode:
    """One run of ffmpeg."""

    argv: tuple[str, ...]
    name: str  #: of the output
    media_type: str
    seconds: float | None  #: of media that it should give, where that is known
    streams: Mapping[str, int]  #: of the output, by kind


def transcode(spec: VideoSpec, source: Source, video: Video, wanted: Wanted) -> Transcode:
    """Say how an MP4 or a WebM is made."""
    is_webm = spec.output_format == "webm"
    name, media_type = ("video.webm", "video/webm") if is_webm else ("video.mp4", "video/mp4")
    media = ffmpeg.input(str(source.path), **input_options(wanted))
    options: Options = {"map_metadata": 0, "map_chapters": 0, **wanted.part.limit}
    options |= with_specifier(picture_options(spec, video, wanted), "v") | frame_timing(spec, video)
    options |= sound_options(spec, wanted.sounds, "libopus" if is_webm else "aac", wanted.levels)
    streams = [picture(spec, video, media, wanted), *(media[str(audio.index)] for audio in wanted.sounds)]
    texts = _texts(media, wanted)
    if texts:
        streams += texts
        options["c:s"] = CODECS[spec.output_format]
        # Else FFmpeg would choose one that shows by itself, where the file has none.
        shown = [each.is_default for each in (wanted.captions.kept if wanted.texts is None else wanted.texts)]
        for number in range(len(texts)):
            is_shown = number < len(shown) and shown[number]
            options[f"disposition:s:{number}"] = "+default" if is_shown else "-default"
    repeated = _text_names(wanted.texts or (), is_webm=is_webm)
    if is_webm:
        repeated += without_stale("g", "s:v:0", *(f"s:a:{number}" for number in range(len(wanted.sounds))))
    else:
        options["movflags"] = "+faststart"
    counts = {"video": 1, "audio": len(wanted.sounds), "subtitle": len(texts)}
    return Transcode(
        _command(streams, name, options, wanted.threads, repeated),
        name,
        media_type,
        wanted.part.seconds(source.probe.duration_seconds),
        counts,
    )


def sample(
    spec: VideoSpec, source: Source, video: Video, wanted: Wanted, options: Options, name: str
) -> tuple[str, ...]:
    """Say how the picture alone of a part is made, as it will be in the whole, but encoded otherwise."""
    media = ffmpeg.input(str(source.path), **input_options(wanted))
    bare: Options = {"map_metadata": -1, "map_chapters": -1, **wanted.part.limit, **frame_timing(spec, video)}
    pictures = [picture(spec, video, media, wanted)]
    return _command(pictures, name, bare | with_specifier(options, "v"), wanted.threads)


def picture(spec: VideoSpec, video: Video, media: Any, wanted: Wanted, *, steady: Filter | None = None) -> Any:
    """Chain what is done to the picture; ffmpeg itself has turned it as the file says.

    Args:
        steady: what gives it its rate, where that is not the spec's alone to say.
    """
    node = media[str(video.index)]
    width, height = fit(video.width, video.height, spec.resolution)
    for each in framing(spec, video, has_fields=wanted.has_fields, steady=steady):
        node = node.filter(each.name, *each.arguments, **each.options)
    burnt = wanted.captions.burnt
    if wanted.captions.has_burnt_text:
        for each in burning(wanted.part):
            node = node.filter(each.name, *each.arguments, **each.options)
    elif burnt is not None:
        node = node.overlay(media[str(burnt.index)].filter("scale", width, height), eof_action="pass")
    return marked(node, wanted.mark, width, height)  # its size and its colours are the output's by now


def picture_options(spec: VideoSpec, video: Video, wanted: Wanted) -> Options:
    """Say how the picture is encoded."""
    codec = spec.video_codec
    width, height = fit(video.width, video.height, spec.resolution)
    rate: Constant | Average
    if spec.bitrate is not None:
        rate = Average(bits_per_second(spec.bitrate))
    elif wanted.crf is not None:  # a quality that was asked for has no ceiling
        rate = Constant(wanted.crf, ceiling(TIERS["ultra"], width, height, spec.framerate or video.framerate) * 4)
    else:
        most = ceiling(TIERS[spec.quality], width, height, spec.framerate or video.framerate)
        rate = Constant(CRF[codec][spec.quality], round(most * RATE_SHARE[codec]))
    colours = video.hdr_colours if spec.hdr == "keep" else None
    return encoder(codec, spec.quality, rate, width=width, threads=wanted.threads, colours=colours)


def frame_timing(spec: VideoSpec, video: Video) -> Options:
    """Keep the moments of frames as they are, unless a rate is asked for.

    By default FFmpeg counts time in frames, and drops those that come closer together than the rate of the file says.
    """
    if spec.framerate is not None or video.time_base is None:
        return {}
    ticks = f"{video.time_base.numerator}:{video.time_base.denominator}"
    return {"fps_mode:v": "vfr", "enc_time_base:v": ticks}  # the time of sounds is theirs


def input_options(wanted: Wanted) -> dict[str, Any]:
    """Open the input safely, at its part."""
    return {**wanted.part.options, **SAFE_INPUT, **SAFE_DECODER, "threads": wanted.threads}


def text_input(wanted: Wanted, text: TextFile) -> dict[str, Any]:
    """Open a file of subtitles safely, at the same part."""
    return {
        **wanted.part.options,
        **SAFE_INPUT,
        **SAFE_DECODER,
        **({} if text.charset is None else {"sub_charenc": text.charset}),
    }


def _texts(media: Any, wanted: Wanted) -> list[Any]:
    if wanted.texts is not None:
        return [ffmpeg.input(each.name, **SAFE_INPUT, **SAFE_DECODER)["s:0"] for each in wanted.texts]
    texts = [media[str(each.index)] for each in wanted.captions.kept]
    if wanted.captions.is_file_kept and (text := wanted.text_file) is not None:
        encoded = {} if text.charset is None else {"sub_charenc": text.charset}
        texts.append(ffmpeg.input(str(text.path), **SAFE_INPUT, **SAFE_DECODER, **encoded)["s:0"])
    return texts


def _text_names(texts: Sequence[Text], *, is_webm: bool) -> list[str]:
    """Say of texts that were cut what their tracks said."""
    said: list[str] = []
    for number, text in enumerate(texts):
        about = {"language": text.language, "title": text.title} | ({} if is_webm else {"handler_name": text.title})
        for key, value in about.items():
            said += [f"-metadata:s:s:{number}", f"{key}={value}"] if value else []
    return said


def _command(
    streams: Sequence[Any], name: str, options: Options, threads: int, repeated: Sequence[str] = ()
) -> tuple[str, ...]:
    """Write the command.

    Args:
        repeated: options of the output of which one name is given several times.
    """
    made = ffmpeg.output(*streams, name, **options)
    *argv, output, overwrite = made.compile(cmd=commanded(threads), overwrite_output=True)
    return (*argv, *repeated, output, overwrite)
