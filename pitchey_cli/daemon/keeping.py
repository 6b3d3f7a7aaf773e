"""Short results on their way into the artifacts: what has come meanwhile goes there together, in one visit to a thread.

The disk, or whatever keeps artifacts, is waited for once for all of them. A lone one is not held back for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from pitchey_cli.artifacts.port import Artifact, Artifacts
from pitchey_cli.domain.errors import PitcheyError

_MOST_VISITS = 2  # at once: while one waits for the disk, the next writes


@dataclass(slots=True, eq=False)
class _Wanted:
    contents: Sequence[bytes]
    kept: asyncio.Future[list[Artifact]]


@dataclass(slots=True)
class Keeping:
    """What waits to be kept."""

    artifacts: Artifacts
    _waiting: list[_Wanted] = field(default_factory=list)
    _visits: set[asyncio.Task[None]] = field(default_factory=set)

    async def keep(self, contents: Sequence[bytes]) -> list[Artifact]:
        """Take contents, in their order.

        Raises:
            PitcheyError: these, or others that came with them, could not be kept.
        """
        wanted = _Wanted(contents, asyncio.get_running_loop().create_future())
        self._waiting.append(wanted)
        if len(self._visits) < _MOST_VISITS:
            self._visits.add(asyncio.create_task(self._visit()))
        return await wanted.kept

    async def _visit(self) -> None:
        try:
            await self._keep_waiting()
        finally:  # at once: who comes after this last look must find one visit less, or nobody would look again
            self._visits.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _keep_waiting(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            contents = [data for each in some for data in each.contents]
            try:
                found = iter(await asyncio.to_thread(self.artifacts.put, contents))
            except PitcheyError as error:
                for each in some:
                    _settle(each, error)
            except Exception as error:
                for each in some:
                    _settle(each, PitcheyError(f"A result could not be kept: {error!r}."))
            else:
                for each in some:
                    _settle(each, [next(found) for _ in each.contents])


def _settle(wanted: _Wanted, kept: list[Artifact] | PitcheyError) -> None:
    if wanted.kept.done():
        return  # whoever waited has given up
    if isinstance(kept, PitcheyError):
        wanted.kept.set_exception(kept)
    else:
        wanted.kept.set_result(kept)
