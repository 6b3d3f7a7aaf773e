"""The artifacts of a server: fetched in the end, in pieces that are kept where it breaks off.

An artifact is asked for as an output of a job, since whoever may see the job may have it. What has come lies beside the
target as `NAME.<hash>.part`, and takes its name when all of it is there and is what its hash says.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import quote

import httpx

from pitchey_cli.artifacts.copying import translated, write_all
from pitchey_cli.artifacts.port import Artifact, ProgressCallback
from pitchey_cli.domain.errors import InputNotFound, NetworkError, UsageError
from pitchey_cli.domain.job import JobId, Output
from pitchey_cli.remote.client import Client, Interrupted

_CHUNK_BYTES = 256 * 1024
_HASH_LETTERS = 12  # of the hash, in the name of a part: another result is not gone on with

#: shows how one file is fetched: its name and size -> what is told how much has come
Showing = Callable[[str, int], AbstractContextManager[ProgressCallback]]


class RemoteArtifacts:
    """Where a server keeps files."""

    def __init__(self, client: Client, showing: Showing) -> None:
        self._client, self._showing = client, showing
        self._places: dict[str, tuple[JobId, Output]] = {}
        self._kept: tempfile.TemporaryDirectory[str] | None = None

    def found(self, job_id: JobId, outputs: Sequence[Output]) -> None:
        """Remember whose outputs these are."""
        self._places.update((each.sha256, (job_id, each)) for each in outputs)

    def export(self, sha256: str, target: Path, *, overwrite: bool) -> None:
        """Fetch an output, or the rest of it, and give it its name."""
        job_id, output = self._place(sha256)
        part = target.with_name(_part_name(target.name, sha256))
        try:
            with self._showing(target.name, output.size) as progress:
                self._fetch(job_id, output, part, progress)
            if not overwrite and target.exists():
                raise UsageError(f"{target} exists.", hint="--overwrite replaces it, --output chooses another place.")
            part.replace(target)
        except OSError as error:
            raise translated(error, target) from error

    def path(self, sha256: str) -> Path:
        """A copy of it, for as long as this command lasts."""
        if self._kept is None:
            self._kept = tempfile.TemporaryDirectory(prefix="pitchey-")
        path = Path(self._kept.name) / sha256
        if not path.exists():
            self.export(sha256, path, overwrite=True)
        return path

    def _place(self, sha256: str) -> tuple[JobId, Output]:
        if sha256 not in self._places:
            raise InputNotFound(f"{self._client.where} has no such file.")
        return self._places[sha256]

    def _fetch(self, job_id: JobId, output: Output, part: Path, progress: ProgressCallback) -> None:
        url = f"/v1/jobs/{job_id}/outputs/{quote(output.path)}"
        patience = self._client.patience()
        with part.open("ab") as file:
            while (done := file.seek(0, os.SEEK_END)) < output.size:
                try:
                    self._go_on(url, output, file.fileno(), done, progress)
                except Interrupted as broken:
                    self._client.check_passing(broken.error, patience)
                    patience.pause()
                if os.fstat(file.fileno()).st_size > done:
                    patience = self._client.patience()
            progress(output.size, output.size)
            os.fsync(file.fileno())
        with part.open("rb") as whole:
            digest = hashlib.file_digest(whole, "sha256").hexdigest()
        if digest != output.sha256:
            part.unlink(missing_ok=True)
            raise NetworkError(f"{output.path} of job {job_id} came as something else than it is.", hint="Try again.")

    def _go_on(self, url: str, output: Output, descriptor: int, done: int, progress: ProgressCallback) -> None:
        headers = {"Range": f"bytes={done}-", "If-Range": f'"{output.sha256}"'} if done else {}
        with self._client.stream("GET", url, headers=headers) as answer:
            if answer.status_code != httpx.codes.PARTIAL_CONTENT:
                os.ftruncate(descriptor, 0)  # all of it comes
                done = 0
            for data in answer.iter_raw(_CHUNK_BYTES):
                write_all(descriptor, memoryview(data))
                done += len(data)
                progress(done, output.size)

    def add(
        self,
        source: Path,
        *,
        limit_bytes: int,
        may_be_empty: bool = False,
        called: str = "",
        progress: ProgressCallback | None = None,
    ) -> Artifact:
        """Inputs go to the server with the jobs that name them."""
        del limit_bytes, may_be_empty, called, progress
        raise UsageError(f"{source} is sent with the job that names it.")

    def refresh(self, names: Collection[str]) -> set[str]:
        """Nothing is staged here that could have gone."""
        del names
        return set()


def _part_name(name: str, sha256: str) -> str:
    ending = f".{sha256[:_HASH_LETTERS]}.part"
    return name.encode()[: 255 - len(ending)].decode(errors="ignore") + ending
