"""Short trials of a video: what sizes and qualities cost, and how they look beside the source."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean
from typing import Any

import ffmpeg

from processors.ffmpeg.program import FFMPEG, commanded, followed, run_ffmpeg
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Report, Source
from processors.specs import VideoSpec
from processors.video.codecs import CRF, lossless, with_specifier
from processors.video.encoding import input_options
from processors.video.ladder import Rung
from processors.video.per_title import Trial, decibels
from processors.video.renditions import Renditions, rung_options, steady_picture
from processors.video.target import samples
from processors.worker.context import Context

_CRF_STEPS = (0, 9)  # above the tier's: 6 about halve the rate of x264, and between them it falls evenly
_UNLIMITED = 500_000_000  # bits per second, of trials: what they cost is the question
_SIMILARITY = re.compile(r"All:([\d.]+)")


def tried(
    context: Context[VideoSpec], source: Source, video: Video, made: Renditions, seconds: float | None, folder: str,
    report: Report,
) -> list[Trial]:  # fmt: skip
    """Encode samples at the sizes of all rungs, and measure them.

    Args:
        made: its rungs have the sizes that are tried, the best first.
        seconds: of the part of the video that is wanted.
        folder: below the out directory, for what is made on the way.
    """
    reference = f"{folder}/reference.mkv"
    spec = context.spec
    run_ffmpeg(context, _samples(spec, source, video, made, seconds, reference), source.name)
    report(0.2, None)
    sizes = list(dict.fromkeys((rung.width, rung.height) for rung in made.rungs))
    length = _frames(context, reference) / float(made.timing.framerate)
    found: list[Trial] = []
    for number, size in enumerate(sizes):
        qualities = [CRF[spec.video_codec][spec.quality] + step for step in _CRF_STEPS]
        names = [f"{folder}/trial-{each:g}.mkv" for each in qualities]
        run_ffmpeg(context, _encoded(spec, video, made, size, qualities, reference, names), source.name)
        for crf, name in zip(qualities, names, strict=True):
            rate = 8 * (context.out / name).stat().st_size / length
            quality = decibels(_similarity(context, name, reference, made.rungs[0], folder))
            context.log(
                f"A trial of {size[0]}x{size[1]} with CRF {crf:g}: {rate / 1000:.0f} kb/s, {quality:.2f} dB SSIM"
            )
            found.append(Trial(*size, crf, rate, quality))
            (context.out / name).unlink()
        report(0.2 + 0.8 * (number + 1) / len(sizes), None)
    (context.out / reference).unlink()
    return found


def _samples(
    spec: VideoSpec, source: Source, video: Video, made: Renditions, seconds: float | None, name: str
) -> Sequence[str]:
    """Keep samples without loss, at the size of the best rung and with its colours."""
    parts = []
    for part in samples(seconds):
        own = replace(made.wanted, part=made.wanted.part.within(part.start, part.end))
        media = ffmpeg.input(str(source.path), **input_options(own))
        node = steady_picture(spec, video, media, replace(made, wanted=own))
        parts.append(node.filter("scale", made.rungs[0].width, made.rungs[0].height))
    whole = ffmpeg.concat(*parts, v=1, a=0) if len(parts) > 1 else parts[0]
    kept = lossless(made.wanted.threads, is_ten_bit=spec.hdr == "keep" and video.is_hdr)
    return _command([ffmpeg.output(whole, name, **with_specifier(kept, "v"))], made.wanted.threads)


def _encoded(
    spec: VideoSpec, video: Video, made: Renditions, size: tuple[int, int], qualities: Sequence[float], reference: str,
    names: Sequence[str],
) -> Sequence[str]:  # fmt: skip
    copies = ffmpeg.input(reference).filter("scale", *size).filter_multi_output("split", len(names))
    free = spec.model_copy(update={"bitrate": None})
    outputs = []
    for number, (crf, name) in enumerate(zip(qualities, names, strict=True)):
        rung = Rung(*size, float(made.timing.framerate), _UNLIMITED, crf=crf)
        options = rung_options(free, video, rung, made.timing, made.wanted.threads)
        outputs.append(ffmpeg.output(copies[number], name, **options))
    return _command(outputs, made.wanted.threads)


def _similarity(context: Context[Any], made: str, reference: str, best: Rung, folder: str) -> float:
    """Compare a trial with the samples, at the size of the best rung: from 0 to 1."""
    said = f"{folder}/ssim.log"
    steady = "settb=1/25,setpts=N"  # frame by frame, whatever the rounding of their times
    graph = (
        f"[0:v]scale={best.width}:{best.height}:flags=bicubic,{steady}[made];[1:v]{steady}[reference];"
        f"[made][reference]ssim=stats_file={said}"
    )
    run_ffmpeg(context, [*FFMPEG, "-i", made, "-i", reference, "-lavfi", graph, "-f", "null", "-"], made)
    return fmean(float(value) for value in _SIMILARITY.findall((context.out / said).read_text()))


def _frames(context: Context[Any], reference: str) -> int:
    """Count the frames of the samples: the end of a video may be nearer than it says."""
    argv = [*FFMPEG, "-i", reference, "-c", "copy", "-f", "null", "-"]
    return max(1, followed(context, argv, reference).frames)


def _command(outputs: Sequence[Any], threads: int) -> tuple[str, ...]:
    made = outputs[0] if len(outputs) == 1 else ffmpeg.merge_outputs(*outputs)
    return tuple(made.compile(cmd=commanded(threads), overwrite_output=True))
