"""The inputs of an attempt, made ready where its worker finds them; what is a URL is fetched first."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from pitchey_cli.artifacts.port import Artifact, ProgressCallback
from pitchey_cli.daemon.files import AttemptFiles
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.patience import patiently
from pitchey_cli.daemon.transfer import Transfer
from pitchey_cli.domain.errors import InputRejected, NetworkError, PitcheyError
from pitchey_cli.domain.job import Job, JobInput, Token
from processors import protocol
from processors.specs import SPECS


@dataclass(slots=True)
class Staging:
    """The inputs of one attempt, on their way."""

    node: Node
    job: Job
    token: Token
    files: AttemptFiles
    is_ending: Callable[[], bool]
    _download: Transfer[tuple[Artifact, str]] | None = None

    @property
    def is_fetching(self) -> bool:
        """Whether an input is being downloaded."""
        return self._download is not None

    def end(self) -> None:
        """Let go of a download."""
        if self._download is not None:
            self._download.end()

    async def stage(self) -> list[protocol.InputFile]:
        """Make all of them ready.

        Raises:
            PitcheyError: says which cannot be had, and why.
        """
        return [await self._one(index, item) for index, item in enumerate(self.job.inputs)]

    async def _one(self, index: int, item: JobInput) -> protocol.InputFile:
        sha256, size, name = item.sha256, item.size, item.name
        if item.url is not None:
            artifact, found_name = await self._fetch(item.url)
            if item.field != SPECS[self.job.service].attached_field:  # those have the name that was asked for
                name = found_name
            sha256, size = artifact.sha256, artifact.size
        if sha256 is None or size is None:
            raise InputRejected(f"The input {name} has no content yet.")
        place = partial(self.files.place, index, name, sha256)
        path, url = await patiently(self.node, self.token, self.is_ending, lambda: asyncio.to_thread(place))
        return protocol.InputFile(field=item.field, path=path, name=name, size=size, sha256=sha256, url=url)

    async def _fetch(self, url: str) -> tuple[Artifact, str]:
        if self.is_ending():  # while an earlier input was made ready
            raise PitcheyError("The download was ended.")
        progress = self._stop_fetching(self.node.clock.monotonic() + self.job.timeout_seconds)
        self._download = Transfer(partial(self.node.fetch, url, organisation=self.job.organisation, progress=progress))
        found = await self._download.result()
        self._download = None
        return found

    def _stop_fetching(self, deadline: float) -> ProgressCallback:
        """Called for every piece of a download: ends it when its job was ended, or takes too long."""

        def check(done: int, total: int | None) -> None:
            if self.is_ending():
                raise PitcheyError("The download was ended.")
            if self.node.clock.monotonic() > deadline:
                raise NetworkError(f"The download took longer than the job may take ({self.job.timeout_seconds:g} s).")

        return check
