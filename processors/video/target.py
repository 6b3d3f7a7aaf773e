"""The constant quality that gives a VMAF, found by encoding short samples of the very video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from processors.ffmpeg import vmaf
from processors.ffmpeg.cut import Cut
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.streams import Video
from processors.ffmpeg.tasks import Report, Source
from processors.specs import VideoSpec
from processors.video.codecs import CRF, CRF_RANGE, lossless
from processors.video.encoding import Wanted, picture_options, sample
from processors.worker.context import Context

SAMPLES = 4
SAMPLE_SECONDS = 2.0
_WHOLE_SECONDS = SAMPLES * SAMPLE_SECONDS * 1.5  # what is shorter is one sample
_GOOD = 0.5  # VMAF above the target that is near enough; nobody sees it
_USUAL_SLOPE = -0.8  # VMAF per step of CRF between 85 and 95, of our clips; only the second trial needs it
_LEAST_SLOPE = -0.1  # near 100 the score hardly changes any more
_OVERSHOOT = 1.3  # of a step along a line: so that one of the next trials lies on the other side
_MOST_TRIALS = 7


@dataclass(frozen=True, slots=True)
class Answer:
    """What the search has found."""

    crf: int
    vmaf: float  #: mean of the samples
    trials: int
    is_reached: bool  #: else it is the best that the codec gives


def samples(seconds: float | None) -> list[Cut]:
    """Spread samples over a video: at the middles of parts of the same length.

    Args:
        seconds: of the whole; None where it is not known, and then its beginning has to do.
    """
    if seconds is None:
        return [Cut(0.0, SAMPLES * SAMPLE_SECONDS)]
    if seconds <= _WHOLE_SECONDS:
        return [Cut(0.0, seconds)]
    step = seconds / SAMPLES
    starts = [round(step * (number + 0.5) - SAMPLE_SECONDS / 2, 3) for number in range(SAMPLES)]
    return [Cut(start, start + SAMPLE_SECONDS) for start in starts]


def next_trial(tried: Mapping[int, float], target: float, first: int, bounds: tuple[int, int]) -> int | None:
    """Say which CRF to try next; None when the best of those tried is the answer.

    The score falls as the CRF rises. The next one lies on the line through the nearest trials on both sides of the
    target, and always between them: so there is an end, after a few trials as a rule.

    Args:
        tried: scores by CRF.
        bounds: the least CRF and the most.
    """
    least, most = bounds
    if not tried:
        return min(most, max(least, first))
    good = max((crf for crf, score in tried.items() if score >= target), default=None)
    bad = min((crf for crf, score in tried.items() if score < target and crf > (good or 0)), default=None)
    if good is not None and (tried[good] - target <= _GOOD or good == most):
        return None
    if (good is None and least in tried) or (good is not None and len(tried) >= _MOST_TRIALS):
        return None
    low = least - 1 if good is None else good
    high = most + 1 if bad is None else bad
    if high - low <= 1:
        return None
    if good is not None and bad is not None:
        share = (tried[good] - target) / max(0.01, tried[good] - tried[bad])
        guess = good + share * (bad - good)
    else:
        known = good if good is not None else bad
        assert known is not None
        guess = known + (target - tried[known]) / _slope(tried) * (1 if len(tried) == 1 else _OVERSHOOT)
    return min(high - 1, max(low + 1, int(guess)))


def _slope(tried: Mapping[int, float]) -> float:
    """How the score changes with the CRF, by the last two trials."""
    if len(tried) == 1:
        return _USUAL_SLOPE
    one, other = list(tried)[-2:]
    return min(_LEAST_SLOPE, (tried[one] - tried[other]) / (one - other))


def search(
    context: Context[VideoSpec], source: Source, video: Video, wanted: Wanted, seconds: float | None, report: Report
) -> Answer:
    """Encode samples until their VMAF is as asked.

    Args:
        seconds: of the part that is wanted.
    """
    spec = context.spec
    assert spec.target_quality is not None
    vmaf.require()
    references = _references(context, source, video, wanted, seconds)
    report(0.2, None)
    tried: dict[int, float] = {}
    first, bounds = CRF[spec.video_codec]["medium"], CRF_RANGE[spec.video_codec]
    while (crf := next_trial(tried, spec.target_quality, first, bounds)) is not None:
        tried[crf] = _trial(context, video, replace(wanted, crf=crf), references)
        context.log(f"VMAF {tried[crf]:.2f} with CRF {crf}")
        report(1 - 0.8 * 0.6 ** len(tried), None)
    for reference in references:
        (context.out / reference).unlink()
    reached = [crf for crf, score in tried.items() if score >= spec.target_quality]
    chosen = max(reached, default=min(tried))
    return Answer(chosen, round(tried[chosen], 2), len(tried), bool(reached))


def _references(
    context: Context[VideoSpec], source: Source, video: Video, wanted: Wanted, seconds: float | None
) -> list[str]:
    """Make the samples as the encoder will be given them: at their size, with their colours."""
    names = []
    for number, part in enumerate(samples(seconds)):
        name = f"sample-{number}.mkv"
        own = replace(wanted, part=wanted.part.within(part.start, part.end))
        kept = lossless(wanted.threads, is_ten_bit=context.spec.hdr == "keep" and video.is_hdr)
        run_ffmpeg(context, sample(context.spec, source, video, own, kept, name), source.name)
        names.append(name)
    return names


def _trial(context: Context[VideoSpec], video: Video, wanted: Wanted, references: list[str]) -> float:
    scores = []
    for reference in references:
        argv = [*FFMPEG, "-y", "-i", reference]
        for key, value in picture_options(context.spec, video, wanted).items():
            argv += [f"-{key}:v", str(value)]
        run_ffmpeg(context, [*argv, "-fps_mode", "passthrough", "trial.mkv"], reference)
        scores.append(vmaf.score(context, "trial.mkv", reference, threads=wanted.threads))
    (context.out / "trial.mkv").unlink()
    return sum(scores) / len(scores)
