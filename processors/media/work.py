"""From a spec to what is made of it: each piece is prepared, encoded, measured, and looked at before it is reported."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.cut_off import is_cut_off
from processors.ffmpeg.loudness import Setting
from processors.ffmpeg.probe import probe
from processors.ffmpeg.report import described, summary
from processors.ffmpeg.streams import Audio
from processors.ffmpeg.tasks import Made, Report, Source, Task, carry_out
from processors.ffmpeg.verify import CUT_OFF, LEAST_MISSING_SECONDS, is_short
from processors.media import chapters, cover, spectrogram, waveform
from processors.media.analysis import Wish, analyse
from processors.media.chaptering import own_chapters
from processors.media.deliverable import checked, sound_rate
from processors.media.denoise import clean
from processors.media.encoding import Labels, Order, encode
from processors.media.levels import Levels
from processors.media.piece import Piece, bitrate_of, sound_of
from processors.media.promised import refuse_cut_off
from processors.media.streams import streamed
from processors.media.tags import merged
from processors.media.wanted import Encode, left_out, other_rates, presets_of, settle
from processors.names import MAX_SEGMENT_BYTES, problem_with
from processors.protocol import InputFile, OutputFile, Result
from processors.specs import MediaSpec
from processors.specs.media import Chapter
from processors.streaming.making import published
from processors.streaming.packager import packager
from processors.worker.context import Context, Rejected

_SCRATCH = ".work"
_EXACT_FORMATS = {"wav", "flac", "w64"}  # tell their length, beside those that the probe knows
_OF_ONE = {"title", "track"}  # tags that are of one file, and not of an album

# Seconds of work for a second of sound, on one core; only their ratio counts, for the progress.
_CLEAN_COST, _ANALYSE_COST, _ENCODE_COST, _METER_COST, _CHECK_COST = 0.045, 0.004, 0.003, 0.006, 0.0002
_PACKAGE_COST, _DRAW_COST = 0.0015, 0.001
_LONGEST_PREFIX_BYTES = MAX_SEGMENT_BYTES - 60  # leaves room for a preset's name and a suffix
_LONG_SECONDS = 3600.0  # where the length is not known


def result(context: Context[MediaSpec]) -> Result:
    """Do the work, and say what came of it."""
    (context.out / _SCRATCH).mkdir(exist_ok=True)
    try:
        return _Work(context).result()
    finally:
        shutil.rmtree(context.out / _SCRATCH, ignore_errors=True)


class _Work:
    """One attempt."""

    def __init__(self, context: Context[MediaSpec]) -> None:
        self._context, self._spec = context, context.spec
        context.progress("probe", 0.0)
        if any(preset.format in ("hls", "dash") for preset in presets_of(context.spec).values()):
            packager()  # where it is missing, that is known before the work
        self._given_chapters = self._read_chapters()  # what is wrong with them is known before the work, too
        files = [(context.input_path("input_media"), context.input_name("input_media"))]
        files += [(context.inputs / file.path, file.name) for file in self._attached()]
        prefixes = _prefixes([name for _, name in files])
        self._pieces = [
            self._piece(self._source(path, name), prefix, number)
            for number, ((path, name), prefix) in enumerate(zip(files, prefixes, strict=True))
        ]
        is_album = self._spec.loudness is not None and self._spec.loudness.album
        self._wants_level = any(made.target is not None for piece in self._pieces for made in piece.files)
        self._levels = Levels(context, self._pieces, is_album=is_album)

    def result(self) -> Result:
        """Go through all stages, for all pieces."""
        spec, tasks = self._spec, list[Task]()
        lengths = [piece.sound.length or _LONG_SECONDS for piece in self._pieces]
        for piece, length in zip(self._pieces, lengths, strict=True):
            if spec.denoise is not None:
                cost = length * _CLEAN_COST * (piece.audio.channels if spec.denoise.method == "rnnoise" else 0.2)
                tasks.append(Task("denoise", cost, partial(self._clean, piece)))
        for piece, length in zip(self._pieces, lengths, strict=True):
            wish = self._wish(piece)
            if not wish.is_empty:
                cost = length * _ANALYSE_COST * max(1, len(wish.mixes))
                tasks.append(Task("analyse", cost, partial(self._analyse, piece, wish)))
        for piece, length in zip(self._pieces, lengths, strict=True):
            tasks.append(Task("encode", length * _ENCODE_COST * len(piece.files), partial(self._encode, piece)))
        if self._wants_level:
            cost = sum(length * _METER_COST for length in lengths) * len(self._pieces[0].files)
            tasks.append(Task("loudness", cost, self._correct))
        for piece, length in zip(self._pieces, lengths, strict=True):
            tasks.append(Task("verify", length * _CHECK_COST, partial(self._publish, piece)))
            if piece.wanted.rungs:
                cost = length * _PACKAGE_COST * len(piece.wanted.rungs)
                tasks.append(Task("package", cost, partial(self._stream, piece)))
            tasks.append(Task("verify", 0.0, partial(self._beside, piece)))  # the first output is the main one
            if spec.spectrogram:
                tasks.append(Task("spectrogram", length * _DRAW_COST, partial(self._draw, piece)))
        known = [piece.sound.length for piece in self._pieces if piece.sound.length is not None]
        whole = sum(known) if len(known) == len(self._pieces) else None
        return carry_out(self._context, tasks, self._details(), length=whole)

    # --- what there is

    def _source(self, path: Path, name: str) -> Source:
        found = probe(path, name)
        if found.format in ("wav", "mp3"):
            refuse_cut_off(path, name)
        return Source(path, name, found)

    def _attached(self) -> list[InputFile]:
        return [file for file in self._context.request.inputs if file.field == self._spec.attached_field]

    def _piece(self, source: Source, prefix: str, number: int) -> Piece:
        audio, sound = sound_of(source, self._spec)
        wanted = settle(self._spec, audio, source_bitrate=bitrate_of(source.probe, audio), prefix=prefix)
        labels = self._labels(source, audio, is_main=number == 0)
        return Piece(source, audio, sound, wanted, labels, _SCRATCH, sound.cut, prefix, number)

    def _labels(self, source: Source, audio: Audio, *, is_main: bool) -> Labels:
        spec, context = self._spec, self._context
        said = {key: value for key, value in (spec.tags or {}).items() if is_main or key.lower() not in _OF_ONE}
        picture = (
            cover.of_file(source.path, source.name, source.probe)
            if spec.cover_url is None
            else cover.read(context.input_path("cover_url"), context.input_name("cover_url"))
        )
        labels = merged([audio.tags, source.probe.tags], said)
        if audio.language is not None and not any(key.lower() == "language" for key in said):
            labels["language"] = audio.language
        return Labels(labels, (), picture)

    def _read_chapters(self) -> list[Chapter] | None:
        spec, context = self._spec, self._context
        if spec.chapters_url is not None:
            return chapters.from_file(context.input_path("chapters_url"), context.input_name("chapters_url"))
        return None if spec.chapters is None else list(spec.chapters)

    def _chapters(self, piece: Piece) -> list[Chapter]:
        if piece.number == 0 and self._given_chapters is not None:
            return self._given_chapters
        return own_chapters(self._context, piece.source)

    def _wish(self, piece: Piece) -> Wish:
        mixes = sorted({made.channels for made in piece.files if made.target is not None})
        return Wish(mixes, self._spec.trim_silence, self._spec.generate_thumbnails)

    def _details(self) -> dict[str, Any]:
        main = self._pieces[0]
        found = summary(main.source.probe)
        if main.sound.seconds is not None:
            found["durationSeconds"] = round(main.sound.seconds, 6)
        details: dict[str, Any] = {"input": found}
        if len(self._pieces) > 1:
            details["album"] = [{"name": piece.source.name} | summary(piece.source.probe) for piece in self._pieces[1:]]
        if notes := [*left_out(self._spec), *other_rates(self._spec, main.wanted)]:
            details["notes"] = notes
        return details

    # --- the stages

    def _clean(self, piece: Piece, report: Report) -> Made:
        assert self._spec.denoise is not None
        target = f"{_SCRATCH}/{piece.number}.wv"
        cleaned = clean(self._context, piece.sound, self._spec.denoise, target, piece.source.name, report)
        self._refuse_truncated(piece, cleaned.seconds or 0.0)  # by its source: a cut-off file is clean to its end
        piece.sound = cleaned
        return Made()

    def _analyse(self, piece: Piece, wish: Wish, report: Report) -> Made:
        found = analyse(self._context, piece.sound, wish, _SCRATCH, piece.source.name, report)
        self._refuse_truncated(piece, found.seconds)
        piece.analysis = found
        sounding = found.sounding
        if self._spec.trim_silence:
            piece.sound = replace(piece.sound, cut=piece.sound.cut.within(sounding.start, sounding.end))
            piece.cut = piece.cut.within(sounding.start, sounding.end)
        return Made()

    def _encode(self, piece: Piece, report: Report) -> Made:
        if self._wants_level and not piece.settings:
            self._levels.foresee()
        # Of the source, as chapters are; what is encoded may be a cleaned part of it, which begins at 0.
        end = piece.cut.end if piece.sound.length is None else piece.cut.start + piece.sound.length
        parts = chapters.settled(self._chapters(piece), Cut(piece.cut.start, end))
        piece.labels = replace(piece.labels, parts=parts)
        orders = [Order(made, piece.settings.get(made.name, Setting())) for made in piece.files]
        seconds = encode(self._context, piece.sound, orders, piece.labels, _SCRATCH, piece.source.name, report)
        if piece.analysis is None and self._spec.denoise is None:
            self._refuse_truncated(piece, seconds)
        if seconds <= 0:
            raise Rejected("nothing_left", f"Nothing can be heard of {piece.source.name}: it has no sound in it.")
        piece.seconds = piece.sound.length if piece.sound.length is not None else seconds
        return Made()

    def _refuse_truncated(self, piece: Piece, seconds: float) -> None:
        """Blame the input, where its header can be trusted to know its length."""
        expected, source = piece.sound.length, piece.source.probe
        if expected is None or expected - seconds <= LEAST_MISSING_SECONDS:
            return
        message = f"{piece.source.name} ends after {seconds:.1f} s, but should be {expected:.1f} s long."
        counts_samples = source.format in _EXACT_FORMATS
        if counts_samples or (source.is_duration_exact and is_cut_off(piece.source.path)):
            raise Rejected("truncated", message, CUT_OFF)
        if not is_short(seconds, expected):
            return
        if source.is_duration_exact:
            raise Rejected("truncated", message, CUT_OFF)
        self._context.log(message)
        piece.sound = replace(piece.sound, seconds=piece.sound.cut.start + seconds)

    def _correct(self, report: Report) -> Made:
        self._levels.correct(report)
        return Made()

    # --- what is published

    def _publish(self, piece: Piece, report: Report) -> Made:
        return Made([self._published(piece, made) for made in piece.wanted.encodes])

    def _published(self, piece: Piece, made: Encode) -> OutputFile:
        found = checked(self._context, made, piece.seconds)
        details = described(found) | {"preset": made.preset, "copied": made.is_copy}
        if (rate := sound_rate(self._context, made, found)) is not None:
            details["bitrate"] = rate
        if piece.seconds is not None:
            details["durationSeconds"] = round(
                piece.seconds, 6
            )  # as it is heard: containers count an encoder's padding
        details |= self._levels.details(piece, made)
        if piece.analysis is not None and piece.analysis.is_silent:
            details["note"] = "The sound is silent from beginning to end; nothing was trimmed."
        return self._context.output(made.name, media_type=made.media_type, role="audio", details=details)

    def _stream(self, piece: Piece, report: Report) -> Made:
        report(0.0, None)
        for rung in piece.wanted.rungs:
            checked(self._context, rung, piece.seconds)
        tracks = streamed(self._context, piece, self._spec.segment_seconds)
        sounds = [
            {"path": each.folder, "bitrate": rung.bitrate, "sampleRate": rung.sample_rate, "channels": rung.channels}
            | dict(self._levels.details(piece, rung))
            for each, rung in zip(tracks, piece.wanted.rungs, strict=True)
        ]
        about = {"segmentSeconds": self._spec.segment_seconds, "audio": sounds}
        return Made(list(published(self._context, tracks)), {"stream": about})

    def _beside(self, piece: Piece, report: Report) -> Made:
        """Chapters and waveform."""
        context, outputs, prefix = self._context, list[OutputFile](), piece.prefix
        if piece.labels.parts:
            name = f"{prefix}chapters.json"
            (context.out / name).write_bytes(chapters.document(piece.labels.parts))
            details = {"chapters": len(piece.labels.parts)}
            outputs.append(context.output(name, media_type="application/json", role="chapters", details=details))
        if piece.analysis is not None and piece.analysis.waveform is not None:
            cut = piece.analysis.sounding
            wave = piece.analysis.waveform.between(cut.start, cut.end)
            (context.out / f"{prefix}waveform.json").write_bytes(waveform.document(wave))
            (context.out / f"{prefix}waveform.png").write_bytes(waveform.picture(wave))
            for name, kind in (("waveform.json", "application/json"), ("waveform.png", "image/png")):
                outputs.append(context.output(f"{prefix}{name}", media_type=kind, role="waveform"))
        return Made(outputs)

    def _draw(self, piece: Piece, report: Report) -> Made:
        report(0.0, None)
        name = f"{piece.prefix}spectrogram.png"
        spectrogram.draw(self._context, piece.sound, name, piece.source.name, seconds=piece.seconds or 0.0)
        return Made([self._context.output(name, media_type="image/png", role="spectrogram")])


def _prefixes(names: Sequence[str]) -> list[str]:
    """What the outputs of each file begin with: nothing of one alone; of an album's the name of the file.

    Its suffix belongs to it where two differ in that only. A name that no file may have (a URL has any) is a number.
    """
    if len(names) == 1:
        return [""]
    stems = [PurePosixPath(name).stem for name in names]
    chosen = [name if stems.count(stem) > 1 else stem for name, stem in zip(names, stems, strict=True)]
    return [
        f"{each}-" if _is_name(each) and chosen.count(each) == 1 else f"track-{number}-"
        for number, each in enumerate(chosen, start=1)
    ]


def _is_name(text: str) -> bool:
    return problem_with(text) is None and len(PurePosixPath(text).name.encode()) <= _LONGEST_PREFIX_BYTES
