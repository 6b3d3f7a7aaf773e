"""A node inside `pitchey run`: the daemon's loop in a thread of the command, for as long as somebody waits."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from pitchey_cli.daemon.loop import Loop
from pitchey_cli.domain.errors import PitcheyError
from processors.vocabulary import Service

#: runs a loop to its end; given the event that stops it, and what to call with the loop once it is ready
Serve = Callable[[asyncio.Event, Callable[[Loop], None]], Coroutine[Any, Any, None]]


class EmbeddedNode:
    """Starts the loop in a thread, and ends it when the command is done. Use as a context manager."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._thread = threading.Thread(target=self._run, name="pitchey-node")
        self._is_ready = threading.Event()
        self._asyncio: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._loop: Loop | None = None
        self._error: BaseException | None = None
        self._is_told_to_stop = False

    def __enter__(self) -> EmbeddedNode:
        self._thread.start()
        try:
            self._is_ready.wait()
            self.check()
        except BaseException:  # Ctrl-C, too: nobody else would stop the thread
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._is_told_to_stop = True
        if self._asyncio is not None and self._stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._asyncio.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def check(self) -> None:
        """Raise what ended the loop before its time."""
        if self._error is not None:
            raise self._error

    def start_error(self, service: Service) -> PitcheyError | None:
        """Why no instance of a service could be started, if so."""
        pools = [] if self._loop is None else list(self._loop.pools.items())  # its thread makes and forgets pools
        errors = (pool.start_error for key, pool in pools if key.service is service)
        return next((error for error in errors if error is not None), None)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # carried to the command's own thread by check()
            self._error = error
        finally:
            self._is_ready.set()

    async def _main(self) -> None:
        self._asyncio = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        if self._is_told_to_stop:
            return

        def ready(loop: Loop) -> None:
            self._loop = loop
            self._is_ready.set()

        await self._serve(self._stop, ready)
