"""From jobs that ended to the exit code a script branches on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from pitchey_cli.domain import program
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.domain.job import Job, JobState
from pitchey_cli.store.port import Store

ExecOption = Annotated[
    bool,
    typer.Option(
        "--exec",
        help="Of one program: nothing but its own output, and its exit code; 128 + signal, 124 when its time was up.",
    ),
]


def exit_code_of(store: Store, jobs: Sequence[Job], *, is_exec: bool = False) -> int:
    """0 when all succeeded, and all programs among them ended well; a failure outweighs a cancellation.

    Args:
        is_exec: there is one program, and its own exit code is wanted. A job that failed has none.

    Raises:
        UsageError: it is wanted, and there is none.
    """
    states = {job.state for job in jobs}
    have_ended_well = all(program.has_ended_well(job.verdict) for job in jobs)
    if states <= {JobState.SUCCEEDED}:
        if is_exec:
            return program.exit_code(store.details(the_program(jobs).id))
        return ExitCode.OK if have_ended_well else ExitCode.JOB_FAILED
    if states <= {JobState.SUCCEEDED, JobState.CANCELLED}:
        return ExitCode.CANCELLED if have_ended_well else ExitCode.JOB_FAILED
    return ExitCode.JOB_FAILED


def the_program(jobs: Sequence[Job]) -> Job:
    """The one program there is.

    Raises:
        UsageError: there are several jobs, or one that is no program.
    """
    check_one_program(len(jobs))
    (job,) = jobs
    if job.verdict is None:
        raise UsageError(f"--exec takes a program, and job {job.id} is none: it is a {job.service} job.")
    return job


def check_one_program(count: int) -> None:
    """Raise UsageError when --exec was given and there is not exactly one job."""
    if count != 1:
        raise UsageError(f"--exec takes one program, and these are {count} jobs.")
