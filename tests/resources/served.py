"""The API as it is served, on a port of this run, over a state directory of its own and without a daemon.

What a daemon would do to jobs is done to the database by hand, so that a test says where each of them stands.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from pitchey_cli import settings as configuration
from pitchey_cli.api.server import serve
from pitchey_cli.domain.access import ALL_ORGANISATIONS, Area, Role
from pitchey_cli.domain.job import Instance, InstanceState, Job, JobError, JobId, NewJob, Outcome, Output
from pitchey_cli.domain.listening import Address
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.operations import access
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import SystemClock, Wiring
from processors.vocabulary import Reason, Service

VIDEO = Service.VIDEO
CONTENT = bytes(range(256)) * 16  #: of every output
_NUMBERS = itertools.count(1)


@dataclass
class Served:
    """A server, its database, and clients of it."""

    wiring: Wiring
    address: Address
    store: Store
    clients: list[httpx.Client] = field(default_factory=list)

    # --- who asks

    def token(
        self,
        role: Role = Role.ADMIN,
        organisation: str = ALL_ORGANISATIONS,
        *,
        areas: frozenset[Area] = frozenset(),
        member: str = "",
        lasts: str = "",
        now: datetime | None = None,
    ) -> str:
        """A token; its organisation is made known first."""
        if organisation:
            self.store.add_organisation(organisation, now=self.now)
        _, text = access.add_token(
            self.store, None, "test", organisation=organisation, role=role, areas=areas, member=member, lasts=lasts,
            now=now or self.now,
        )  # fmt: skip
        return text

    def client(self, token: str = "", *, timeout: float = 120, **headers: str) -> httpx.Client:
        """A client that shows a token."""
        shown = headers | ({"Authorization": f"Bearer {token}"} if token else {})
        if self.address.path:
            transport = httpx.HTTPTransport(uds=self.address.path)
            made = httpx.Client(transport=transport, base_url="http://localhost", headers=shown, timeout=timeout)
        else:
            made = httpx.Client(base_url=str(self.address), headers=shown, timeout=timeout)
        self.clients.append(made)
        return made

    # --- what there is

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def add(self, organisation: str = "default", **changes: object) -> JobId:
        """A job that waits."""
        number = next(_NUMBERS)
        spec = {"inputUrl": "https://media.example/clip.mp4"}
        job = NewJob(JobId(f"job{number}"), VIDEO, spec, name=f"clip-{number}", organisation=organisation, **changes)  # type: ignore[arg-type]
        return self.store.enqueue([job], now=self.now)[0]

    def claim(self, job_id: JobId) -> Job:
        """Let a job run, and with it all that waited."""
        instance_id = f"video-{next(_NUMBERS)}"
        self.store.add_instance(
            Instance(
                instance_id,
                VIDEO,
                "docker",
                "video:1",
                1000,
                InstanceState.READY,
                2.0,
                2**31,
                2.0,
                2**31,
                self.now,
                instance_type="standard-2",
                boot="b",
            )
        )
        places = Places([Candidate(instance_id, 1000, 1000)])
        until = self.now + timedelta(hours=1)
        self.store.claim(PoolKey(VIDEO), places=places, policy=QueuePolicy(), now=self.now, lease_until=until, tick=0)
        return self.store.job(job_id)

    def succeed(self, job_id: JobId, folder: Path, content_bytes: bytes = CONTENT) -> None:
        """Let a job succeed, with one output, of 4 KiB if nothing else is said."""
        content = folder / "content"
        content.write_bytes(content_bytes)
        kept = self.wiring.artifacts().add(content, limit_bytes=1 << 30)
        self.give(job_id, [Output("video.mp4", "video", "video/mp4", kept.sha256, kept.size)])

    def give(self, job_id: JobId, outputs: Sequence[Output]) -> None:
        """Let a job succeed with these outputs, of which nothing is kept."""
        self._finish(self.claim(job_id), Outcome(Reason.COMPLETED, outputs=tuple(outputs)))

    def fail(self, job_id: JobId) -> None:
        """Let a job fail for good."""
        self.fail_running(self.claim(job_id))

    def fail_running(self, job: Job) -> None:
        """Let one that runs fail for good."""
        self._finish(job, Outcome(Reason.FAILED, JobError("bad_input", "It is no video.", "Give it one.")))

    def _finish(self, job: Job, outcome: Outcome) -> None:
        assert job.token is not None
        transition = after_attempt(job, outcome, now=self.now, dice=0.5)
        self.store.finish(job.id, job.token, outcome, transition, now=self.now, tick=100)


@contextmanager
def served(state_dir: Path, *, path: str = "", host: str = "127.0.0.1", **environment: str) -> Iterator[Served]:
    """Serve for as long as the context lasts.

    Args:
        path: of a Unix socket, instead of a port.
        host: where strangers could reach it, if it is no loopback address.
    """
    loaded = configuration.load({"PITCHEY_STATE_DIR": str(state_dir), "HOME": str(state_dir), **environment})
    wiring = Wiring(loaded, state_dir, SystemClock())
    if path:
        listener, address = socket.socket(socket.AF_UNIX), Address(path=path)
        listener.bind(path)
    else:
        listener = socket.create_server((host, 0))
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        address = Address(host, listener.getsockname()[1])
    listener.listen()
    heard, told = os.pipe()
    store = wiring.plain_store()
    ready = Served(wiring, address, store)
    thread = threading.Thread(target=lambda: asyncio.run(serve(wiring, listener, address, heard)))
    thread.start()
    try:
        yield ready
    finally:
        for client in ready.clients:
            client.close()
        os.close(told)  # as when a daemon ends
        thread.join(30)
        store.close()
        assert not thread.is_alive(), "the server did not end with its daemon"
