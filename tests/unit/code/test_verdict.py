"""From what was observed to one word."""

from __future__ import annotations

import itertools
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.code.verdict import Kill, Observed, Verdict, compile_verdict_of, sentence, verdict_of

STREAMS = (Kill.STDOUT, Kill.STDERR, Kill.RETURN)
ENDINGS = st.tuples(st.none(), st.integers(1, 64)) | st.tuples(st.integers(0, 255), st.none())


@st.composite
def observed(draw: st.DrawFn) -> Observed:
    code, number = draw(ENDINGS)
    return Observed(
        exit_code=code,
        signal=number,
        killed_for=draw(st.none() | st.sampled_from(Kill)),
        oom_kills=draw(st.integers(0, 2)),
        process_limit_hits=draw(st.integers(0, 2)),
        is_disk_full=draw(st.booleans()),
        cut=tuple(draw(st.sets(st.sampled_from(STREAMS)))),
        cpu_seconds=draw(st.floats(0, 20)),
        memory_peak_bytes=draw(st.integers(0, 20)),
        memory_limit_bytes=draw(st.sampled_from([10, 100])),
        cpu_limit_seconds=draw(st.sampled_from([float("inf"), 10.0])),
    )


@pytest.mark.parametrize(
    ("seen", "verdict"),
    [
        ({"exit_code": 0}, Verdict.OK),
        ({"exit_code": 3}, Verdict.NONZERO_EXIT),
        ({"signal": signal.SIGSEGV}, Verdict.SIGNALLED),
        ({"signal": signal.SIGKILL}, Verdict.SIGNALLED),
        ({"signal": signal.SIGSYS}, Verdict.SECURITY),
        ({"signal": signal.SIGXCPU}, Verdict.CPU_LIMIT),
        ({"signal": signal.SIGKILL, "cpu_seconds": 11.0, "cpu_limit_seconds": 10.0}, Verdict.CPU_LIMIT),
        ({"signal": signal.SIGABRT, "memory_peak_bytes": 11, "memory_limit_bytes": 10}, Verdict.MEMORY_LIMIT),
        ({"signal": signal.SIGABRT, "memory_peak_bytes": 9, "memory_limit_bytes": 10}, Verdict.SIGNALLED),
        ({"signal": signal.SIGXFSZ}, Verdict.FILE_LIMIT),
        ({"exit_code": 1, "is_disk_full": True}, Verdict.FILE_LIMIT),
        ({"exit_code": 0, "is_disk_full": True}, Verdict.OK),
        ({"exit_code": 1, "process_limit_hits": 9}, Verdict.PROCESS_LIMIT),
        ({"signal": signal.SIGABRT, "process_limit_hits": 9}, Verdict.PROCESS_LIMIT),
        ({"exit_code": 0, "process_limit_hits": 9}, Verdict.OK),
        ({"signal": signal.SIGKILL, "killed_for": Kill.WALL}, Verdict.TIMEOUT),
        ({"signal": signal.SIGKILL, "killed_for": Kill.WALL, "process_limit_hits": 9}, Verdict.TIMEOUT),
        ({"signal": signal.SIGKILL, "killed_for": Kill.WALL, "oom_kills": 1}, Verdict.MEMORY_LIMIT),
        ({"signal": signal.SIGKILL, "killed_for": Kill.MEMORY}, Verdict.MEMORY_LIMIT),
        ({"exit_code": 9, "oom_kills": 1}, Verdict.MEMORY_LIMIT),
        ({"exit_code": 0, "cut": (Kill.STDERR,)}, Verdict.OUTPUT_LIMIT),
        ({"signal": signal.SIGKILL, "killed_for": Kill.RETURN, "cut": (Kill.RETURN,)}, Verdict.OUTPUT_LIMIT),
        ({"signal": signal.SIGKILL, "killed_for": Kill.CPU}, Verdict.CPU_LIMIT),
        ({"exit_code": 127, "start_error": "no such program"}, Verdict.INTERNAL_ERROR),
        ({}, Verdict.INTERNAL_ERROR),
    ],
)
def test_what_was_seen_has_one_word(seen: dict[str, Any], verdict: Verdict) -> None:
    assert verdict_of(Observed(**seen)) is verdict


def test_a_compiler_that_fails_finds_errors_and_one_that_meets_a_limit_meets_a_limit() -> None:
    assert compile_verdict_of(Observed(exit_code=1)) is Verdict.COMPILE_ERROR
    assert compile_verdict_of(Observed(signal=signal.SIGSEGV)) is Verdict.COMPILE_ERROR
    assert compile_verdict_of(Observed(signal=9, killed_for=Kill.WALL)) is Verdict.TIMEOUT
    assert compile_verdict_of(Observed(exit_code=0)) is Verdict.OK


@given(observed())
def test_nothing_that_ran_is_called_an_error_of_ours_or_refused(seen: Observed) -> None:
    assert verdict_of(seen) not in {Verdict.INTERNAL_ERROR, Verdict.REJECTED, Verdict.COMPILE_ERROR}


@given(observed())
def test_what_the_slot_killed_has_the_reason_in_its_verdict(seen: Observed) -> None:
    if seen.killed_for:
        assert verdict_of(seen) not in {Verdict.OK, Verdict.NONZERO_EXIT, Verdict.SIGNALLED}
    if verdict_of(seen) is Verdict.OK:
        assert seen.exit_code == 0
        assert not seen.oom_kills


@given(observed())
def test_killed_without_a_reason_means_that_no_limit_was_met(seen: Observed) -> None:
    if verdict_of(seen) is Verdict.SIGNALLED:
        assert not (seen.killed_for or seen.oom_kills or seen.cut or seen.is_disk_full or seen.process_limit_hits)


@given(observed(), st.sampled_from(Verdict))
def test_every_verdict_has_a_sentence(seen: Observed, verdict: Verdict) -> None:
    assert sentence(verdict, seen).endswith(".")


def test_there_are_thirteen_words() -> None:
    words = "OK NONZERO_EXIT SIGNALLED COMPILE_ERROR TIMEOUT CPU_LIMIT MEMORY_LIMIT OUTPUT_LIMIT FILE_LIMIT"
    words += " PROCESS_LIMIT SECURITY INTERNAL_ERROR REJECTED"
    assert [verdict.value for verdict in Verdict] == words.split()
    assert all(a != b for a, b in itertools.combinations(Verdict, 2))
