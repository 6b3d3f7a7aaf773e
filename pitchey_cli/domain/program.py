"""How a program of the code service ended, as its job and the details of that say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processors.code.verdict import Verdict

STREAMS = ("stdout", "stderr")
PRINTED_ROLES = (*STREAMS, "returned")  #: of outputs that hold what is too long for the details
OK = "OK"
#: on programs that ran; of the others a job that was refused has failed, and so has one that we could not run
VERDICTS = tuple(each.value for each in Verdict if each not in (Verdict.REJECTED, Verdict.INTERNAL_ERROR))
_TIMEOUT = "TIMEOUT"
_TIMEOUT_CODE = 124  # as timeout(1) has it
_SIGNALLED_CODE = 128  # as shells have it


def is_program(details: Mapping[str, Any]) -> bool:
    """Whether these are the details of a program that has ended."""
    return "verdict" in details


def verdict_of(details: Mapping[str, Any]) -> str | None:
    """How a program has ended; None of other work, and of what no supervisor says."""
    verdict = details.get("verdict")
    return verdict if isinstance(verdict, str) else None


def has_ended_well(verdict: str | None) -> bool:
    """Whether whoever waits for a job has what it waits for: of a program that means OK, of other work its result."""
    return verdict in (None, OK)


def has_met_a_limit(details: Mapping[str, Any]) -> bool:
    """Whether something else than the program itself, or its compiler, has ended it: its exit code would not say so."""
    return details["verdict"] not in (OK, "NONZERO_EXIT", "SIGNALLED", "COMPILE_ERROR")


def last_phase(details: Mapping[str, Any]) -> Mapping[str, Any]:
    """The details of what ran last: the program, or the compiler where that did not get so far as to give one."""
    compiled: Mapping[str, Any] | None = details.get("compile")
    return details if compiled is None or compiled["verdict"] == OK else compiled


def exit_code(details: Mapping[str, Any]) -> int:
    """What a shell would say of the program: never 0 unless it ended well."""
    if details["verdict"] == _TIMEOUT:
        return _TIMEOUT_CODE
    code, signal = details.get("exitCode"), details.get("signal")
    if code is None:
        code = _SIGNALLED_CODE + signal if signal is not None else 1
    return int(code) if code or details["verdict"] == OK else 1
