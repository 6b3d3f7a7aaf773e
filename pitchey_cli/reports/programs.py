"""How a program of the code service ended, in a line. Pure."""

from __future__ import annotations

import signal as signals
from collections.abc import Iterator, Mapping
from typing import Any

from pitchey_cli.domain.program import STREAMS, last_phase
from pitchey_cli.reports.wording import duration, printable, size

_SAY_IT_ALL = ("OK", "NONZERO_EXIT")  # to these verdicts their message adds nothing


def verdict_line(details: Mapping[str, Any]) -> str:
    """The verdict, how it ended, what it took, and why where that is not plain."""
    ran = last_phase(details)
    parts = [str(details["verdict"]), *_ending(ran)]
    parts += [duration(ran.get("wallSeconds") or 0.0), f"{duration(ran.get('cpuSeconds') or 0.0)} CPU"]
    parts.append(size(ran.get("memoryPeakBytes") or 0))
    why = "" if details["verdict"] in _SAY_IT_ALL else f": {printable(details['message'])}"
    return ", ".join(parts) + why


def _ending(ran: Mapping[str, Any]) -> Iterator[str]:
    if ran.get("exitCode") is not None:
        yield f"exit code {ran['exitCode']}"
    elif (number := ran.get("signal")) is not None:
        yield signals.Signals(number).name if number in set(signals.Signals) else f"signal {number}"


def remarks(details: Mapping[str, Any]) -> Iterator[str]:
    """What of its output is not all there."""
    ran = last_phase(details)
    for stream in STREAMS:
        said = ran.get(stream) or {}
        if said.get("isCut"):
            yield f"{stream} is cut: the first {size(said['size'])} are kept"
        elif said and "file" not in said and "base64" not in said and len(said["text"].encode()) < said["size"]:
            yield f"{stream} is cut: the first {size(len(said['text'].encode()))} of {size(said['size'])} are kept"
    if problem := details.get("returnedProblem"):
        yield f"what it returned is left out: {printable(problem)}"
    for each in details.get("refused") or ():
        yield f"not taken: {printable(each['name'])}: {printable(each['reason'])}"
