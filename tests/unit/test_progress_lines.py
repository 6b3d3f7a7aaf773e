"""What is said of jobs where nobody watches: changes of state, and now and then how far they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pitchey_cli.cli.progress import state_lines
from pitchey_cli.domain.job import JobState
from tests.unit.test_states import running


def test_a_long_job_says_every_ten_seconds_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    now = 0.0
    show = state_lines(clock=lambda: now)
    job = replace(running(), name="film", progress=0.0)
    for now in range(26):
        show(replace(job, progress=now / 50, stage="transcode", eta_seconds=50.0 - now))
    show(replace(job, state=JobState.SUCCEEDED))
    assert capsys.readouterr().err.splitlines() == [
        "job1 running film",
        "job1 transcode 20%, about 40.0 s left, film",
        "job1 transcode 40%, about 30.0 s left, film",
        "job1 succeeded film",
    ]
