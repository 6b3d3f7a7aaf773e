"""From what a slot reports to the result of a job. Pure; nothing that comes from a slot is believed to be short.

The details of a result, in camelCase; a program's own words are `text`, with `base64` of all bytes beside it where they
are no UTF-8, and with `file`, the output that has all of them, where they are long:

    verdict, message, exitCode, signal, wallSeconds, cpuSeconds, memoryPeakBytes
    stdout, stderr    {text, base64?, size, isCut, file?}
    returned          what the program gave back; absent when it gave nothing, or when returnedFile names an output
    returnedProblem   why what it gave is no JSON
    compile           how compiling went, as above; null where nothing is compiled
    refused           [{name, reason}] of files that it left and that were not taken
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from itertools import chain, count
from typing import Any

from processors.code.slot_protocol import COMPILE, RUN
from processors.code.slot_report import PhaseReport, Readable, Report, Stream
from processors.code.verdict import Verdict

INLINE_BYTES = 64 << 10  #: of a stream or a value; what is longer is also a file
_MOST_DEPTH = 100  # of a value; the readers of results take twice as much, with all that is around it
_TOO_DEEP = f"What the program gave back is JSON that is nested more than {_MOST_DEPTH} deep."

Streams = Mapping[tuple[str, str], bytes]  #: by program and stream


def long_streams(streams: Streams, taken: Collection[str]) -> dict[str, str]:
    """Which streams of the program are too long for the details, and under which names they become files.

    Args:
        taken: names of the program's own files.
    """
    return {
        stream: _free_name(stream, taken)
        for stream in ("stdout", "stderr", "returned")
        if len(streams.get((RUN, stream), b"")) > INLINE_BYTES
    }


def _free_name(stream: str, taken: Collection[str]) -> str:
    ending = ".json" if stream == "returned" else ".txt"
    names = chain([f"{stream}{ending}"], (f"{stream}-{number}{ending}" for number in count(2)))
    return next(name for name in names if name not in taken)


def details_of(report: Report, streams: Streams, files: Mapping[str, str]) -> dict[str, Any]:
    """What is told of a program that was run, or could not be.

    Args:
        files: of the streams that are too long, by stream.
    """
    run = report.run
    details: dict[str, Any] = {
        "verdict": report.verdict.value,
        "message": report.message,
        **_numbers(run),
        **_words(run, streams, RUN, files),
    }
    if "returned" in files:
        details["returnedFile"] = files["returned"]
    elif given := streams.get((RUN, "returned"), b""):
        details |= _returned(given)
    compiled = report.compile
    details["compile"] = compiled and {
        "verdict": compiled.verdict.value,
        "message": compiled.message,
        **_numbers(compiled),
        **_words(compiled, streams, COMPILE, {}),
    }
    details["refused"] = [{"name": file.name, "reason": file.reason} for file in report.refused]
    return details


def details_without_report(verdict: Verdict, message: str, wall_seconds: float) -> dict[str, Any]:
    """The same of one that has taken its slot along with it."""
    return details_of(Report(verdict, message), {}, {}) | {"wallSeconds": round(wall_seconds, 4)}


def _numbers(phase: PhaseReport | None) -> dict[str, Any]:
    return {
        "exitCode": phase.exit_code if phase else None,
        "signal": phase.signal if phase else None,
        "wallSeconds": round(phase.wall_seconds, 4) if phase else 0.0,
        "cpuSeconds": round(phase.cpu_seconds, 4) if phase else 0.0,
        "memoryPeakBytes": phase.memory_peak_bytes if phase else 0,
    }


def _words(phase: PhaseReport | None, streams: Streams, which: str, files: Mapping[str, str]) -> dict[str, Any]:
    said = {"stdout": phase.stdout, "stderr": phase.stderr} if phase else {"stdout": Stream(), "stderr": Stream()}
    return {name: _stream(streams.get((which, name), b""), of, files.get(name)) for name, of in said.items()}


def _stream(data: bytes, stream: Stream, file: str | None) -> dict[str, Any]:
    readable = Readable.of(data[:INLINE_BYTES])
    told: dict[str, Any] = {"text": readable.text, "size": len(data), "isCut": stream.is_cut}
    if readable.base64 is not None and not _is_utf8(data):  # else it is our own cut, within a letter
        told["base64"] = readable.base64
    if file is not None:
        told["file"] = file
    return told


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _returned(given: bytes) -> dict[str, Any]:
    try:
        value = json.loads(given, parse_constant=_no_constant)
    except RecursionError:
        return {"returnedProblem": _TOO_DEEP}
    except ValueError as error:
        return {"returnedProblem": f"What the program gave back is no JSON: {error}."}
    problem = _problem_with(value)
    return {"returned": value} if problem is None else {"returnedProblem": problem}


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _problem_with(value: Any) -> str | None:
    """Why Python's JSON takes a value, and whoever is to read it next does not."""
    level: list[Any] = [value]
    for _ in range(_MOST_DEPTH + 1):
        for each in level:
            if isinstance(each, float) and not math.isfinite(each):  # 1e999 is infinite
                return "What the program gave back holds a number that JSON has not."
            if isinstance(each, str) and not _is_text(each):
                return "What the program gave back holds half of a character."
        nested = [each for each in level if isinstance(each, dict | list)]
        if not nested:
            return None
        level = list(chain.from_iterable(map(_inside, nested)))
    return _TOO_DEEP


def _inside(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return chain(value.keys(), value.values()) if isinstance(value, dict) else value


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
