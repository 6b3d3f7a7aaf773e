"""Hand a job's outputs to the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.job import TERMINAL, Job, JobError, JobState, Output
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

_MAIN_STEMS = {str(service) for service in Service}  # video.mp4 is what a video job is for, and is named after it


@dataclass(frozen=True, slots=True)
class Exported:
    """One output, as it was written."""

    output: Output
    path: Path


def file_name(job_name: str, path: str) -> PurePosixPath:
    """What to call an output: after the job where it is the job's main output, else with its own name behind.

    A job's name may have come from anybody: it never leaves the directory.
    """
    parts = [part for part in PurePosixPath(job_name).parts if part not in ("/", "..", ".")]
    stem = "/".join(part.replace("\0", "") for part in parts) or "result"
    own = PurePosixPath(path)
    if own.stem in _MAIN_STEMS and len(own.parts) == 1:
        return PurePosixPath(f"{stem}{own.suffix}")
    return PurePosixPath(f"{stem}-{'-'.join(own.parts)}")


def refuse_existing(target: Path, *, overwrite: bool, keep: Sequence[Path]) -> None:
    """Raise UsageError when a file is in the way.

    Args:
        keep: files that are never replaced, whatever `overwrite` says: the job's own inputs.
    """
    if not target.exists():
        return
    if any(other.exists() and target.samefile(other) for other in keep):
        raise UsageError(f"The result would replace the input {target}.", hint="Choose a directory with --output.")
    if not overwrite:
        raise UsageError(f"{target} exists.", hint="--overwrite replaces it, --output chooses another place.")


def outputs_of(store: Store, job: Job) -> list[Output]:
    """A succeeded job's outputs.

    Raises:
        UsageError: the job has not succeeded, so there is nothing to give.
    """
    if job.state is JobState.SUCCEEDED:
        return store.outputs(job.id)
    if job.state in TERMINAL:
        error = job.error or JobError("cancelled", "it was cancelled.")
        raise InputNotFound(f"Job {job.id} has no result: {error.message}", hint=error.hint or "")
    raise UsageError(
        f"Job {job.id} is {job.state}: it has no result yet.", hint=f"`pitchey wait {job.id}` waits for it."
    )


def make_directory(directory: Path) -> None:
    """Make a directory for results, or say why it cannot be."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise Denied(f"{directory} may not be written.", hint="--output chooses another place.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{directory} is a file.", hint="--output names a directory for the results.") from error
    except OSError as error:
        raise UsageError(f"{directory} is no directory for results: {error.strerror}.") from error


def export(
    store: Store, artifacts: Artifacts, job: Job, directory: Path, *, overwrite: bool, keep: Sequence[Path] = ()
) -> list[Exported]:
    """Write a job's outputs into a directory; all names are checked before the first is written.

    Args:
        overwrite: replace files that exist.
        keep: files that are never replaced, whatever `overwrite` says: the job's own inputs.
    """
    planned = [Exported(output, directory / file_name(job.name, output.path)) for output in outputs_of(store, job)]
    for item in planned:
        refuse_existing(item.path, overwrite=overwrite, keep=keep)
    for item in planned:
        make_directory(item.path.parent)
        artifacts.export(item.output.sha256, item.path, overwrite=overwrite)
    return planned
