"""One download of an input, in a thread that ends with the process.

A server may be silent for half a minute before that is an error, and nothing ends a thread from outside: so whoever
waits for the download can be let go at once, and the thread is none of those that the end of the process waits for.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable

from pitchey_cli.artifacts.port import Artifact
from pitchey_cli.domain.errors import PitcheyError

Fetched = tuple[Artifact, str]  #: and what to call it


class Download:
    """Begins when it is made, in the running event loop."""

    def __init__(self, fetch: Callable[[], Fetched]) -> None:
        self._fetch = fetch
        self._loop = asyncio.get_running_loop()
        self._fetched: asyncio.Future[Fetched] = self._loop.create_future()
        threading.Thread(target=self._work, name="pitchey-download", daemon=True).start()

    async def result(self) -> Fetched:
        """What has come.

        Raises:
            PitcheyError: why nothing has.
        """
        return await self._fetched

    def end(self) -> None:
        """Let go whoever waits for it. The thread ends when it next asks whether it is to go on."""
        self._settle(None, PitcheyError("The download was ended."))

    def _work(self) -> None:
        fetched: Fetched | None = None
        error: BaseException | None = None
        try:
            fetched = self._fetch()
        except BaseException as raised:  # for whoever waits, whatever it is
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._settle, fetched, error)

    def _settle(self, fetched: Fetched | None, error: BaseException | None) -> None:
        if self._fetched.done():
            return
        if fetched is not None:
            self._fetched.set_result(fetched)
        else:
            self._fetched.set_exception(error or PitcheyError("Nothing was fetched."))
