"""A batch as JUnit XML, which CI systems show as test results. Pure.

The form is what they agree on: https://github.com/testmoapp/junitxml describes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from xml.etree.ElementTree import Element, SubElement, tostring

from pitchey_cli.domain.job import Job, JobId, JobState


def batch(name: str, jobs: Iterable[Job], failed: Mapping[JobId, str] = {}) -> str:
    """One test case for each job; a dead letter is a failure, what has not ended or was cancelled is skipped.

    Args:
        failed: the verdicts of programs that did not end well, which are failures as well.
    """
    suite = Element("testsuite", name=_printable(name))
    totals = {"tests": 0, "failures": 0, "skipped": 0}
    seconds = 0.0
    for job in jobs:
        took = (job.finished_at - job.started_at).total_seconds() if job.finished_at and job.started_at else 0.0
        seconds += took
        totals["tests"] += 1
        case = SubElement(
            suite, "testcase", classname=f"{_printable(name)}.{job.service}", name=_printable(job.name or job.id),
            time=f"{took:.3f}", id=job.id,
        )  # fmt: skip
        if job.state is JobState.DEAD:
            totals["failures"] += 1
            message = job.error.message if job.error else "dead"
            failure = SubElement(case, "failure", message=_printable(message), type=job.error.code if job.error else "")
            failure.text = _printable(job.error.hint or "") if job.error else ""
        elif job.id in failed:
            totals["failures"] += 1
            SubElement(case, "failure", message=f"The program ended with {failed[job.id]}.", type=failed[job.id])
        elif job.state is not JobState.SUCCEEDED:
            totals["skipped"] += 1
            SubElement(case, "skipped", message=str(job.state))
    for key, value in totals.items():
        suite.set(key, str(value))
    suite.set("time", f"{seconds:.3f}")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(suite, encoding="unicode") + "\n"


def _printable(text: str) -> str:
    """XML has no control characters, not even escaped ones."""
    return "".join(char if char >= " " and not 0xD800 <= ord(char) <= 0xDFFF else " " for char in text)
