"""All runs of ffmpeg, with their progress and their failures in words for the user."""

from __future__ import annotations

import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import IO, Any

from processors.ffmpeg.progress import ProgressReader
from processors.ffmpeg.tasks import Report
from processors.worker.context import Context, HandlerError, ProgramFailed

_QUIET = ("-hide_banner", "-nostdin", "-nostats", "-progress", "pipe:1")
FFMPEG = ("ffmpeg", *_QUIET, "-loglevel", "warning")
_HEARD_LINES = 1000  # the last ones: filters that measure say their results at the end
#: for one of two that `between` runs: its pipes are full of media, so that it says nothing of its progress
PIPED = ("ffmpeg", "-hide_banner", "-nostats", "-loglevel", "warning")
TALKING = ("ffmpeg", *_QUIET, "-loglevel", "info")  #: filters that measure say their results at this level


def commanded(threads: int) -> list[str]:
    """Begin a command whose filters take no more processors than there are for it; encoders are told by themselves."""
    return [*FFMPEG, "-filter_complex_threads", str(threads)]


def run_ffmpeg(
    context: Context[Any],
    argv: Sequence[str],
    name: str,
    report: Report | None = None,
    *,
    seconds: float | None = None,
    blame: Callable[[ProgramFailed], HandlerError | None] | None = None,
) -> float:
    """Run ffmpeg; give the seconds of media that it has made."""
    return followed(context, argv, name, report, seconds=seconds, blame=blame).seconds


def followed(
    context: Context[Any],
    argv: Sequence[str],
    name: str,
    report: Report | None = None,
    *,
    seconds: float | None = None,
    blame: Callable[[ProgramFailed], HandlerError | None] | None = None,
) -> ProgressReader:
    """Run ffmpeg; give what it said of its progress, up to the end.

    Args:
        argv: the whole command; begins with `FFMPEG`.
        name: what to call the input in messages.
        report: None for a run that is too short to be told of.
        seconds: of media that it should make, where that is known.
        blame: knows better why it failed, or gives None.

    Raises:
        HandlerError: it failed; in the words of its last line.
    """

    def pass_on(made: float, speed: float | None) -> None:
        if report is not None:
            report(None if seconds is None else made / seconds if seconds else 0.0, speed)

    reader = ProgressReader(pass_on)
    try:
        # Told to end, it would first encode all that it holds: AV1 at its best takes seconds for that.
        context.run(argv, on_stdout=reader, is_killed_at_once=True)
    except ProgramFailed as error:
        if error.signal is not None or error.met_full_disk:
            raise
        if blame is not None and (better := blame(error)) is not None:
            raise better from error
        raise _failed(name, f" ffmpeg says: {error.tail[-1]}" if error.tail else "") from error
    return reader


def heard(
    context: Context[Any], argv: Sequence[str], name: str, report: Report | None = None, *, seconds: float | None = None
) -> str:
    """Run ffmpeg; give the last lines that it said on stderr, which else would go to the log.

    Args:
        argv: the whole command; begins with `FFMPEG`, or `TALKING` for what filters measure.

    Raises:
        HandlerError: as `followed`.
    """
    said: deque[str] = deque(maxlen=_HEARD_LINES)

    def listen(event: Mapping[str, Any]) -> None:
        if event["type"] == "log":
            said.append(str(event["line"]))
        else:
            context.emit(event)

    try:
        followed(replace(context, emit=listen), argv, name, report, seconds=seconds)
    except HandlerError:
        for line in said:
            context.log(line)
        raise
    return "\n".join(said)


@contextmanager
def between(decode: Sequence[str], encode: Sequence[str], name: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Run two ffmpegs, and give what the first writes and what the second reads. What they say goes to the log.

    Args:
        decode: begins with `PIPED`, as `encode` does.
        name: what to call the input in messages.

    Raises:
        HandlerError: one of them failed.
    """
    programs: list[subprocess.Popen[bytes]] = []
    try:
        programs.append(first := subprocess.Popen(decode, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        programs.append(second := subprocess.Popen(encode, stdin=subprocess.PIPE))
        assert first.stdout is not None and second.stdin is not None
        with first.stdout as source, second.stdin as sink:
            yield source, sink
        if any(program.wait() != 0 for program in programs):
            raise _failed(name)
    except BrokenPipeError as error:  # the second ended before it had all
        raise _failed(name) from error
    finally:
        for program in programs:
            if program.poll() is None:
                program.kill()
                program.wait()


def _failed(name: str, words: str = "") -> HandlerError:
    hint = "The attempt's log has all that ffmpeg said; the file may be damaged."
    return HandlerError("ffmpeg_failed", f"{name} could not be processed.{words}", hint, retryable=False)
