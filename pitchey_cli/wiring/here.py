"""What a command works with at this machine: settings in, adapters out."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pitchey_cli import settings as configuration
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import Denied, StoreError
from pitchey_cli.policies import Policies
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass
from pitchey_cli.wiring.clock import SystemClock

if TYPE_CHECKING:
    from pitchey_cli.artifacts.port import Artifacts
    from pitchey_cli.daemon.lock import Holder
    from pitchey_cli.domain.buckets import BucketUrl
    from pitchey_cli.domain.budget import AsOf
    from pitchey_cli.domain.job import JobId
    from pitchey_cli.domain.nodes import NodeRecord
    from pitchey_cli.domain.overview import Runner
    from pitchey_cli.models.store import ModelStore
    from pitchey_cli.operations.alerts import Standing
    from pitchey_cli.operations.doctor import Asked
    from pitchey_cli.operations.models.adding import Desk
    from pitchey_cli.operations.overview import Looking
    from pitchey_cli.operations.requests import Submitting
    from pitchey_cli.operations.result import Linking
    from pitchey_cli.store.server import Server
    from pitchey_cli.wiring.elsewhere import Elsewhere
    from pitchey_cli.wiring.engines import Engines
    from pitchey_cli.wiring.files import Files
    from processors.vocabulary import Service

_OTHER_STATE_DIR = "PITCHEY_STATE_DIR names another place."


@dataclass(frozen=True)
class Wiring:
    """Settings in, adapters out."""

    loaded: configuration.Loaded
    state_dir: Path
    clock: SystemClock

    @classmethod
    def from_environment(cls) -> Wiring:
        """Read the settings."""
        loaded = configuration.load()
        return cls(loaded, configuration.state_dir(loaded.settings), SystemClock())

    @property
    def elsewhere(self) -> Elsewhere | None:
        """The server that does the work; None where that is this machine."""
        return None

    @property
    def organisation(self) -> str | None:
        """The one of which alone whoever works here is told; None: of everything."""
        return None

    def holder(self) -> Holder | None:
        """Who runs the jobs of the state directory."""
        from pitchey_cli.daemon import lock

        return lock.holder(self.state_dir)

    @property
    def is_daemon_running(self) -> bool:
        """Whether a daemon runs the jobs, and not a command for its own."""
        holder = self.holder()
        return holder is not None and holder.is_daemon

    def at_work(self, store: Store) -> list[str]:
        """The names of the nodes that are up on a queue that several share; none where it is in the state directory."""
        return [] if self.server is None else self.up(store.nodes())

    def up(self, nodes: Iterable[NodeRecord]) -> list[str]:
        """The names of those that are up, where several share the queue."""
        if self.server is None:
            return []
        from pitchey_cli.domain.nodes import at_work

        return at_work(nodes, self.clock.now())

    def node_names(self, store: Store) -> Mapping[str, str]:
        """The names of the nodes by their ids, where several share the queue; one organisation is told of none."""
        if self.organisation is not None:
            return {}
        from pitchey_cli.operations.nodes import names

        return names(store)

    def last_nodes(self, store: Store, job_ids: Sequence[JobId]) -> Mapping[JobId, str]:
        """The names of the nodes that jobs were last on, where several share the queue."""
        return store.last_nodes(job_ids) if job_ids and self.node_names(store) else {}

    def is_run(self, store: Store) -> bool:
        """Whether anybody runs the jobs, here or on another machine that shares the queue."""
        return self.holder() is not None or bool(self.at_work(store))

    def poke(self) -> bool:
        """Wake whoever runs the jobs here; False when nobody does."""
        from pitchey_cli.daemon import lock

        return lock.poke(self.state_dir)

    @property
    def settings(self) -> configuration.Settings:
        """The settings as read."""
        return self.loaded.settings

    def with_gpu(self) -> Wiring:
        """The same, with instances of inference that are given the graphics cards."""
        settings = replace(self.settings, inference=replace(self.settings.inference, gpu=True))
        return replace(self, loaded=replace(self.loaded, settings=settings))

    @property
    def policies(self) -> Policies:
        """What is set, in the words of the domain."""
        return Policies(self.settings)

    @property
    def database(self) -> Path:
        """The SQLite file; there is none where the queue is on a server."""
        return layout.database(self.state_dir)

    @property
    def server(self) -> Server | None:
        """The PostgreSQL server that has the queue; None: it is in the state directory."""
        return self.policies.store_server()

    def make_state_dir(self) -> None:
        """Make the state directory, for its owner alone: sockets and other people's files are in it."""
        try:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except PermissionError as error:
            raise Denied(f"The state directory {self.state_dir} cannot be made.", hint=_OTHER_STATE_DIR) from error
        except OSError as error:
            text = f"The state directory {self.state_dir} cannot be made: {error.strerror}."
            raise StoreError(text, hint=_OTHER_STATE_DIR) from error

    def store(self, *, create: bool = True, busy_seconds: float | None = None) -> Store:
        """Open the database for whoever works at this machine: what they change is in the audit log."""
        from pitchey_cli.store.noted import noted

        opened = self.plain_store(create=create, busy_seconds=busy_seconds)
        atexit.register(opened.close)  # the last to close it folds the journal into it: passwords are to be in neither
        return noted(opened, actor=_whoever_works_here, now=self.clock.now)

    def plain_store(self, *, create: bool = True, busy_seconds: float | None = None, is_heard: bool = True) -> Store:
        """Open the database for what nobody in particular does, as the daemon's own work.

        Args:
            create: make it when there is none.
            busy_seconds: how long to wait for others; None: as long as a command should.
            is_heard: daemons at other machines are woken by what is changed.
        """
        from pitchey_cli.store.connection import BUSY_SECONDS

        if create:
            self.make_state_dir()
        patience = BUSY_SECONDS if busy_seconds is None else busy_seconds
        if self.server is not None:
            from pitchey_cli.store.postgres import PostgresStore  # late: the driver takes longer than `status` may

            url = self.server.url
            return PostgresStore.open(url, create=create, busy_seconds=patience, is_heard=is_heard)
        from pitchey_cli.store.sqlite import SqliteStore

        return SqliteStore.open(self.database, create=create, busy_seconds=patience, boot=self.clock.boot())

    @property
    def files(self) -> Files:
        """What is set about files."""
        from pitchey_cli.wiring.files import Files

        return Files(self.settings, self.state_dir)

    def artifacts(self) -> Artifacts:
        """Where files are kept."""
        self.make_state_dir()
        return self.files.artifacts()

    def linking(self, *, is_hurried: bool = False) -> Linking:
        """What makes links to outputs.

        Args:
            is_hurried: a bucket that does not answer is not waited for.
        """
        from pitchey_cli.operations.result import Linking

        self.make_state_dir()
        artifacts = self.files.artifacts(is_hurried=is_hurried)
        return Linking(self.files.outputs(artifacts), self.files.presigner(artifacts))

    def listed(self, url: BucketUrl) -> list[str]:
        """The keys below a folder in a bucket."""
        return self.files.listed(url)

    def asked(self) -> list[Asked]:
        """What `doctor` asks of buckets, and of the queue about where their artifacts are."""
        from pitchey_cli.operations.doctor import Asked

        asked = self.files.asked()
        if self.server is not None:
            where = str(self.policies.kept_at() or layout.artifacts(self.state_dir))
            saw, needs = f"{where} is where those of the queue are, or may be", frozenset({"store", "artifacts"})
            asked.append(Asked("whereabouts", saw, self._ask_whereabouts, needs))
        return asked

    def _ask_whereabouts(self) -> None:
        store = self.plain_store()
        try:
            there = store.artifacts_at()
        finally:
            store.close()
        if there is not None:
            there.check(self.files.whereabouts(self.files.artifacts(is_hurried=True)))

    def actor(self) -> str:
        """Who works here, as what they allow is signed."""
        return _whoever_works_here()

    def models(self) -> ModelStore:
        """The models of this machine."""
        return self.engines.models()

    def models_desk(self) -> Desk:
        """What adding models needs."""
        from pitchey_cli.operations.models.adding import Desk

        artifacts = self.artifacts()
        limit = self.settings.limits.input_bytes
        return Desk(self.models(), artifacts, self.files.inputs(artifacts), limit, self.listed)

    @property
    def engines(self) -> Engines:
        """What is set about engines and images."""
        from pitchey_cli.wiring.engines import Engines

        return Engines(self.settings, self.state_dir)

    def submitting(self, store: Store, *, is_foreground: bool = False) -> Submitting:
        """What jobs are submitted with.

        Args:
            is_foreground: somebody waits for them, and runs them without a daemon where there is none.
        """
        from pitchey_cli.domain.addresses import is_public
        from pitchey_cli.operations.requests import Defaults, Submitting
        from pitchey_cli.operations.submit import JobSettings

        def defaults_of(service: Service) -> Defaults:
            chosen = self.policies.service(service)
            settings = JobSettings(chosen.max_attempts, chosen.timeout_seconds, is_foreground=is_foreground)
            limit = self.settings.limits.input_bytes
            return Defaults(settings, chosen.ttl_seconds, chosen.slots, chosen.instance_type, limit)

        policies = self.policies
        off_peak, spot = policies.off_peak(), policies.spot()
        presets = partial(policies.presets, str(self.loaded.path))
        artifacts = self.artifacts()
        return Submitting(
            store,
            artifacts,
            defaults_of,
            self.engines.image_tag,
            presets,
            off_peak,
            spot,
            self.models,
            policies.grants(),
            self.listed,
            partial(self.files.whereabouts, artifacts),
            None if self.settings.network.allow_private_urls else is_public,
        )

    def looking(self) -> Looking:
        """What it takes to look at everything at once."""
        from pitchey_cli.engines import images
        from pitchey_cli.operations.overview import Looking

        return Looking(
            state_dir=self.state_dir,
            services=images.available(),
            rules=self.policies.alert_rules(),
            policy=self.policies.queue(),
            as_of=self.as_of,
            runner=self._runner,
            others=self.at_work,
        )

    def _runner(self) -> Runner | None:
        from pitchey_cli.domain.overview import Runner

        found = self.holder()
        if found is None:
            return None
        return Runner(found.pid, found.is_daemon, found.engine, datetime.fromtimestamp(found.started_at, UTC))

    def alerts(self, store: Store, *, dry_run: bool) -> list[Standing]:
        """Where the alert rules stand.

        Args:
            dry_run: note nothing, and tell nobody.
        """
        from pitchey_cli.operations import alerts

        return alerts.look(
            store,
            self.policies.alert_rules(),
            self.as_of(),
            self.policies.queue(),
            state_dir=self.state_dir,
            is_daemon_running=self.is_daemon_running,
            dry_run=dry_run,
        )

    def metrics(self, store: Store) -> str:
        """Everything that is counted, in Prometheus' text format."""
        from pitchey_cli import __version__
        from pitchey_cli.operations import metrics

        standings, is_running = self.alerts(store, dry_run=True), self.is_daemon_running
        return metrics.text(store, self.as_of(), standings, version=__version__, is_daemon_running=is_running)

    def as_of(self) -> AsOf:
        """The moment, on every clock that money is counted by."""
        from pitchey_cli.domain.budget import AsOf
        from pitchey_cli.domain.cost import tick_of
        from pitchey_cli.operations.zones import zone_of

        return AsOf(self.clock.now(), self.clock.boot(), tick_of(self.clock.monotonic()), zone_of(""))


def _whoever_works_here() -> str:
    """What the audit log calls somebody at the command line."""
    import pwd  # late: only what changes something needs it

    uid = os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} on this machine"
    except KeyError:
        return f"user {uid} on this machine"
