"""The sound of a video as files of its own, one for each track that is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from processors.ffmpeg.chapters import Chapter, chapters, comments, within
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.report import described
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.sound_codecs import CODECS, CONTAINER_OPTIONS, MEDIA_TYPES, Container
from processors.ffmpeg.streams import Audio
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.verify import Expected, verified
from processors.specs import VideoSpec
from processors.specs.media import CODECS_OF, LOSSLESS, AudioCodec
from processors.video import preparing
from processors.video.encoding import Wanted
from processors.video.labels import without_stale
from processors.video.lengths import refuse_lost_sound
from processors.video.sounds import audio_rate, layouts, mixed
from processors.worker.context import Context, Rejected

_COST = 0.1  # of encoding a second of sound; for shares of the progress only


@dataclass(frozen=True, slots=True)
class Form:
    """How a sound is stored."""

    suffix: str
    media_type: str
    codec: AudioCodec | None = None  #: None: it is copied
    muxer: str | None = None  #: where the suffix does not say it

    @property
    def is_lossless(self) -> bool:
        """Whether its samples come back as they were."""
        return self.codec is None or self.codec in LOSSLESS


_CONTAINERS: tuple[Container, ...] = ("m4a", "mp3", "opus", "flac", "wav")
FORMS: Mapping[str, Form] = {each: Form(each, MEDIA_TYPES[each], CODECS_OF[each][0]) for each in _CONTAINERS}

#: what each codec is stored in as it is; whatever is not here goes into Matroska, which holds all of them
_AS_IT_IS: Mapping[str, Form] = {
    "aac": Form("m4a", "audio/mp4", muxer="ipod"),
    "alac": Form("m4a", "audio/mp4", muxer="ipod"),
    "mp3": Form("mp3", "audio/mpeg"),
    "opus": Form("opus", "audio/ogg"),
    "vorbis": Form("ogg", "audio/ogg"),
    "flac": Form("flac", "audio/flac"),
    "ac3": Form("ac3", "audio/ac3"),
    "eac3": Form("eac3", "audio/eac3"),
}
_MATROSKA = Form("mka", "audio/x-matroska")


def form(spec: VideoSpec, audio: Audio) -> Form:
    """Say how a track is stored."""
    if spec.audio_format != "copy":
        return FORMS[spec.audio_format]
    if audio.codec.startswith("pcm_s") and audio.codec.endswith("le"):
        return Form("wav", "audio/wav")
    return _AS_IT_IS.get(audio.codec, _MATROSKA)


_COMMENTED = ("opus", "ogg", "flac")  # have chapters as comments, which FFmpeg does not write, or writes wrong
_WITHOUT_CHAPTERS = ("wav", "ac3", "eac3")


def extraction(
    spec: VideoSpec, source: Source, wanted: Wanted, parts: Sequence[Chapter] = ()
) -> tuple[tuple[str, ...], list[tuple[str, Form]]]:
    """Say how all tracks become files in one run of ffmpeg; give their names and forms too.

    Args:
        parts: the chapters, at the times that they have in the result.
    """
    media = ffmpeg.input(str(source.path), **wanted.part.options, **SAFE_INPUT, **SAFE_DECODER)
    outputs, files = [], []
    for number, audio in enumerate(wanted.sounds, start=1):
        own = form(spec, audio)
        name = f"audio.{own.suffix}" if len(wanted.sounds) == 1 else f"audio-{number:03}.{own.suffix}"
        options = _options(spec, audio, own, wanted.levels)
        outputs.append(ffmpeg.output(media[str(audio.index)], name, **options, **wanted.part.limit))
        files.append((name, own))
    argv: list[str] = ffmpeg.merge_outputs(*outputs).compile(cmd=list(FFMPEG), overwrite_output=True)
    for name, own in files:
        place = argv.index(name)
        argv[place:place] = _labels(own, parts)
    return tuple(argv), files


def _labels(own: Form, parts: Sequence[Chapter]) -> list[str]:
    """Say what becomes of chapters and tags: options that are given several times."""
    options = without_stale("g", "s:a:0")
    if own.suffix in _COMMENTED:
        numbered = enumerate(parts, start=1)
        said = comments((each.start, each.title or f"Chapter {number}", None) for number, each in numbered)
        options += ["-map_chapters", "-1"]
        options += [word for key, value in said.items() for word in ("-metadata:g", f"{key}={value}")]
    return options


def tasks(context: Context[VideoSpec], source: Source) -> list[Task]:
    """Measure the loudness where one is asked for; then one run of ffmpeg.

    Raises:
        Rejected: there is no sound.
    """
    if not source.probe.audios:
        hint = "Choose another outputFormat, as mp4."
        raise Rejected("no_audio_stream", f"{source.name} has no sound.", hint)
    state = preparing.prepared(context, source, None)
    seconds = state.wanted.part.seconds(source.probe.duration_seconds)
    parts = within(chapters(context, source.path), state.wanted.part)
    forms = {form(context.spec, audio).suffix for audio in state.wanted.sounds}
    if parts and (without := sorted(forms.intersection(_WITHOUT_CHAPTERS))):
        state.notes.append(f"The chapters were left out: {' and '.join(without)} has no place for them.")

    def run(report: Report) -> Made:
        argv, files = extraction(context.spec, source, state.wanted, parts)
        run_ffmpeg(context, argv, source.name, report, seconds=seconds)
        outputs = []
        for (name, own), audio in zip(files, state.wanted.sounds, strict=True):
            made = verified(context.out / name, name, Expected({"audio": 1, "video": 0}))
            refuse_lost_sound(context, source, audio, state.wanted.part, made)
            about = {"language": audio.language, "title": audio.title}
            details = described(made) | {key: value for key, value in about.items() if value}
            outputs.append(context.output(name, media_type=own.media_type, role="audio", details=details))
        return Made(outputs, {"notes": state.notes} if state.notes else {})

    return [*preparing.levelling(context, source, state), Task("extract", max(0.1, (seconds or 1.0) * _COST), run)]


def _options(spec: VideoSpec, audio: Audio, own: Form, levels: Mapping[int, str]) -> dict[str, Any]:
    options: dict[str, Any] = {"map_metadata": 0} | ({} if own.suffix in _COMMENTED else {"map_chapters": 0})
    options |= {key: value for of, said in CONTAINER_OPTIONS.items() if of == own.suffix for key, value in said.items()}
    options |= {} if own.muxer is None else {"f": own.muxer}
    if own.codec is None:
        return options | {"c:a": "copy"}
    options["c:a"] = CODECS[own.codec].encoder
    chain: Sequence[str] = [*([levels[audio.index]] if audio.index in levels else [])]
    most = CODECS[own.codec].most_channels
    if not own.is_lossless:
        chain = [*chain, f"aformat=channel_layouts={layouts(audio, most)}"] if chain else [mixed(audio, most)]
        options["b:a"] = audio_rate(spec, audio, codec=own.codec, most_channels=most)
    elif own.codec == "pcm" and (audio.bit_depth or 0) > 16:
        options["c:a"] = "pcm_s24le"
    return options | ({"af": ",".join(chain)} if chain else {})
