"""Makes a stream for HLS, DASH or both: encodes the ladder in one run, packages it, and verifies what came out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from processors.ffmpeg.probe import probe
from processors.ffmpeg.program import run_ffmpeg
from processors.ffmpeg.streams import Audio, Subtitle, Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.specs import Ladder, VideoSpec, bits_per_second
from processors.streaming.making import make_stream, published
from processors.streaming.measure import MeasuredTrack
from processors.streaming.packager import packager
from processors.streaming.tracks import Track, distinct, language_of, title_of
from processors.video import preparing
from processors.video.encoding import Text
from processors.video.ladder import Rung, ladder, names, slowed, stream_framerate, without_dominated
from processors.video.lengths import blame_the_input, refuse_lost_sound
from processors.video.per_title import per_title
from processors.video.quality import TIERS, fit
from processors.video.renditions import Renditions, Timing, encode, timing
from processors.video.sounds import chosen_sounds
from processors.video.transcoding import refuse_tiny
from processors.video.trials import tried
from processors.worker.context import Context

_FOLDER = ".tracks"  # below out/, for what is encoded and not yet packaged
_REFERENCE_RATE = 7_800_000  # of the ladder's table and of the tier that shifts nothing
_LEAST_STEP = 1.1  # a rung that came out nearly as large as the next better one is of no use to a player
_MOST_RUNGS = 12  # of the ladder that says which sizes are tried
_HARD_SHARE = 2  # of the table's best rate: what a video that is hard to encode may cost
_TRIAL_SHARE = 0.3  # of the progress of encoding, where there are trials before
_SAME_RATE = 0.01  # a difference that comes of rounding
_PACKAGE_SHARE = 0.08  # of the work of encoding


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """What has to be found out before, encode, then package."""
    packager()  # before any work, and not after an hour of it
    refuse_tiny(context.spec, video, source.name)
    for size in _asked(context.spec).sizes or ():
        refuse_tiny(context.spec.model_copy(update={"resolution": size}), video, source.name)
    state = preparing.prepared(context, source, video)
    chosen = chosen_sounds(source.probe.audios, context.spec.audio_tracks, source.name)
    state.wanted = replace(state.wanted, sounds=chosen)  # all where nothing is said: players have a menu of them
    stream = _Stream(context, source, video, state)
    state.notes += _other_rate(context.spec.framerate or video.framerate, float(stream.steady.framerate))
    seconds = state.wanted.part.seconds(source.probe.duration_seconds) or 1.0
    return [
        *preparing.tasks(context, source, video, state),
        Task("encode", seconds, stream.encode),
        Task("package", seconds * _PACKAGE_SHARE, stream.package),
    ]


@dataclass(slots=True)
class _Stream:
    """What the tasks of one stream hand on to each other."""

    context: Context[VideoSpec]
    source: Source
    video: Video
    state: preparing.Preparation
    rungs: Sequence[Rung] = ()
    seconds: float = 0.0  #: of picture that were encoded

    @property
    def steady(self) -> Timing:
        """When its frames are shown."""
        return timing(stream_framerate(self.context.spec.framerate or self.video.framerate))

    @property
    def made(self) -> Renditions:
        """What is made of the input."""
        return Renditions(self.rungs, self.steady, self.state.wanted)

    @property
    def folder(self) -> Path:
        """Where the encoded tracks are until they are packaged."""
        return self.context.out / _FOLDER

    # --- encoding

    def encode(self, report: Report) -> Made:
        """Make all tracks in one run."""
        self.folder.mkdir()
        part = self.state.wanted.part
        self.rungs = self._ladder(_asked(self.context.spec))
        if self.is_per_title:
            self._try_out(lambda fraction, speed: report(_TRIAL_SHARE * (fraction or 0.0), speed))
            report = _rest_of(report)
        elif (crf := self.state.wanted.crf) is not None:  # that gives the quality that is asked for
            best, *others = (replace(rung, crf=crf) for rung in self.rungs)
            self.rungs = (replace(best, bitrate=best.bitrate * _HARD_SHARE), *others)
        os.environ.setdefault("SVT_LOG", "2")  # else SVT-AV1 says thirty lines for each rung; 2 are warnings
        argv = encode(self.context.spec, self.video, self.source.path, self.made, _FOLDER)
        wanted_seconds = part.seconds(self.source.probe.duration_seconds)
        run_ffmpeg(self.context, argv, self.source.name, report, seconds=wanted_seconds)
        # Of several outputs, FFmpeg 7 tells the progress of the slowest, which may be sparse subtitles.
        self.seconds = probe(self.folder / "video-0.mp4", self.source.name).video_seconds or 0.0
        expected = part.seconds(self.source.probe.video_seconds)
        blame_the_input(self.context, self.source, self.seconds, expected, self.video)
        for number, audio in enumerate(self.state.wanted.sounds):
            made = probe(self.folder / f"audio-{number}.mp4", self.source.name)
            refuse_lost_sound(self.context, self.source, audio, part, made)
        return Made()

    def _try_out(self, report: Report) -> None:
        """Find the rungs that suit this very video; those of the table are the sizes that are tried."""
        asked = _asked(self.context.spec)
        every = self._ladder(asked.model_copy(update={"max_rungs": _MOST_RUNGS, "min_bitrate": None}))
        seconds = self.state.wanted.part.seconds(self.source.probe.video_seconds)  # sounds may go on after it
        trials = tried(self.context, self.source, self.video, replace(self.made, rungs=every), seconds, _FOLDER, report)
        most = every[0].bitrate * _HARD_SHARE
        if asked.max_bitrate is not None:
            most = bits_per_second(asked.max_bitrate)
        least = every[-1].bitrate if asked.min_bitrate is None else bits_per_second(asked.min_bitrate)
        chosen = per_title(
            trials, every[0].framerate, most_rungs=asked.max_rungs, most_bitrate=most, least_bitrate=least
        )
        self.rungs = (chosen[0], *(slowed(rung) for rung in chosen[1:]))

    def _ladder(self, asked: Ladder) -> tuple[Rung, ...]:
        spec = self.context.spec
        return ladder(
            *fit(self.video.width, self.video.height, spec.resolution),
            float(self.steady.framerate),
            asked,
            codec=spec.video_codec,
            share=TIERS[spec.quality].ceiling_1080p30 / _REFERENCE_RATE,
            top_bitrate=bits_per_second(spec.bitrate) if spec.bitrate else None,
        )

    @property
    def is_per_title(self) -> bool:
        """Whether the rungs are found by trials."""
        return _asked(self.context.spec).per_title

    # --- packaging

    def package(self, report: Report) -> Made:
        """Cut the tracks into segments, and look at what came out."""
        context, spec = self.context, self.context.spec
        rungs = self._worth_having()
        tracks = [*self._video_tracks(rungs), *self._sound_tracks(), *self._text_tracks()]
        segment_seconds = self.steady.segment_seconds(spec.segment_seconds)
        report(0.1, None)
        measured = make_stream(
            context,
            tracks,
            hls=spec.output_format in ("hls", "cmaf"),
            dash=spec.output_format in ("dash", "cmaf"),
            segment_seconds=segment_seconds,
            group_seconds=self.steady.group_seconds,
            seconds=self.seconds,
            frame_seconds=float(1 / self.steady.framerate),
        )
        shutil.rmtree(self.folder)
        outputs = list(published(context, tracks))
        notes = {"notes": self.state.notes} if self.state.notes else {}
        return Made(outputs, {"stream": self._details(rungs, measured, tracks), **notes})

    def _worth_having(self) -> list[tuple[int, Rung]]:
        """Leave out what turned out to cost nearly as much as a better rung: easy pictures need less than allowed."""
        numbered = list(enumerate(self.rungs))
        spec = self.context.spec
        if spec.bitrate is not None or (spec.ladder is not None and spec.ladder.sizes):
            return numbered
        sizes = [8 * (self.folder / f"video-{number}.mp4").stat().st_size for number, _ in numbered]
        cost = [replace(rung, bitrate=size) for (_, rung), size in zip(numbered, sizes, strict=True)]
        kept = without_dominated(cost, least_step=_LEAST_STEP)
        for (_, rung), each in zip(numbered, cost, strict=True):
            if each not in kept:
                text = f"{rung.width}x{rung.height} at {rung.bitrate // 1000} kb/s"
                self.state.notes.append(f"The rendition {text} was left out: it needed nearly as much as a better one.")
        return [pair for pair, each in zip(numbered, cost, strict=True) if each in kept]

    def _video_tracks(self, rungs: Sequence[tuple[int, Rung]]) -> list[Track]:
        called = names([rung for _, rung in rungs])
        return [
            Track("video", f"video-{name}", self.folder / f"video-{number}.mp4")
            for name, (number, _) in zip(called, rungs, strict=True)
        ]

    def _sound_tracks(self) -> list[Track]:
        sounds = self.state.wanted.sounds
        sources = [self.folder / f"audio-{number}.mp4" for number in range(len(sounds))]
        return _told_apart("audio", sounds, sources)

    def _text_tracks(self) -> list[Track]:
        before = self.state.wanted.texts or self.state.extracted
        texts = before or self.made.texts
        sources = [self.context.out / each.name for each in before]
        sources = sources or [self.folder / f"text-{number}.vtt" for number in range(len(texts))]
        tracks = _told_apart("text", texts, sources)
        spoken = [track for track in tracks if "-->" in track.source.read_text(errors="replace")]
        for track in tracks:
            if track not in spoken:
                self.state.notes.append(f"The subtitles {track.title} were left out: there is nothing in them.")
        return spoken

    def _details(
        self, rungs: Sequence[tuple[int, Rung]], measured: Sequence[MeasuredTrack], tracks: Sequence[Track]
    ) -> dict[str, Any]:
        """What the result says of the stream."""
        spec = self.context.spec
        pictures = [each for each in measured if each.track.kind == "video"]
        return {
            "segmentSeconds": round(self.steady.segment_seconds(spec.segment_seconds), 3),
            "durationSeconds": round(pictures[0].seconds, 3),
            **({} if self.state.answer is None else {"vmafOfSamples": self.state.answer.vmaf}),
            "rungs": [
                {
                    "path": each.track.folder,
                    "width": rung.width,
                    "height": rung.height,
                    "framerate": round(float(self.steady.frames_of(rung)[0]), 3),
                    "frames": each.frames,
                    "codec": spec.video_codec,
                    "bitrateLimit": rung.bitrate,
                    **({} if rung.crf is None else {"crf": rung.crf}),
                    "bitrate": each.average_bandwidth,
                    "peakBitrate": each.peak_bandwidth,
                }
                for (_, rung), each in zip(rungs, pictures, strict=True)
            ],
            "audio": [
                {"path": each.track.folder, "language": each.track.language, "bitrate": each.average_bandwidth}
                for each in measured
                if each.track.kind == "audio"
            ],
            "subtitles": [
                {"path": track.folder, "language": track.language} for track in tracks if track.kind == "text"
            ],
        }


def _other_rate(wanted: float, steady: float) -> list[str]:
    """Say that a stream has another rate than was asked for, or than its input."""
    if abs(steady / wanted - 1) < _SAME_RATE:
        return []
    return [f"The stream has {steady:.5g} frames per second instead of {wanted:.5g}: players want 10 to 60."]


def _rest_of(report: Report) -> Report:
    """What follows the trials."""

    def rest(fraction: float | None, speed: float | None) -> None:
        report(None if fraction is None else _TRIAL_SHARE + (1 - _TRIAL_SHARE) * fraction, speed)

    return rest


def _told_apart(kind: Any, streams: Sequence[Audio | Subtitle | Text | None], sources: Sequence[Path]) -> list[Track]:
    languages = [language_of(stream.language) if stream else None for stream in streams]
    folders = distinct([f"{kind}-{language or 'und'}" for language in languages])
    titles = distinct(
        [
            title_of(stream.title if stream else None, language, number)
            for number, (stream, language) in enumerate(zip(streams, languages, strict=True), start=1)
        ]
    )
    return [
        Track(kind, name, source, language, title)
        for name, source, language, title in zip(folders, sources, languages, titles, strict=True)
    ]


def _asked(spec: VideoSpec) -> Ladder:
    return spec.ladder or Ladder.model_validate({})
