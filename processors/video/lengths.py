"""Whether a result has all of its source: each picture and each sound to its end, or else whose fault that is."""

from __future__ import annotations

from processors.ffmpeg.cut import Cut
from processors.ffmpeg.cut_off import is_cut_off
from processors.ffmpeg.streams import Audio, Probe, Stream
from processors.ffmpeg.tasks import Source
from processors.ffmpeg.verify import CUT_OFF, LEAST_MISSING_SECONDS, is_lost, is_short, last_moment
from processors.specs import VideoSpec
from processors.worker.context import Context, Rejected

_END_SECONDS = 0.5  # what rounding may move the last picture by


def blame_the_input(
    context: Context[VideoSpec],
    source: Source,
    made_seconds: float,
    expected_seconds: float | None,
    stream: Stream | None = None,
) -> None:
    """Say that the input is too short, or that its end cannot be decoded.

    Not everything that gives less than its header says is cut off: the last picture of a recording may stand for long.
    What has lost its end by its own sizes is, however little that is.

    Args:
        expected_seconds: None where that is not known, and nothing can be said.
        stream: the picture or sound that has given so little; None where the seconds are those of a whole run, which
            are no more than a hint: some versions of FFmpeg tell them of the shortest stream.

    Raises:
        Rejected: the header can be trusted to know the length, and there is no more; or there is more, and it is
            damaged.
    """
    if expected_seconds is None:
        return
    message = f"{source.name} ends after {made_seconds:.1f} s, but should be {expected_seconds:.1f} s long."
    if stream and expected_seconds - made_seconds > LEAST_MISSING_SECONDS and _is_cut_off(source):
        raise Rejected("truncated", message, CUT_OFF)
    if not is_short(made_seconds, expected_seconds):
        return
    start = context.spec.start or 0.0
    if not is_short(last_moment(source.path, source.name) - start, expected_seconds):
        end, rest = start + made_seconds, start + made_seconds + _END_SECONDS
        if stream and is_lost(source.path, source.name, stream.index, rest, start + expected_seconds):
            message = f"{source.name} is damaged: nothing{_of(source, stream)} from {end:.1f} s on can be decoded."
            raise Rejected("damaged", message, f"Copy or download it again, or ask for what is whole: end {end:.1f}.")
        return
    if source.probe.is_duration_exact:
        raise Rejected("truncated", message, CUT_OFF)
    context.log(message)


def refuse_lost_sound(
    context: Context[VideoSpec], source: Source, audio: Audio, part: Cut, made: Probe, number: int = 0
) -> None:
    """Compare a sound of a result with the one that it was made of: FFmpeg leaves out what it cannot decode.

    Args:
        part: of the source, that the result has.
        made: the file that it is in.
        number: which of its sounds it is, from 0.

    Raises:
        Rejected: as `blame_the_input`.
    """
    end = made.audios[number].end_seconds
    if end is not None:
        blame_the_input(context, source, made.start_seconds + end, part.seconds(audio.end_seconds), audio)


def _of(source: Source, stream: Stream) -> str:
    """Name a sound, where there are several things to name."""
    if not isinstance(stream, Audio):
        return ""
    several = len(source.probe.audios) > 1
    return f" of its sound track {source.probe.audios.index(stream) + 1}" if several else " of its sound"


def _is_cut_off(source: Source) -> bool:
    return source.probe.is_duration_exact and is_cut_off(source.path)
