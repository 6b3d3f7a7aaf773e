"""What is told of a program, from what its slot reports."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pitchey_cli.supervisor.outcome import INLINE_BYTES, details_of, details_without_report, long_streams
from processors.code.slot_report import PhaseReport, Refused, Report, Stream
from processors.code.verdict import Verdict
from processors.protocol import Result


def phase(verdict: Verdict = Verdict.OK, **changed: Any) -> PhaseReport:
    values: dict[str, Any] = {
        "message": "The program ended well.",
        "exit_code": 0,
        "signal": None,
        "wall_seconds": 0.123456,
        "cpu_seconds": 0.02,
        "memory_peak_bytes": 9_000_000,
        "oom_kills": 0,
        "process_limit_hits": 0,
        "is_disk_full": False,
        "stdout": Stream(),
        "stderr": Stream(),
        "returned": Stream(),
    }
    return PhaseReport(verdict, **{**values, **changed})


def told(streams: dict[tuple[str, str], bytes], run: PhaseReport | None = None) -> dict[str, Any]:
    report = Report(Verdict.OK, "The program ended well.", None, run or phase())
    details = details_of(report, streams, long_streams(streams, set()))
    return json.loads(Result(details=details).wire())["details"]  # as it crosses the socket


def test_a_program_that_ended_well_is_told_of_with_its_numbers_and_words() -> None:
    details = told({("run", "stdout"): b"hello\n", ("run", "returned"): b'{"n": 1}'})
    assert details == {
        "verdict": "OK",
        "message": "The program ended well.",
        "exitCode": 0,
        "signal": None,
        "wallSeconds": 0.1235,
        "cpuSeconds": 0.02,
        "memoryPeakBytes": 9_000_000,
        "stdout": {"text": "hello\n", "size": 6, "isCut": False},
        "stderr": {"text": "", "size": 0, "isCut": False},
        "returned": {"n": 1},
        "compile": None,
        "refused": [],
    }


def test_bytes_that_are_no_text_are_kept_beside_it() -> None:
    stdout = told({("run", "stdout"): b"a\xffb"})["stdout"]
    assert stdout["text"] == "a\ufffdb"
    assert base64.b64decode(stdout["base64"]) == b"a\xffb"


def test_a_long_stream_is_a_file_and_its_beginning_is_told() -> None:
    data = "ä".encode() * INLINE_BYTES  # cut within a letter, which makes it no less a text
    stdout = told({("run", "stdout"): b"-" + data}, phase(stdout=Stream(len(data) + 1, is_cut=True)))["stdout"]
    assert (stdout["file"], stdout["size"], stdout["isCut"]) == ("stdout.txt", len(data) + 1, True)
    assert stdout["text"].startswith("-ä")
    assert "base64" not in stdout


def test_a_stream_that_becomes_a_file_takes_no_name_of_the_programs_own() -> None:
    streams = {("run", "stdout"): b"x" * (INLINE_BYTES + 1)}
    assert long_streams(streams, {"stdout.txt", "stdout-2.txt"}) == {"stdout": "stdout-3.txt"}


@pytest.mark.parametrize("given", [b"{", b"NaN", b"[1e999]", b"-Infinity", b"\xff", b"1 2", b"[" * 100_000])
def test_what_is_no_json_is_no_value_and_it_is_said_why(given: bytes) -> None:
    details = told({("run", "returned"): given[:INLINE_BYTES]})
    assert "returned" not in details
    assert "JSON" in details["returnedProblem"]


def test_a_program_that_gave_null_has_given_something() -> None:
    assert told({("run", "returned"): b"null"})["returned"] is None
    assert "returned" not in told({})


def test_of_code_that_does_not_compile_the_compilers_words_are_told() -> None:
    compiled = phase(Verdict.COMPILE_ERROR, exit_code=1)
    report = Report(Verdict.COMPILE_ERROR, "The code does not compile.", compiled, None, refused=(Refused("a", "b"),))
    details = details_of(report, {("compile", "stderr"): b"main.go:1: no"}, {})
    assert (details["exitCode"], details["wallSeconds"], details["stdout"]["size"]) == (None, 0.0, 0)
    assert (details["compile"]["exitCode"], details["compile"]["stderr"]["text"]) == (1, "main.go:1: no")
    assert details["refused"] == [{"name": "a", "reason": "b"}]


def test_without_a_report_the_verdict_is_told_in_the_same_words() -> None:
    details = details_without_report(Verdict.MEMORY_LIMIT, "All died.", 1.5)
    assert details["verdict"] == "MEMORY_LIMIT"
    assert details.keys() == details_of(Report(Verdict.OK, ""), {}, {}).keys()
    assert json.dumps(details)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"[" * 300 + b"]" * 300, "nested more than 100 deep"),
        (b"[" * 30_000 + b"]" * 30_000, "nested more than 100 deep"),
        (b'{"a": ["\\ud800"]}', "half of a character"),
        (b'{"\\udfff": 1}', "half of a character"),
        (b"[[1e999]]", "a number that JSON has not"),
    ],
)
def test_a_value_that_no_result_can_hold_is_a_problem_of_the_program_and_not_of_its_job(
    given: bytes, words: str
) -> None:
    details = told({("run", "returned"): given})
    assert "returned" not in details
    assert words in details["returnedProblem"]


def test_a_value_that_is_nested_as_deep_as_may_be_crosses_the_socket() -> None:
    wire = Result(details=told({("run", "returned"): b"[" * 100 + b"]" * 100})).wire()
    assert "returned" in Result.model_validate_json(wire).details
