"""From jobs that ended to the exit code a script branches on."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.errors import ExitCode
from pitchey_cli.domain.job import Job, JobState


def exit_code_of(jobs: Sequence[Job]) -> ExitCode:
    """0 when all succeeded; a failure outweighs a cancellation."""
    states = {job.state for job in jobs}
    if states <= {JobState.SUCCEEDED}:
        return ExitCode.OK
    return ExitCode.CANCELLED if states <= {JobState.SUCCEEDED, JobState.CANCELLED} else ExitCode.JOB_FAILED
