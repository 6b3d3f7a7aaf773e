"""Errors a person or a script sees: each has its sentence, a way out and an exit code.

Foreign errors are turned into these at the edge, in the adapter that met them, with the original as the cause.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What `pitchey` exits with. Documented in docs/cli.md; scripts branch on it."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    TIMEOUT = 5
    CANCELLED = 6
    BUDGET = 7
    NO_ENGINE = 8  #: no engine, or no daemon
    STORE = 9
    INTERRUPTED = 130


class PitcheyError(Exception):
    """Something that the user can understand and act on.

    Args:
        message: one sentence that names the input.
        hint: what to do next; the class's own hint when None.
    """

    exit_code: ExitCode = ExitCode.JOB_FAILED
    hint: str = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        if hint is not None:
            self.hint = hint


def logged(error: BaseException) -> str:
    """What a log says of an error: ours by its sentence and the way out, and any other with its kind."""
    return f"{error} {error.hint}".rstrip() if isinstance(error, PitcheyError) else repr(error)


class UsageError(PitcheyError):
    """The command, the spec or a setting is wrong."""

    exit_code = ExitCode.USAGE


class NameTaken(UsageError):
    """Something else has the name already."""


class InputNotFound(PitcheyError):
    """A file, job, batch or setting that does not exist."""

    exit_code = ExitCode.NOT_FOUND


class InputRejected(PitcheyError):
    """An input that exists and cannot be taken: empty, too large, changed while it was read."""

    exit_code = ExitCode.USAGE


class Denied(PitcheyError):
    """The system or a policy says no."""

    exit_code = ExitCode.DENIED


class Unauthenticated(Denied):
    """Whoever asks has not said who they are, or nobody knows them."""


class TimedOut(PitcheyError):
    """Waiting took longer than the caller allowed."""

    exit_code = ExitCode.TIMEOUT


class BudgetReached(PitcheyError):
    """What may be spent is spent, and jobs wait."""

    exit_code = ExitCode.BUDGET


class QuotaReached(PitcheyError):
    """An organisation has as much as it may have."""

    exit_code = ExitCode.BUDGET


class EngineError(PitcheyError):
    """The container engine cannot do what was asked."""

    exit_code = ExitCode.NO_ENGINE


class EngineUnavailable(EngineError):
    """No engine answers."""

    hint = "Start Docker or Podman (in a clone, `scripts/engine ensure` does); `pitchey doctor` looks closer."


class RuntimeMissing(EngineError):
    """The engine does not have the runtime that is set, so nothing is started until one of the two changes."""


class GpuMissing(RuntimeMissing):
    """The engine has no graphics card to give, and instances are to have one."""


class ImageMissing(EngineError):
    """The image of a service has not been built."""

    hint = "`pitchey images build` builds what is missing."


class ImageBuildFailed(EngineError):
    """A build step failed."""


class InstanceGone(EngineError):
    """The instance does not exist, or does not run any more."""


class DaemonError(PitcheyError):
    """No daemon, a second daemon, or one that does not answer."""

    exit_code = ExitCode.NO_ENGINE


class StoreError(PitcheyError):
    """The database cannot be opened, read or written."""

    exit_code = ExitCode.STORE


class NotKept(UsageError, StoreError):
    """A text that this database cannot keep, and another one may: whoever has written it leaves something out."""


class SchemaTooNew(StoreError):
    """A newer Pitchey has changed the database, and not so that this one may go on with it."""


class StaleToken(PitcheyError):
    """Another attempt has taken over the job; what this one brings must be thrown away."""


class EpochOver(PitcheyError):
    """Others have taken over what this node ran; whatever it does under its old epoch changes nothing."""


class PoolFull(EngineError):
    """All nodes together have as many instances of a pool as there may be."""


class NetworkError(PitcheyError):
    """A URL could not be fetched this time; another attempt may succeed."""

    hint = "It may be the network or the other side for the moment: try again."


class BucketAway(NetworkError):
    """A provider of S3 does not answer, or not as it should."""

    exit_code = ExitCode.STORE


class BucketFull(BucketAway):
    """A bucket has no room; it is waited for, as one that is away is."""


class BucketMissing(InputNotFound):
    """There is no such bucket."""


class ProfileMissing(UsageError):
    """There is no such profile of S3 here; there may be one elsewhere."""


class ArtifactsDenied(Denied):
    """This machine may not reach where all artifacts are: its settings are wrong, and no job is to blame."""
