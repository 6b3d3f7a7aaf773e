"""What slot and supervisor say to each other is read as it was written, and nothing else is read at all."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.code.frames import BadFrame, encode_document, encode_raw
from processors.code.reading import BadDocument
from processors.code.slot_protocol import Collection, Job, JobFile, Phase, PhaseLimits, Ready
from processors.code.slot_report import PhaseReport, Readable, Refused, Report, ReportReader, Stream, end_document
from processors.code.verdict import Verdict
from tests.conftest import ROOT

LIMITS = PhaseLimits(wall_seconds=5, memory_bytes=64 << 20, cpu_seconds=2.5)
RUN = Phase(("/usr/bin/python3", "main.py"), {"A": "b"}, LIMITS)
JOB = Job((JobFile("main.py", 3), JobFile("a/b", 0)), RUN, RUN, 7, Collection(("out/**",), 3, 1000))
RAN = PhaseReport(
    *(Verdict.OK, "Well.", 0, None, 0.5, 0.25, 1 << 20, 0, 0, False),
    *(Stream(5), Stream(0, True), Stream(2)),
)
REPORT = Report(Verdict.OK, "Well.", None, RAN, (JobFile("out/a", 4), JobFile("out/b", 0)), (Refused("x", "why"),))
BYTES = b"".join([*encode_raw(b"hello"), *encode_raw(b"42"), *encode_raw(b"data")])

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_a_job_is_read_as_it_was_written() -> None:
    assert Job.read(json.loads(json.dumps(JOB.document()))) == JOB
    assert Ready.read(Ready(20001, 7, 1).document()) == Ready(20001, 7, 1)
    assert Report.read(json.loads(json.dumps(REPORT.document()))) == REPORT


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"type": "ready"}, "a job was expected"),
        ({"protocol": 2}, "protocol"),
        ({"files": [{"name": "../../etc/cron.d/x", "size": 0}]}, "'../../etc/cron.d/x' has a part of dots"),
        ({"files": [{"name": "/etc/passwd", "size": 0}]}, "is absolute"),
        ({"files": [{"name": "a\0b", "size": 0}]}, "NUL"),
        ({"files": [{"name": "a", "size": 0}] * 2}, "comes twice"),
        ({"files": [{"name": "out", "size": 0}]}, "used by the service itself"),
        ({"files": [{"name": "a", "size": -1}]}, "size"),
        ({"files": [{"name": "a", "size": True}]}, "size"),
        ({"files": [{"name": "a", "size": 1 << 40}]}, "size"),
        ({"files": [{"name": f"{number}", "size": 0} for number in range(1000)]}, "at most 512"),
        ({"run": None}, "run is no object"),
        ({"run": RUN._replace(command=()).document()}, "path of a program"),
        ({"run": RUN._replace(command=("python3",)).document()}, "path of a program"),
        ({"run": RUN._replace(environment={"A=B": "c"}).document()}, "impossible name"),
        ({"run": RUN._replace(limits=LIMITS._replace(wall_seconds=float("nan"))).document()}, "wallSeconds"),
        ({"run": RUN._replace(limits=LIMITS._replace(memory_bytes=0)).document()}, "memoryBytes"),
        ({"stdinBytes": 1 << 30}, "stdinBytes"),
        ({"outputs": {"patterns": ["a"], "maxFiles": 10**9, "maxBytes": 1}}, "maxFiles"),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_its_reason(change: dict[str, Any], why: str) -> None:
    with pytest.raises(BadDocument, match=why):
        Job.read(JOB.document() | change)


@given(st.data())
def test_a_job_with_any_field_replaced_by_anything_is_a_job_or_an_error_of_ours(data: st.DataObject) -> None:
    document = json.loads(json.dumps(JOB.document()))
    target = document
    while True:
        key = data.draw(st.sampled_from(sorted(target)))
        if not isinstance(target[key], dict) or not target[key] or data.draw(st.booleans()):
            break
        target = target[key]
    target[key] = data.draw(JSON)
    with contextlib.suppress(BadDocument):
        job = Job.read(document)
        assert Job.read(json.loads(json.dumps(job.document()))) == job


def fed(data: bytes, size: int = 7) -> ReportReader:
    reader = ReportReader()
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader


def test_a_report_is_read_with_all_that_follows() -> None:
    reader = fed(encode_document(REPORT.document()) + BYTES + encode_document(end_document(is_complete=True)))
    assert reader.has_ended
    assert reader.is_complete
    assert reader.streams == {("run", "stdout"): b"hello", ("run", "stderr"): b"", ("run", "returned"): b"42"}
    assert reader.outputs == {"out/a": b"data", "out/b": b""}


def test_a_report_whose_bytes_are_missing_is_not_complete() -> None:
    reader = fed(encode_document(REPORT.document()) + encode_document(end_document(is_complete=True)))
    assert reader.has_ended
    assert not reader.is_complete


@pytest.mark.parametrize(
    "data",
    [
        encode_document(end_document(is_complete=True)),
        encode_document(REPORT.document()) + b"".join(encode_raw(b"more than five")),
        encode_document(REPORT.document()) + BYTES + b"".join(encode_raw(b"more")),
        encode_document(REPORT.document()) + encode_document(REPORT.document()),
        encode_document(REPORT.document()) + encode_document(end_document(is_complete=True)) * 2,
        encode_document(REPORT._replace(outputs=(JobFile("../a", 1),)).document()),
        encode_document(REPORT._replace(outputs=(JobFile("a", 1 << 27), JobFile("b", 1 << 28))).document()),
        encode_document(REPORT._replace(outputs=(JobFile("a", 1), JobFile("a", 1))).document()),
        encode_document(REPORT.document() | {"verdict": "FINE"}),
    ],
)
def test_a_slot_that_has_been_taken_over_is_not_believed(data: bytes) -> None:
    with pytest.raises((BadFrame, BadDocument)):
        fed(data)


def test_bytes_that_are_no_text_are_kept() -> None:
    assert Readable.of("é\n".encode()) == Readable("é\n", None)
    assert Readable.of(b"ok \xff\x00 \xed\xa0\x80") == Readable("ok �\0 ���", "b2sg/wAg7aCA")


def test_a_slot_that_waits_has_loaded_nothing_heavy() -> None:
    heavy = {"pydantic", "dataclasses", "inspect", "pathlib", "asyncio", "subprocess", "seccomp"}
    program = "import sys, processors.code.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not heavy & set(done.stdout.split())


def test_a_slot_refuses_to_be_anything_but_the_first_process() -> None:
    done = subprocess.run([sys.executable, "-m", "processors.code"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "first process" in done.stderr
