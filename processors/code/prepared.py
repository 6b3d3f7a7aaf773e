"""A job as a slot takes it, or why there is none. Pure; runs on the host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from processors.code.slot_protocol import HEADROOM_BYTES, MAX_FILE_BYTES, MAX_FILES, OUT_DIR_NAME, Job, JobFile
from processors.names import problem_among


class CannotPrepare(ValueError):
    """The job cannot be run as it is; says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job as a slot takes it."""

    job: Job
    contents: tuple[bytes | Path, ...]  #: of its files, in their order
    stdin: bytes

    def with_files(self, files: Mapping[str, Path]) -> Prepared:
        """The same with more files beside the program.

        Raises:
            CannotPrepare: there is one of that name, or they are too many or too large.
        """
        names = [file.name for file in self.job.files]
        if problem := problem_among(files, [*names, OUT_DIR_NAME]):
            raise CannotPrepare(problem)
        added = tuple(JobFile(name, path.stat().st_size) for name, path in files.items())
        if large := next((file for file in added if file.size > MAX_FILE_BYTES), None):
            raise CannotPrepare(f"{large.name} has {large.size} bytes; at most {MAX_FILE_BYTES} are allowed")
        if len(names) + len(added) > MAX_FILES:
            raise CannotPrepare(f"there are {len(names) + len(added)} files; at most {MAX_FILES} are allowed")
        job = self.job._replace(files=self.job.files + added)
        return Prepared(job, (*self.contents, *files.values()), self.stdin)

    @property
    def memory_bytes(self) -> int:
        """The least memory limit of a container that can run it."""
        phases = [self.job.run, self.job.compile] if self.job.compile else [self.job.run]
        return max(phase.limits.memory_bytes for phase in phases) + HEADROOM_BYTES
