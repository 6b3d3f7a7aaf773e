"""What has to be found out, and made, before the main run of ffmpeg can be planned."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import ffmpeg

from processors.ffmpeg.cut import Cut, settled
from processors.ffmpeg.probe import probe
from processors.ffmpeg.program import TALKING, heard, run_ffmpeg
from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Made, Report, Source, Task
from processors.specs import VideoSpec
from processors.video import levels, subtitles, target, watermark
from processors.video.cues import clipped, cues
from processors.video.encoding import Text, TextFile, Wanted
from processors.video.framing import may_hide_fields
from processors.video.quality import fit
from processors.video.sounds import sounds
from processors.worker.context import Context, HandlerError, Rejected
from processors.worker.threads import granted_threads, shared_threads

_PICTURE_ALONE = ("gif", "webp")  # have no tracks of sounds and texts: those of the input matter only where burnt in
_IDET_SECONDS = 4.0
_LITTLE_PIXELS = 5e8  # of all frames: x264 takes some ten seconds of a processor for them, and SVT-AV1 a minute
_SOUND_COST = 0.08  # of measuring a sound, per second of it: as a share of a second of encoding
_SEARCH_COST = 12.0  # of a search: as much as so many seconds of encoding
_TEXT_FORMATS = frozenset({"srt", "ass", "webvtt"})
_MOST_TEXT_BYTES = 32 * 1024 * 1024


@dataclass
class Preparation:
    """Grows while the tasks before the main one are done."""

    wanted: Wanted
    notes: list[str] = field(default_factory=list)  #: sentences for the user
    answer: target.Answer | None = None
    extracted: list[Text] = field(default_factory=list)  #: WebVTT files that are results


def prepared(
    context: Context[VideoSpec], source: Source, video: Video | None, *, resolution: str | None = None
) -> Preparation:
    """Say what is wanted of this file, as far as the spec and the probe tell.

    Args:
        resolution: the box that the picture is fitted into, where it is not the spec's own.

    Raises:
        Rejected: the file does not have it.
    """
    spec = context.spec
    captions, mark = subtitles.Captions(), None
    has_tracks = spec.output_format not in _PICTURE_ALONE
    if video is not None:
        if has_tracks or spec.subtitles == "burn":
            captions = subtitles.captions(spec, source.probe, source.name)
        mark = watermark.made(context, video, *fit(video.width, video.height, resolution or spec.resolution))
    wanted = Wanted(
        part=_part(spec, source),
        sounds=sounds(spec, source.probe, source.name) if has_tracks else [],
        captions=captions,
        text_file=_text_file(context) if spec.subtitle_url is not None and spec.subtitles != "none" else None,
        threads=_threads(context, source, video),
        mark=mark,
    )
    guessed = []
    if wanted.text_file is not None and (charset := wanted.text_file.charset) is not None:
        name = context.input_name("subtitle_url")
        guessed = [f"{name} is not UTF-8, and was read as {charset}: save it as UTF-8 where letters are wrong."]
    notes = [*captions.notes, *guessed, *_left_out(source, video), *(mark.notes if mark else [])]
    if video is not None and spec.hdr == "keep" and video.mastering and spec.video_codec == "vp9":
        notes.append("The mastering display was left out: VP9 has no place for it.")
    return Preparation(wanted, notes)


def _threads(context: Context[VideoSpec], source: Source, video: Video | None) -> int:
    """Give little work the processors that others leave: it is done before they are."""
    seconds = _part(context.spec, source).seconds(source.probe.video_seconds)
    if video is None or seconds is None or seconds * video.framerate * video.width * video.height > _LITTLE_PIXELS:
        return granted_threads()
    return shared_threads(context.beside)


def _part(spec: VideoSpec, source: Source) -> Cut:
    seconds = source.probe.duration_seconds if source.probe.is_duration_exact else None
    return settled(spec.start, spec.end, seconds, source.name)


def tasks(context: Context[VideoSpec], source: Source, video: Video, state: Preparation) -> list[Task]:
    """What changes `state.wanted` before the main task reads it."""
    spec, seconds = context.spec, state.wanted.part.seconds(source.probe.video_seconds)  # sounds may go on after it
    found: list[Task] = []
    if may_hide_fields(spec, video):
        found.append(Task("look", _IDET_SECONDS / 4, lambda report: _look(context, source, video, state, report)))
    found += levelling(context, source, state)
    if _is_text_cut(state.wanted):
        found.append(Task("subtitles", 0.1, lambda report: _cut_texts(context, source, state, report)))
    if state.wanted.captions.has_burnt_text:
        found.append(Task("subtitles", 0.1, lambda report: _draw(context, source, state, report)))
    if spec.target_quality is not None:

        def search(report: Report) -> Made:
            state.answer = target.search(context, source, video, state.wanted, seconds, report)
            state.wanted = replace(state.wanted, crf=state.answer.crf)
            if not state.answer.is_reached:
                text = f"VMAF {spec.target_quality:g} cannot be reached: the best is {state.answer.vmaf:g}."
                state.notes.append(text)
            return Made()

        found.append(Task("search", _SEARCH_COST, search))
    return found


def levelling(context: Context[VideoSpec], source: Source, state: Preparation) -> list[Task]:
    """Find what brings each sound to the loudness that is asked for; where there are none, there is nothing to do."""
    wanted, goal = state.wanted, context.spec.loudness
    if goal is None or not wanted.sounds:
        return []
    seconds = wanted.part.seconds(source.probe.duration_seconds)

    def run(report: Report) -> Made:
        filters: dict[int, str] = {}
        for number, audio in enumerate(wanted.sounds):

            def share(fraction: float | None, speed: float | None, number: int = number) -> None:
                report((number + (fraction or 0.0)) / len(wanted.sounds), speed)

            level = levels.found(context, source, audio, wanted.part, goal, share)
            if level.filters:
                filters[audio.index] = level.filters
            if level.note:
                state.notes.append(level.note)
        state.wanted = replace(state.wanted, levels=filters)
        return Made()

    return [Task("measure", max(0.1, _SOUND_COST * (seconds or 0.0) * len(wanted.sounds)), run)]


def _look(context: Context[VideoSpec], source: Source, video: Video, state: Preparation, report: Report) -> Made:
    """See whether the frames of a few seconds from the middle are made of two fields each."""
    whole = state.wanted.part.seconds(source.probe.duration_seconds) or 0.0
    start = max(0.0, (whole - _IDET_SECONDS) / 2)
    part = state.wanted.part.within(start, start + _IDET_SECONDS)
    media = ffmpeg.input(str(source.path), **part.options, **SAFE_INPUT, **SAFE_DECODER)
    step = ffmpeg.output(media[str(video.index)], "-", vf="idet", f="null")
    said = heard(context, step.compile(cmd=list(TALKING)), source.name, report, seconds=_IDET_SECONDS)
    counts = re.findall(r"Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)", said)
    if counts:
        top, bottom, whole_frames = map(int, counts[-1])
        if top + bottom > whole_frames:
            state.wanted = replace(state.wanted, has_fields=True)
            state.notes.append("The picture is interlaced, though the file does not say so; it was deinterlaced.")
    return Made()


def _draw(context: Context[VideoSpec], source: Source, state: Preparation, report: Report) -> Made:
    """Write the text that is burnt in into a file of ours: the filter that draws it would open anything."""
    captions, text = state.wanted.captions, state.wanted.text_file
    if captions.is_file_burnt and text is not None:
        name = context.input_name("subtitle_url")
        given = Source(text.path, name, source.probe)
        is_styled = text.is_styled
        argv = subtitles.convert(given, "s:0", subtitles.BURNT, "ass", charset=text.charset)
    else:
        assert captions.burnt is not None
        name = source.name
        is_styled = captions.burnt.codec in subtitles.STYLED
        argv = subtitles.convert(source, str(captions.burnt.index), subtitles.BURNT, "ass")
    run_ffmpeg(context, argv, name, report, seconds=None)
    if not is_styled:
        script = context.out / subtitles.BURNT
        script.write_text(subtitles.turned_as_written(script.read_text("utf-8", errors="replace")), "utf-8")
    return Made()


def _is_text_cut(wanted: Wanted) -> bool:
    captions = wanted.captions
    if captions.extracted or captions.is_file_extracted:
        return True
    return bool(captions.tracks and wanted.part != Cut())


def _cut_texts(context: Context[VideoSpec], source: Source, state: Preparation, report: Report) -> Made:
    """Make WebVTT files of texts, with what is shown in the part that is wanted."""
    captions, texts = state.wanted.captions, []
    tracks = [*captions.kept, *captions.extracted]
    given = state.wanted.text_file if captions.is_file_kept or captions.is_file_extracted else None
    for number in range(1, len(tracks) + (given is not None) + 1):
        name = f"subtitles-{number:03}.vtt"
        if number <= len(tracks):
            track = tracks[number - 1]
            argv, of = subtitles.convert(source, str(track.index), name, "webvtt"), source.name
            text = Text(name, track.language, track.title, is_default=track.is_default)
        else:
            assert given is not None
            of = context.input_name("subtitle_url")
            beside = Source(given.path, of, source.probe)
            argv, text = subtitles.convert(beside, "s:0", name, "webvtt", charset=given.charset), Text(name)
        run_ffmpeg(context, argv, of, report, seconds=None)
        path = context.out / name
        path.write_text(clipped(path.read_text("utf-8", errors="replace"), state.wanted.part), "utf-8")
        texts.append(text)
    if captions.tracks:
        # A track without a text would be none: MP4 has no empty ones.
        filled = [each for each in texts if any(cues((context.out / each.name).read_text("utf-8")))]
        if len(filled) < len(texts):
            state.notes.append(f"{len(texts) - len(filled)} subtitle tracks have no text in this part.")
        state.wanted = replace(state.wanted, texts=filled)
    else:
        state.extracted = texts
    return Made()


def _text_file(context: Context[VideoSpec]) -> TextFile:
    path, name = context.input_path("subtitle_url"), context.input_name("subtitle_url")
    hint = "SRT, ASS and WebVTT can be read."
    if path.stat().st_size > _MOST_TEXT_BYTES:
        raise Rejected("not_subtitles", f"{name} is too large for a file of subtitles.", hint)
    try:
        found = probe(path, name)
    except HandlerError as error:
        raise Rejected("not_subtitles", f"{name} is no file of subtitles.", hint) from error
    track = next(iter(found.subtitles), None)
    if track is None or found.format not in _TEXT_FORMATS:  # a container would be read as text in some old encoding
        raise Rejected("not_subtitles", f"{name} is no file of subtitles.", hint)
    return TextFile(path, subtitles.charset(Path(path).read_bytes()), is_styled=track.codec in subtitles.STYLED)


def _left_out(source: Source, video: Video | None) -> list[str]:
    notes = []
    if video is not None and len(source.probe.videos) > 1:
        number = list(source.probe.videos).index(video) + 1
        notes.append(f"Of {len(source.probe.videos)} moving pictures the one with number {number} was taken.")
    if video is not None and any(each.kind == "cover" for each in source.probe.others):
        notes.append("The cover was left out.")
    return notes
