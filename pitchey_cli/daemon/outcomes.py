"""What an attempt's end amounts to, by what is known of it. Pure: what the worker and the host say goes in."""

from __future__ import annotations

from pitchey_cli.daemon.exchange import WorkerRefused
from pitchey_cli.daemon.patience import Ended
from pitchey_cli.domain import away, unfit
from pitchey_cli.domain.errors import (
    ArtifactsDenied,
    BucketAway,
    InstanceGone,
    NetworkError,
    PitcheyError,
    ProfileMissing,
    StoreError,
)
from pitchey_cli.domain.job import JobError, Outcome, Usage
from processors import protocol
from processors.vocabulary import Reason

# What a worker may say of an attempt that was not told to end; anything else would let it decide about the queue.
_WORKERS_REASONS = {Reason.FAILED, Reason.TIMEOUT, Reason.OOM, Reason.REJECTED}
_INTENDED = {Reason.CANCELLED, Reason.INTERRUPTED}
_NEVER_STARTED = "never_started"


class Unforeseen(PitcheyError):
    """Something that nobody has thought of."""


def is_refusal_for_now(error: PitcheyError) -> bool:
    """Whether a worker takes no attempt at the moment: it drains, or is fuller than we believe."""
    return isinstance(error, WorkerRefused) and error.status in (429, 503)


def of_start(error: PitcheyError, last_words: str | None, *, is_foreground: bool) -> Outcome:
    """Of an attempt whose inputs could not be had, or that no worker took.

    Args:
        is_foreground: somebody sits before its job.
    """
    if isinstance(error, InstanceGone):
        return Outcome(Reason.INSTANCE_LOST, JobError("instance_lost", str(error), last_words))
    if is_refusal_for_now(error):
        return Outcome(Reason.INTERRUPTED, JobError("instance_busy", str(error)))
    if isinstance(error, BucketAway) and not is_foreground:
        return Outcome(Reason.INTERRUPTED, JobError(away.CODE, str(error), error.hint or None))
    if isinstance(error, NetworkError | StoreError | Unforeseen):
        return Outcome(Reason.FAILED, JobError("not_started", str(error), error.hint or None), is_retryable=True)
    if isinstance(error, ArtifactsDenied | ProfileMissing):
        return Outcome(Reason.FAILED, _unfit(error), is_retryable=True)
    return Outcome(Reason.REJECTED, JobError("bad_input", str(error), error.hint or None))


def of_error(event: protocol.ErrorEvent, ending_as: Reason | None) -> Outcome:
    """Of an attempt whose worker says that it went wrong.

    Args:
        ending_as: how the host has asked it to end; INSTANCE_LOST comes out where somebody else has stopped it.
    """
    error, usage, reason = event.error, usage_of(event), event.error.reason
    if error.code == _NEVER_STARTED and ending_as is None:
        return Outcome(Reason.INTERRUPTED, JobError(error.code, error.message, error.hint))
    if ending_as is not None and reason in _INTENDED:
        reason = ending_as  # the worker only knows that it was told to stop; we know why
    elif reason is Reason.INTERRUPTED:
        reason = Reason.INSTANCE_LOST
    elif reason not in _WORKERS_REASONS:
        reason = Reason.FAILED
    said = JobError(error.code, error.message, error.hint)
    return Outcome(reason, said, is_retryable=error.retryable, usage=usage)


def of_taking(error: PitcheyError, ending_as: Reason | None, usage: Usage) -> Outcome:
    """Of an attempt whose outputs were made, and could not be taken or delivered."""
    if isinstance(error, Ended):
        assert ending_as is not None
        return Outcome(ending_as, JobError(ending_as, str(error)), usage=usage)
    if isinstance(error, NetworkError):
        said, is_retryable = JobError("not_stored", str(error), error.hint or None), True
    elif isinstance(error, ArtifactsDenied | ProfileMissing):
        said, is_retryable = _unfit(error), True
    else:
        # A full disk of ours is no fault of the output.
        said, is_retryable = JobError("bad_output", str(error), error.hint), isinstance(error, StoreError)
    return Outcome(Reason.FAILED, said, is_retryable=is_retryable, usage=usage)


def usage_of(ending: protocol.Ending) -> Usage:
    """What the attempt has used."""
    return Usage(**ending.metrics.model_dump())


def never_started() -> protocol.ErrorEvent:
    """The end of an attempt that was claimed, and of which no worker knows."""
    failure = protocol.Failure(
        code=_NEVER_STARTED,
        message="The daemon went away before the attempt began.",
        retryable=True,
        reason=Reason.INTERRUPTED,
    )
    return protocol.ErrorEvent(seq=1, at=0.0, error=failure, metrics=protocol.Metrics())


def _unfit(error: PitcheyError) -> JobError:
    """What is said of a node that is not set up as the job needs it: the job is well, and another node may do it.

    Which node it is stands beside the attempt, for those who may know of nodes; this is read by the organisation.
    """
    return JobError(unfit.CODE, f"Its node cannot do it: {error}", error.hint or None)
