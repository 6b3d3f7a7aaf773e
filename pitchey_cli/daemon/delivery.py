"""Bringing a job's outputs to the bucket that it names, before it counts as done.

A job with a destination has succeeded when its outputs are there, and not before: whoever waits for it finds them. It
is a step of the attempt, so a daemon that comes back after a crash does it again, as it takes the outputs again: parts
that are there are not sent twice. Whether the bucket can be written is asked before the work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from pitchey_cli.artifacts.port import Deliver
from pitchey_cli.daemon.node import Node
from pitchey_cli.daemon.patience import Ended, patiently
from pitchey_cli.daemon.transfer import Transfer
from pitchey_cli.domain.buckets import BucketUrl, destination_of
from pitchey_cli.domain.errors import InputNotFound, NetworkError, StoreError
from pitchey_cli.domain.job import Job, Output, Token

_NOTE_SECONDS = 1.0  # how often progress becomes durable
_STAGE = "storing outputs"


@dataclass(slots=True)
class Delivery:
    """The outputs of one attempt, on their way."""

    node: Node
    job: Job
    token: Token
    is_ending: Callable[[], bool]

    async def check(self) -> None:
        """Make sure that the outputs can be written, before the work is done.

        Raises:
            PitcheyError: says why they cannot.
        """
        check = partial(self._port().check, self._root(), organisation=self.job.organisation)
        transfer: Transfer[None] = Transfer(check)
        while not await transfer.is_over(within_seconds=_NOTE_SECONDS):
            if self.is_ending():
                raise Ended("It was ended before it began.")
        await transfer.result()

    async def bring(self, outputs: Sequence[Output]) -> None:
        """Write all of them; after a passing trouble once more.

        Raises:
            Ended: somebody wants the attempt to end.
            PitcheyError: says why they could not be written.
        """
        total = sum(each.size for each in outputs) or 1
        before = 0
        for output in outputs:
            await patiently(
                self.node,
                self.token,
                self.is_ending,
                partial(self._one, output, before, total),
                on=(NetworkError, StoreError),
                saying="is done, and its outputs cannot be stored yet",
            )
            before += output.size

    async def _one(self, output: Output, before: int, total: int) -> None:
        done = 0

        def check(so_far: int, _: int | None) -> None:
            nonlocal done
            done = so_far
            if self.is_ending():
                raise Ended("It was ended while its outputs were stored.")

        bring = partial(
            self._port().deliver,
            output.sha256,
            self._root().below(output.path),
            organisation=self.job.organisation,
            media_type=output.media_type,
            progress=check,
        )
        transfer: Transfer[None] = Transfer(bring)
        while not await transfer.is_over(within_seconds=_NOTE_SECONDS):
            if self.is_ending():
                raise Ended("It was ended while its outputs were stored.")
            await self._note((before + done) / total)
        await transfer.result()

    async def _note(self, fraction: float) -> None:
        node = self.node
        try:
            await node.call(
                node.store.progress,
                self.token,
                fraction=min(1.0, fraction),
                stage=_STAGE,
                eta_seconds=None,
                now=node.clock.now(),
            )
        except StoreError as error:  # a disk that is full for a moment
            node.report(f"{self.token} is being stored, which cannot be noted: {error}")

    def _port(self) -> Deliver:
        if self.node.deliver is None:
            raise InputNotFound(f"This node brings nothing to {self.job.output}.")
        return self.node.deliver

    def _root(self) -> BucketUrl:
        return destination_of(self.job.output, self.job.id, self.job.name)
