"""The wiring of a command that works at a server: the same words, and behind them HTTP."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pitchey_cli import settings as configuration
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.remote.artifacts import RemoteArtifacts, Showing
from pitchey_cli.remote.client import Client
from pitchey_cli.remote.contexts import Chosen
from pitchey_cli.remote.server import Server
from pitchey_cli.remote.store import remote_store
from pitchey_cli.remote.surroundings import Watched
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from pitchey_cli.wiring import SystemClock, Wiring

if TYPE_CHECKING:
    from pitchey_cli.artifacts.port import Artifacts
    from pitchey_cli.daemon.lock import Holder
    from pitchey_cli.domain.buckets import BucketUrl
    from pitchey_cli.domain.budget import AsOf
    from pitchey_cli.operations.alerts import Standing


@dataclass(frozen=True)
class _Parts:
    client: Client
    watched: Watched
    artifacts: RemoteArtifacts
    server: Server


class RemoteWiring(Wiring):
    """A server in, adapters out. What is set there counts, and not what is set here."""

    _parts: _Parts

    @classmethod
    def of(cls, chosen: Chosen, *, showing: Showing) -> RemoteWiring:
        """For a server.

        Args:
            showing: shows how files are fetched.
        """
        loaded = configuration.Loaded(configuration.Settings(), Path(f"the settings of {chosen.address}"), {})
        made = cls(loaded, Path(), SystemClock())
        client = Client(chosen.address, chosen.token)
        watched = Watched(client)
        server = Server(client, watched, chosen.organisation, made.clock.now)
        object.__setattr__(made, "_parts", _Parts(client, watched, RemoteArtifacts(client, showing), server))
        return made

    @property
    def elsewhere(self) -> Server:
        """The server."""
        return self._parts.server

    def listed(self, url: BucketUrl) -> list[str]:
        """The keys to a bucket are the server's, and it looks into no folder for somebody else."""
        raise UsageError(
            f"{url} is a folder, and {self.elsewhere.where} takes objects.", hint="Name the objects in it."
        )

    @property
    def settings(self) -> configuration.Settings:
        """What is set there."""
        return self._parts.watched.settings

    def store(self, *, create: bool = True, busy_seconds: float | None = None) -> Store:
        """The store of the server."""
        del create, busy_seconds
        return self._store

    def plain_store(self, *, create: bool = True, busy_seconds: float | None = None, is_heard: bool = True) -> Store:
        """The same: whoever works at a distance is somebody."""
        return self.store(create=create, busy_seconds=busy_seconds)

    @cached_property
    def _store(self) -> Store:
        return remote_store(self._parts.client, self._parts.artifacts.found)

    def artifacts(self) -> Artifacts:
        """The files of the server."""
        found: Any = self._parts.artifacts  # it has what somebody at a distance may do with them
        return found  # type: ignore[no-any-return]

    @property
    def organisation(self) -> str | None:
        """The one that the token is of."""
        return self._parts.watched.organisation

    def at_work(self, store: Store) -> list[str]:
        """The nodes that share the queue of the server."""
        del store
        return self._parts.watched.at_work()

    def holder(self) -> Holder | None:
        """Who runs the jobs there."""
        return self._parts.watched.holder()

    def poke(self) -> bool:
        """The server wakes its daemon by itself; whether there is one."""
        return self.holder() is not None or bool(self._parts.watched.at_work())

    def alerts(self, store: Store, *, dry_run: bool) -> list[Standing]:
        """Where the alert rules stand there."""
        del store
        return self._parts.server.alerts(dry_run=dry_run)

    def metrics(self, store: Store) -> str:
        """Everything that is counted there."""
        del store
        return self._parts.server.metrics()

    def as_of(self) -> AsOf:
        """The moment there."""
        return self._parts.watched.as_of()
