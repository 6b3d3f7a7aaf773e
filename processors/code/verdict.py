"""From what was observed of a program to one word. Pure.

There is no word for "killed, and nobody knows why": whatever kills is counted by the slot itself or by the kernel, so
that a signal without a cause was sent by the program or one of its own processes.
"""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How a job ended."""

    OK = "OK"
    NONZERO_EXIT = "NONZERO_EXIT"
    SIGNALLED = "SIGNALLED"
    COMPILE_ERROR = "COMPILE_ERROR"
    TIMEOUT = "TIMEOUT"
    CPU_LIMIT = "CPU_LIMIT"
    MEMORY_LIMIT = "MEMORY_LIMIT"
    OUTPUT_LIMIT = "OUTPUT_LIMIT"
    FILE_LIMIT = "FILE_LIMIT"
    PROCESS_LIMIT = "PROCESS_LIMIT"
    SECURITY = "SECURITY"  #: a system call that no program has an honest use for
    INTERNAL_ERROR = "INTERNAL_ERROR"  #: ours, not the program's
    REJECTED = "REJECTED"  #: not even started


class Kill(StrEnum):
    """Why the slot ended a program before it ended itself."""

    WALL = "wall"
    CPU = "cpu"
    MEMORY = "memory"
    STDOUT = "stdout"
    STDERR = "stderr"
    RETURN = "return"


class Observed(NamedTuple):
    """What was seen of one program, from its start to its end."""

    exit_code: int | None = None
    signal: int | None = None  #: that ended it
    killed_for: Kill | None = None
    start_error: str = ""  #: why it never started
    oom_kills: int = 0  #: processes that the kernel killed for memory
    process_limit_hits: int = 0  #: forks that the kernel refused
    is_disk_full: bool = False  #: at some time one of its file systems was
    cut: tuple[Kill, ...] = ()  #: streams that were longer than their caps
    cpu_seconds: float = 0.0
    cpu_limit_seconds: float = float("inf")  #: of one process, at which the kernel kills
    memory_peak_bytes: int = 0
    memory_limit_bytes: float = float("inf")


_KILLED = {
    Kill.WALL: Verdict.TIMEOUT,
    Kill.CPU: Verdict.CPU_LIMIT,
    Kill.MEMORY: Verdict.MEMORY_LIMIT,
    Kill.STDOUT: Verdict.OUTPUT_LIMIT,
    Kill.STDERR: Verdict.OUTPUT_LIMIT,
    Kill.RETURN: Verdict.OUTPUT_LIMIT,
}
_SIGNALLED = {
    signal.SIGSYS: Verdict.SECURITY,
    signal.SIGXCPU: Verdict.CPU_LIMIT,
    signal.SIGXFSZ: Verdict.FILE_LIMIT,
}


def verdict_of(seen: Observed) -> Verdict:
    """Say how a program ended.

    Memory comes first, because a program that has lost a process to it may wait for that one until its time is up. A
    limit that a program met and lived with is no reason: only one that did not end well is asked which limits it has
    met.
    """
    if seen.start_error:
        return Verdict.INTERNAL_ERROR
    if seen.oom_kills:
        return Verdict.MEMORY_LIMIT
    if seen.killed_for:
        return _KILLED[seen.killed_for]
    if seen.exit_code is None and seen.signal is None:
        return Verdict.INTERNAL_ERROR  # it was lost
    if seen.signal in _SIGNALLED:
        return _SIGNALLED[signal.Signals(seen.signal)]
    if seen.signal == signal.SIGKILL and seen.cpu_seconds >= seen.cpu_limit_seconds:
        return Verdict.CPU_LIMIT
    if seen.signal == signal.SIGABRT and seen.memory_peak_bytes > seen.memory_limit_bytes:
        return Verdict.MEMORY_LIMIT  # as node ends itself when its heap is full, just before we would have ended it
    if seen.cut:
        return Verdict.OUTPUT_LIMIT
    if seen.exit_code == 0:
        return Verdict.OK
    if seen.is_disk_full:
        return Verdict.FILE_LIMIT
    if seen.process_limit_hits:
        return Verdict.PROCESS_LIMIT
    return Verdict.NONZERO_EXIT if seen.signal is None else Verdict.SIGNALLED


#: what a compiler does on its own account; met limits keep their names
_OF_A_COMPILER = {Verdict.NONZERO_EXIT: Verdict.COMPILE_ERROR, Verdict.SIGNALLED: Verdict.COMPILE_ERROR}


def compile_verdict_of(seen: Observed) -> Verdict:
    """Say how a compiler ended."""
    verdict = verdict_of(seen)
    return _OF_A_COMPILER.get(verdict, verdict)


def sentence(verdict: Verdict, seen: Observed, what: str = "The program") -> str:
    """Say it to a person."""
    match verdict:
        case Verdict.OK:
            return f"{what} ended well."
        case Verdict.NONZERO_EXIT:
            return f"{what} ended with exit code {seen.exit_code}."
        case Verdict.COMPILE_ERROR:
            return f"The code does not compile: {_ending(seen)}."
        case Verdict.SIGNALLED:
            return f"{what} was ended by {_name(seen.signal)}, which it or a process of its own sent; no limit was met."
        case Verdict.TIMEOUT:
            return f"{what} was still running when its time was up."
        case Verdict.CPU_LIMIT:
            return f"{what} used more processor time than it may: {seen.cpu_seconds:.1f} s."
        case Verdict.MEMORY_LIMIT:
            return f"{what} and its processes wanted more memory than they may have."
        case Verdict.OUTPUT_LIMIT:
            streams = " and ".join(cut.value for cut in seen.cut) or (seen.killed_for or Kill.STDOUT).value
            return f"{what} wrote more to {streams} than it may; what came first is kept."
        case Verdict.FILE_LIMIT:
            return f"{what} wrote more or larger files than it may: {_ending(seen)}."
        case Verdict.PROCESS_LIMIT:
            return f"{what} wanted more processes and threads than it may have: {_ending(seen)}."
        case Verdict.SECURITY:
            return f"{what} made a system call that is not allowed, and was ended by SIGSYS."
        case Verdict.REJECTED:
            return "The job was refused."
        case Verdict.INTERNAL_ERROR:
            return f"{what} could not be run: {seen.start_error or 'how it ended is not known'}."


def _ending(seen: Observed) -> str:
    return f"exit code {seen.exit_code}" if seen.signal is None else f"ended by {_name(seen.signal)}"


def _name(number: int | None) -> str:
    try:
        return signal.Signals(number or 0).name
    except ValueError:
        return f"signal {number}"
