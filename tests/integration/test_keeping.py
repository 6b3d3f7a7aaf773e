"""Short results that go into the artifacts together."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.port import Artifact
from pitchey_cli.daemon.keeping import Keeping
from tests.resources.waiting import DEADLINE_SECONDS

VISITS = 2  # as many as go at once


class Meeting(LocalArtifacts):
    """Artifacts whose first visitors meet there, and go on when they are let."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.left_to_meet = VISITS
        self.gate = threading.Barrier(VISITS + 1)
        self.came = asyncio.Semaphore(0)
        self.loop = asyncio.get_running_loop()

    def put(self, contents: Sequence[bytes]) -> list[Artifact]:
        if self.left_to_meet > 0:
            self.left_to_meet -= 1
            self.loop.call_soon_threadsafe(self.came.release)
            self.gate.wait(DEADLINE_SECONDS)
        return super().put(contents)


def test_who_comes_in_the_moment_in_which_all_visits_end_is_served(tmp_path: Path) -> None:
    after = threading.Barrier(VISITS + 1)

    async def come(keeping: Keeping, *contents: bytes) -> list[Artifact]:
        return [kept for each in contents for kept in await keeping.keep([each])]

    async def meet() -> bytes:
        artifacts = Meeting(tmp_path)
        with ThreadPoolExecutor(VISITS) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            keeping, both = Keeping(artifacts), []
            for contents in ((b"one", b"and one more"), (b"another",)):
                both.append(asyncio.create_task(come(keeping, *contents)))
                await artifacts.came.acquire()  # each finds the one before on its way
            artifacts.gate.wait(DEADLINE_SECONDS)
            # The loop stands still until both threads are through: it hears of both in one round.
            for _ in range(VISITS):
                threads.submit(after.wait, DEADLINE_SECONDS)
            after.wait(DEADLINE_SECONDS)
            async with asyncio.timeout(DEADLINE_SECONDS):
                _, last = await both[0]
                await both[1]
            return artifacts.path(last.sha256).read_bytes()

    assert asyncio.run(meet()) == b"and one more"
