"""Hand a job's outputs to the user."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from pitchey_cli.artifacts.port import Artifacts, Deliver, Presigner
from pitchey_cli.domain.buckets import BucketUrl, destination_of
from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.job import TERMINAL, Job, JobError, JobState, Output
from pitchey_cli.domain.moments import span
from pitchey_cli.domain.program import PRINTED_ROLES
from pitchey_cli.store.port import Store
from processors.specs import SPECS
from processors.vocabulary import Service

_FILE_ROLE = "file"  # of what a program has left
_STREAM_ROLES = {"playlist", "segment"}  # of files that name each other, and so keep their names and folders
_LIST_SUFFIXES = {".m3u8", ".mpd"}  # of playlists, in specs that tell their outputs before the work
_SETS = ("sprite.", "sprite-", "scenes.", "scene-")  # how the names of others begin that name each other
_LONGEST_LINK_SECONDS = 7 * 86_400  # Amazon S3 User Guide, "Download and upload objects with presigned URLs"
_LINKS_AT_ONCE = 8
_NAME_BYTES = 255  # the longest name that the usual file systems take
_MAIN_STEMS = {str(service) for service in Service}  # video.mp4 is what a video job is for, and is named after it


@dataclass(frozen=True, slots=True)
class Exported:
    """One output, as it was written."""

    output: Output
    path: Path


def file_name(job_name: str, path: str, *, has_main: bool = True, keeps_folder: bool = False) -> PurePosixPath:
    """What to call an output: after the job where it is the job's main output, else with its own name behind.

    A job's name may have come from anybody: it never leaves the directory.

    Args:
        has_main: False where no output is the main one, whatever its name.
        keeps_folder: all outputs of the job keep their names, in a folder that is called after it.
    """
    own = PurePosixPath(path)
    if keeps_folder or own.suffix in _LIST_SUFFIXES or path.startswith(_SETS):
        return _in_folder(job_name, path)
    is_main = has_main and own.stem in _MAIN_STEMS and len(own.parts) == 1
    *folders, last = _stem(job_name).parts
    return PurePosixPath(*folders, _fitting(last, own.suffix if is_main else f"-{'-'.join(own.parts)}"))


def place(job: Job, output: Output) -> Path:
    """What to call an output.

    What names each other has a folder of its own, as a stream, the pictures of a seek bar, or a document that links to
    its pictures. What a program has left keeps its folders: nobody else says that two are not one.
    """
    if output.role in _STREAM_ROLES:
        return Path(_in_folder(job.name, output.path))
    if job.service is Service.MEDIA and job.spec.get("album"):  # each is called after its own track already
        *folders, _ = _stem(job.name).parts
        return Path(*folders, _fitting("-".join(PurePosixPath(output.path).parts), ""))
    if output.role != _FILE_ROLE:
        return Path(file_name(job.name, output.path, keeps_folder=_keeps_folder(job)))
    first, *rest = PurePosixPath(output.path).parts
    return Path(file_name(job.name, first, has_main=False), *rest)


def _keeps_folder(job: Job) -> bool:
    try:
        return SPECS[job.service].model_validate(job.spec).keeps_folder
    except ValidationError:  # it was taken by an older version; its result is its owner's all the same
        return False


def _in_folder(job_name: str, path: str) -> PurePosixPath:
    """Put a file that others name into a folder that is called after the job."""
    *folders, last = _stem(job_name).parts
    return PurePosixPath(*folders, _fitting(last, ""), path)


def _stem(job_name: str) -> PurePosixPath:
    parts = [part for part in PurePosixPath(job_name).parts if part not in ("/", "..", ".")]
    return PurePosixPath("/".join(part.replace("\0", "") for part in parts) or "result")


def _fitting(stem: str, ending: str) -> str:
    """A file name that is not too long. One that is cut has a hash of the whole, so that no two become one."""
    name = f"{stem}{ending}"
    if len(name.encode()) <= _NAME_BYTES:
        return name
    ending = f"~{hashlib.sha256(stem.encode()).hexdigest()[:8]}{ending}"
    return stem.encode()[: _NAME_BYTES - len(ending.encode())].decode(errors="ignore") + ending


def refuse_existing(target: Path, *, overwrite: bool, keep: Sequence[Path]) -> None:
    """Raise UsageError when something is in the way.

    Args:
        keep: files that are never replaced, whatever `overwrite` says: the job's own inputs.
    """
    try:
        if blocked := next((folder for folder in target.parents if folder.is_file()), None):
            raise UsageError(f"{blocked} is a file, where a folder is to be.", hint="--output chooses another place.")
        if not target.exists():
            return
    except OSError:  # a path that is too long, for one: whoever makes the folder says so
        return
    if target.is_dir():
        raise UsageError(f"{target} is a folder, where a result is to go.", hint="--output chooses another place.")
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


def delivered(job: Job, outputs: Sequence[Output]) -> list[tuple[Output, BucketUrl]]:
    """Where in a bucket the outputs of a job are that has succeeded; nowhere, if nobody has named one."""
    if not job.output:
        return []
    root = destination_of(job.output, job.id, job.name)
    return [(each, root.below(each.path)) for each in outputs]


@dataclass(frozen=True, slots=True)
class Linking:
    """What can make links to outputs."""

    deliver: Deliver  #: to those that were brought to a bucket
    presigner: Presigner | None  #: to artifacts, where they are kept in one


def link_seconds(text: str, *, what: str = "--expires") -> int:
    """How long links are to be good.

    Args:
        what: what whoever asked calls that.

    Raises:
        UsageError: no server signs for so long.
    """
    seconds = span(text, what=what).total_seconds()
    if not 1 <= seconds <= _LONGEST_LINK_SECONDS:
        raise UsageError(f"{what}: a link is good for a second at least, and for 7d at most, not for {text}.")
    return int(seconds)


def links(linking: Linking, job: Job, outputs: Sequence[Output], *, seconds: int) -> list[tuple[Output, str]]:
    """Links with which anybody can fetch the outputs of a job that has succeeded, for so long.

    Raises:
        UsageError: they are in no bucket.
    """
    if job.output:
        link = partial(linking.deliver.link, organisation=job.organisation, seconds=seconds)
        return [(each, link(url)) for each, url in delivered(job, outputs)]
    if linking.presigner is not None:
        sign = partial(linking.presigner.get_url, seconds=seconds)
        pool = ThreadPoolExecutor(_LINKS_AT_ONCE, thread_name_prefix="pitchey-link")  # the bucket is asked for each
        try:
            return [*zip(outputs, pool.map(sign, [each.sha256 for each in outputs]), strict=True)]
        finally:
            pool.shutdown(cancel_futures=True)
    hint = "`--output s3://bucket/{job}/` puts them into one, and artifacts.url those of all jobs."
    raise UsageError(f"The outputs of job {job.id} are in no bucket, and nothing else has links.", hint=hint)


def make_directory(directory: Path) -> None:
    """Make a directory for results, or say why it cannot be, or cannot be written."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise Denied(f"{directory} may not be written.", hint="--output chooses another place.") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{directory} is a file.", hint="--output names a directory for the results.") from error
    except OSError as error:
        text = f"The directory {directory} cannot be made: {error.strerror}."
        raise UsageError(text, hint="--output chooses another place.") from error
    try:
        with tempfile.TemporaryFile(dir=directory):  # only a try tells: root may, and a read-only disk does not
            pass
    except OSError as error:
        text = f"{directory} cannot be written: {error.strerror}."
        raise Denied(text, hint="--output chooses another place.") from error


def export(
    store: Store,
    artifacts: Artifacts,
    job: Job,
    directory: Path,
    *,
    overwrite: bool,
    keep: Sequence[Path] = (),
    with_streams: bool = False,
) -> list[Exported]:
    """Write a job's outputs into a directory; all names are checked before the first is written.

    Args:
        overwrite: replace files that exist.
        keep: files that are never replaced, whatever `overwrite` says: the job's own inputs.
        with_streams: also those that hold what a program printed.
    """
    wanted = [each for each in outputs_of(store, job) if with_streams or each.role not in PRINTED_ROLES]
    planned = [Exported(output, directory / place(job, output)) for output in wanted]
    for item in planned:
        refuse_existing(item.path, overwrite=overwrite, keep=keep)
    for parent in dict.fromkeys(item.path.parent for item in planned):
        make_directory(parent)
    for item in planned:
        artifacts.export(item.output.sha256, item.path, overwrite=overwrite)
    return planned
