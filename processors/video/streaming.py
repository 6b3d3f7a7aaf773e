"""Makes a stream for HLS, DASH or both: encodes the ladder in one run, packages it, and verifies what came out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from processors.ffmpeg.probe import Audio, Subtitle, Video, probe
from processors.ffmpeg.program import run_ffmpeg
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.ffmpeg.threads import granted_threads
from processors.ffmpeg.verify import is_short
from processors.specs import Ladder, VideoSpec, bits_per_second
from processors.streaming.making import make_stream, published
from processors.streaming.measure import Measured
from processors.streaming.packager import packager
from processors.streaming.tracks import Track, distinct, language_of, title_of
from processors.video import watermark
from processors.video.ladder import Rung, ladder, names, slowed, stream_framerate, without_dominated
from processors.video.per_title import per_title
from processors.video.quality import TIERS, fit
from processors.video.renditions import Timing, Wanted, encode, timing
from processors.video.sounds import chosen_sounds
from processors.video.transcoding import blame_the_input
from processors.video.trials import tried
from processors.worker.context import Context

_FOLDER = ".tracks"  # below out/, for what is encoded and not yet packaged
_REFERENCE_RATE = 7_800_000  # of the ladder's table and of the tier that shifts nothing
_LEAST_STEP = 1.1  # a rung that came out nearly as large as the next better one is of no use to a player
_MOST_RUNGS = 12  # of the ladder that says which sizes are tried
_HARD_SHARE = 2  # of the table's best rate: what a video that is hard to encode may cost
_TRIAL_SHARE = 0.3  # of the progress of encoding, where there are trials before
_PACKAGE_SHARE = 0.08  # of the work of encoding


def tasks(context: Context[VideoSpec], source: Source, video: Video) -> list[Task]:
    """Encode, then package."""
    packager()  # before any work, and not after an hour of it
    stream = _Stream(context, source, video)
    seconds = stream.seconds or 1.0
    return [
        Task("encode", seconds, stream.encode),
        Task("package", seconds * _PACKAGE_SHARE, stream.package),
    ]


@dataclass(slots=True)
class _Stream:
    """What the tasks of one stream hand on to each other."""

    context: Context[VideoSpec]
    source: Source
    video: Video
    seconds: float | None = None
    rungs: Sequence[Rung] = ()
    sounds: Sequence[Audio] = ()
    texts: Sequence[Subtitle] = ()
    steady: Timing = field(default_factory=lambda: timing(25.0))

    def __post_init__(self) -> None:
        spec, found = self.context.spec, self.source.probe
        self.seconds = _wanted_seconds(spec, found.duration_seconds)
        self.steady = timing(stream_framerate(spec.framerate or self.video.framerate))
        self.sounds = chosen_sounds(found.audios, spec.audio_tracks, self.source.name)
        self.texts = self._texts()
        self.rungs = self._ladder(spec.ladder or Ladder.model_validate({}))

    def _texts(self) -> list[Subtitle]:
        if self.context.spec.subtitles not in ("keep", "extract"):
            return []
        subtitles = self.source.probe.subtitles
        for number, subtitle in enumerate(subtitles, start=1):
            if not subtitle.is_text:
                self.context.log(
                    f"Subtitle track {number} ({subtitle.codec}) is left out: it is pictures, and not text."
                )
        return [subtitle for subtitle in subtitles if subtitle.is_text]

    @property
    def folder(self) -> Path:
        """Where the encoded tracks are until they are packaged."""
        return self.context.out / _FOLDER

    # --- encoding

    def encode(self, report: Report) -> Made:
        """Make all tracks in one run."""
        self.folder.mkdir()
        wanted = Wanted(self.rungs, self.steady, self.sounds, self.texts, granted_threads())
        if self.is_per_title:
            self._try_out(wanted, lambda fraction, speed: report(_TRIAL_SHARE * (fraction or 0.0), speed))
            wanted = replace(wanted, rungs=self.rungs)
            report = _rest_of(report)
        mark = watermark.made(self.context, self.video, self.rungs[0].width, self.rungs[0].height)
        wanted = replace(wanted, mark=mark)
        os.environ.setdefault("SVT_LOG", "2")  # else SVT-AV1 says thirty lines for each rung; 2 are warnings
        argv = encode(self.context.spec, self.video, self.source.path, wanted, _FOLDER)
        made = run_ffmpeg(self.context, argv, self.source.name, report, seconds=self.seconds)
        if is_short(made, self.seconds):
            blame_the_input(self.context, self.source, made, self.seconds or 0.0)
        return Made(details={"notes": mark.notes} if mark is not None and mark.notes else {})

    def _try_out(self, wanted: Wanted, report: Report) -> None:
        """Find the rungs that suit this very video; those of the table are the sizes that are tried."""
        asked = self.context.spec.ladder or Ladder.model_validate({})
        every = self._ladder(asked.model_copy(update={"max_rungs": _MOST_RUNGS, "min_bitrate": None}))
        trials = tried(
            self.context, self.source, self.video, replace(wanted, rungs=every), self.seconds, _FOLDER, report
        )
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
        asked = self.context.spec.ladder
        return asked is not None and asked.per_title

    # --- packaging

    def package(self, report: Report) -> Made:
        """Cut the tracks into segments, and look at what came out."""
        context, spec = self.context, self.context.spec
        rungs = self._worth_having()
        tracks = [*self._video_tracks(rungs), *self._sound_tracks(), *self._text_tracks()]
        segment_seconds = self.steady.segment_seconds(spec.segment_seconds)
        seconds = probe(tracks[0].source, tracks[0].folder).video_seconds
        report(0.1, None)
        measured = make_stream(
            context,
            tracks,
            hls=spec.output_format in ("hls", "cmaf"),
            dash=spec.output_format in ("dash", "cmaf"),
            segment_seconds=segment_seconds,
            group_seconds=self.steady.group_seconds,
            seconds=seconds,
            frame_seconds=float(1 / self.steady.framerate),
        )
        shutil.rmtree(self.folder)
        outputs = list(published(context, tracks))
        return Made(outputs, {"stream": self._details(rungs, measured, tracks)})

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
                self.context.log(f"The rendition {text} is left out: it needs nearly as much as a better one.")
        return [pair for pair, each in zip(numbered, cost, strict=True) if each in kept]

    def _video_tracks(self, rungs: Sequence[tuple[int, Rung]]) -> list[Track]:
        called = names([rung for _, rung in rungs])
        return [
            Track("video", f"video-{name}", self.folder / f"video-{number}.mp4")
            for name, (number, _) in zip(called, rungs, strict=True)
        ]

    def _sound_tracks(self) -> list[Track]:
        return _told_apart("audio", self.sounds, self.folder, ".mp4")

    def _text_tracks(self) -> list[Track]:
        tracks = _told_apart("text", self.texts, self.folder, ".vtt")
        spoken = [track for track in tracks if "-->" in track.source.read_text(errors="replace")]
        for track in tracks:
            if track not in spoken:
                self.context.log(f"The subtitles {track.title} are left out: there is nothing in them.")
        return spoken

    def _details(
        self, rungs: Sequence[tuple[int, Rung]], measured: Sequence[Measured], tracks: Sequence[Track]
    ) -> dict[str, Any]:
        """What the result says of the stream."""
        spec = self.context.spec
        pictures = [each for each in measured if each.track.kind == "video"]
        return {
            "segmentSeconds": round(self.steady.segment_seconds(spec.segment_seconds), 3),
            "durationSeconds": round(pictures[0].seconds, 3),
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


def _rest_of(report: Report) -> Report:
    """What follows the trials."""

    def rest(fraction: float | None, speed: float | None) -> None:
        report(None if fraction is None else _TRIAL_SHARE + (1 - _TRIAL_SHARE) * fraction, speed)

    return rest


def _told_apart(kind: Any, streams: Sequence[Audio | Subtitle], folder: Path, suffix: str) -> list[Track]:
    languages = [language_of(stream.language) for stream in streams]
    folders = distinct([f"{kind}-{language or 'und'}" for language in languages])
    titles = distinct(
        [
            title_of(stream.title, language, number)
            for number, (stream, language) in enumerate(zip(streams, languages, strict=True), start=1)
        ]
    )
    return [
        Track(kind, name, folder / f"{kind}-{number}{suffix}", language, title)
        for number, (name, language, title) in enumerate(zip(folders, languages, titles, strict=True))
    ]


def _wanted_seconds(spec: VideoSpec, seconds: float | None) -> float | None:
    if seconds is None:
        return None if spec.end is None else spec.end - (spec.start or 0.0)
    return max(0.0, min(seconds, spec.end or seconds) - (spec.start or 0.0))
