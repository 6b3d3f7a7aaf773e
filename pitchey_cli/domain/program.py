"""How a program of the code service ended, as the details of its job say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

STREAMS = ("stdout", "stderr")
PRINTED_ROLES = (*STREAMS, "returned")  #: of outputs that hold what is too long for the details
OK = "OK"
_TIMEOUT = "TIMEOUT"
_TIMEOUT_CODE = 124  # as timeout(1) has it
_SIGNALLED_CODE = 128  # as shells have it


def is_program(details: Mapping[str, Any]) -> bool:
    """Whether these are the details of a program that has ended."""
    return "verdict" in details


def has_ended_well(details: Mapping[str, Any]) -> bool:
    """Whether whoever waits for a job has what it waits for: of a program that means OK, of other work its result."""
    return bool(details.get("verdict", OK) == OK)


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
