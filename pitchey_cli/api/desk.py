"""What all requests of a process share: connections to the database, the artifacts, the watch over events.

What is a few rows by their keys is read on the loop, where the database is a file. Other reads run on a few threads,
each with a connection of its own; what is changed runs on the writer's thread, which commits for many callers at once;
what takes long, as to hash an upload, has threads and connections apart, so that nobody who looks waits for it. All are
other connections than the daemon's, as those of `pitchey submit` are.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import TypeVar

from pitchey_cli.api.hands import Hands, Threads
from pitchey_cli.api.problems import Refused
from pitchey_cli.api.rates import Rates
from pitchey_cli.api.watching import Watch
from pitchey_cli.artifacts.incoming import Arrivals
from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.access import Actor
from pitchey_cli.domain.listening import Address
from pitchey_cli.operations.overview import HostWatch
from pitchey_cli.operations.requests import Submitting
from pitchey_cli.operations.result import Linking
from pitchey_cli.store.apart import apart
from pitchey_cli.store.noted import noted
from pitchey_cli.store.port import Store
from pitchey_cli.store.writer import Writer
from pitchey_cli.wiring import Wiring

T = TypeVar("T")
_READERS = 4
_SHELF = 2
_FILES = 8
_UPLOADERS = 8
_WORKERS = 4
_WORK_SECONDS = 1800.0  # of what takes long: the largest input is hashed in less
_SWEEP_SECONDS = 600.0


@dataclass
class Desk:
    """What handlers work with."""

    wiring: Wiring
    address: Address
    readers: Hands
    workers: Hands
    shelf: Threads  #: for looking at models, on a disk that may be another one
    files: Threads  #: for results, which may have to come from a bucket first
    uploads: Threads  #: for writing what comes, and hashing it
    writer: Writer
    gate: Store  #: for tokens and states of jobs, on the loop: a few rows by their keys
    watch: Watch
    rates: Rates
    is_draining: bool = False
    _busy: set[str] = field(default_factory=set)
    ending: asyncio.Event = field(default_factory=asyncio.Event)  #: streams end

    @classmethod
    def open(cls, wiring: Wiring, address: Address) -> Desk:
        """Open all that it takes."""
        settings = wiring.settings.api
        # What came with requests that a crash has ended: the daemon that they were for is gone as well.
        shutil.rmtree(layout.uploads(wiring.state_dir), ignore_errors=True)
        return cls(
            wiring=wiring,
            address=address,
            readers=Hands(wiring.plain_store, _READERS),
            workers=Hands(wiring.plain_store, _WORKERS, seconds=_WORK_SECONDS),
            shelf=Threads(_SHELF),
            files=Threads(_FILES, seconds=_WORK_SECONDS),
            uploads=Threads(_UPLOADERS, seconds=_WORK_SECONDS),
            writer=Writer(wiring.plain_store()),
            gate=wiring.plain_store(),
            watch=Watch(wiring.plain_store(), None if wiring.server is None else Threads(1)),
            rates=Rates(settings.requests_per_minute),
        )

    def close(self) -> None:
        """Close everything."""
        self.readers.close()
        self.workers.close()
        self.shelf.close()
        self.files.close()
        self.uploads.close()
        self.writer.close()
        self.watch.close()
        self.gate.close()

    @cached_property
    def artifacts(self) -> Artifacts:
        """Where files are kept."""
        return self.wiring.artifacts()

    @cached_property
    def linking(self) -> Linking:
        """What makes links to outputs. A bucket that does not answer is not waited for: the list goes without them."""
        return self.wiring.linking(is_hurried=True)

    @cached_property
    def host(self) -> HostWatch:
        """Tells how busy the machine is."""
        return HostWatch(self.wiring.state_dir)

    @cached_property
    def _submitting(self) -> Submitting:
        return self.wiring.submitting(self.gate)

    def submitting(self, store: Store) -> Submitting:
        """What jobs are submitted with, by whoever a store is for."""
        return replace(self._submitting, store=store)

    async def glance(self, fn: Callable[[Store], T]) -> T:
        """Read a few rows by their keys. In a file of this machine that takes less than handing it to a thread, and far
        less while other threads are at work; a server somewhere would keep the loop waiting.
        """
        return fn(self.gate) if self.wiring.server is None else await self.readers.call(fn)

    def for_actor(self, store: Store, actor: Actor) -> Store:
        """A store as somebody may have it: what they change is noted, what is of others is not there."""
        kept = noted(store, actor=lambda: actor.name, now=self.wiring.clock.now)
        return kept if actor.is_of_all else apart(kept, actor.organisation)

    @cached_property
    def incoming(self) -> Arrivals:
        """Where files come in piece by piece."""
        settings = self.wiring.settings.api
        lasts = settings.upload_hours * 3600
        return Arrivals(layout.incoming(self.wiring.state_dir), lasts, settings.upload_bytes)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Keep others from something for as long as the context lasts.

        Raises:
            Refused: somebody else is at it.
        """
        if what in self._busy:
            text = "Another request writes to this upload."
            headers = {"Retry-After": "1", "Connection": "close"}
            raise Refused(HTTPStatus.LOCKED, "locked", text, hint="Try again when it has ended.", headers=headers)
        self._busy.add(what)
        try:
            yield
        finally:
            self._busy.discard(what)

    async def sweep(self, every_seconds: float = _SWEEP_SECONDS) -> None:
        """Remove uploads that nobody goes on with, now and then, whatever the disk said the last time."""
        while True:
            try:
                await self.uploads.tidy(lambda: self.incoming.sweep(now=time.time()))
            except OSError as error:
                sys.stderr.write(f"Uploads that have expired could not be removed: {error}\n")
            await asyncio.sleep(every_seconds)

    def poke(self) -> bool:
        """Wake whoever runs the jobs; False when nobody does."""
        return lock.poke(self.wiring.state_dir)

    def runner(self) -> lock.Holder | None:
        """Who runs the jobs here."""
        return lock.holder(self.wiring.state_dir)

    async def at_work(self) -> list[str]:
        """The names of the nodes that are up on a queue that several share."""
        return [] if self.wiring.server is None else await self.glance(self.wiring.at_work)

    async def is_run(self) -> bool:
        """Whether anybody runs the jobs, here or on another machine."""
        return await self.glance(self.wiring.is_run)
