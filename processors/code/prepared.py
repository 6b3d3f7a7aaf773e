"""A job as a slot takes it, or why there is none. Pure; runs on the host."""

from __future__ import annotations

from dataclasses import dataclass

from processors.code.slot_protocol import HEADROOM_BYTES, Job


class CannotPrepare(ValueError):
    """The job cannot be run as it is; says why."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job as a slot takes it."""

    job: Job
    contents: tuple[bytes, ...]  #: of its files, in their order
    stdin: bytes

    @property
    def memory_bytes(self) -> int:
        """The least memory limit of a container that can run it."""
        phases = [self.job.run, self.job.compile] if self.job.compile else [self.job.run]
        return max(phase.limits.memory_bytes for phase in phases) + HEADROOM_BYTES
