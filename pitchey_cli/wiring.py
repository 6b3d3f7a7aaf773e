"""The only place that builds adapters from settings. Heavy ones are imported when they are asked for: the commands that
only read the store start in a tenth of a second because of that.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pitchey_cli import settings as configuration
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import Denied, StoreError, UsageError
from pitchey_cli.policies import Policies, pool_settings
from pitchey_cli.store.port import Store

if TYPE_CHECKING:
    import asyncio

    from pitchey_cli.artifacts.inputs import Inputs
    from pitchey_cli.artifacts.outputs import Outputs
    from pitchey_cli.artifacts.port import Artifacts, Presigner
    from pitchey_cli.daemon.embedded import EmbeddedNode
    from pitchey_cli.daemon.front import Front
    from pitchey_cli.daemon.housekeeping import Pruned
    from pitchey_cli.daemon.lock import Holder
    from pitchey_cli.daemon.loop import Loop
    from pitchey_cli.daemon.node import NodeConfig, ServiceConfig
    from pitchey_cli.domain.access import ApiToken
    from pitchey_cli.domain.buckets import BucketUrl
    from pitchey_cli.domain.budget import AsOf
    from pitchey_cli.domain.job import JobId
    from pitchey_cli.domain.pipeline import Pipeline
    from pitchey_cli.domain.surroundings import Surroundings
    from pitchey_cli.engines.images import Sources
    from pitchey_cli.engines.port import Engine
    from pitchey_cli.models.store import ModelStore
    from pitchey_cli.operations.alerts import Standing
    from pitchey_cli.operations.logs import LogLine
    from pitchey_cli.operations.models.adding import Desk
    from pitchey_cli.operations.models.listing import Listed
    from pitchey_cli.operations.pipelines import Run
    from pitchey_cli.operations.requests import Request, Submitting
    from pitchey_cli.operations.result import Linking
    from pitchey_cli.operations.sources import Source
    from pitchey_cli.operations.submit import Draft, StageProgress
    from processors.vocabulary import Service

INSTANCE_UID = 10001  #: what instances run as when the daemon is root; any id that owns nothing on the host will do


class SystemClock:
    """The real time."""

    def now(self) -> datetime:
        """The wall clock."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since some moment in the past."""
        return time.monotonic()

    def boot(self) -> str:
        """Names the boot of the machine."""
        try:
            return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except OSError:
            import psutil  # late: Linux does not need it

            return f"{psutil.boot_time():.0f}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _whoever_works_here() -> str:
    """What the audit log calls somebody at the command line."""
    import pwd  # late: only what changes something needs it

    uid = os.getuid()
    try:
        return f"{pwd.getpwuid(uid).pw_name} on this machine"
    except KeyError:
        return f"user {uid} on this machine"


class Elsewhere(Protocol):
    """What a server does by itself, where a daemon at this machine would be given the parts for it."""

    @property
    def where(self) -> str:
        """What people call the server."""

    def place(
        self,
        asked: Request,
        drafts: Sequence[Draft],
        *,
        is_waited_for: bool,
        progress: StageProgress | None,
        say: Callable[[str], None],
    ) -> list[JobId]:
        """Send files and orders; the ids of the jobs."""

    def run_pipeline(
        self,
        pipeline: Pipeline,
        runs: Sequence[Run],
        inputs: Sequence[Source],
        words: Mapping[str, Any],
        batch: str,
        progress: StageProgress | None,
    ) -> str:
        """Send files and steps; the name of the batch."""

    def add_schedule(self, asked: Request, *, name: str, cron: str, timezone: str, misfire: str) -> None:
        """Keep a schedule."""

    def run_schedule(self, name: str) -> list[JobId]:
        """Submit the jobs of a schedule once more."""

    def add_token(self, **said: Any) -> tuple[ApiToken, str]:
        """Make a token."""

    def why(self, job_id: JobId) -> list[str]:
        """Why a job is where it is."""

    def log_lines(self, job_id: JobId, *, attempt: int | None, follow: bool) -> Iterator[LogLine]:
        """What the programs of a job wrote."""

    def alerts(self, *, dry_run: bool) -> list[Standing]:
        """Where the alert rules stand."""

    def models(self) -> list[Listed]:
        """Every version of every model."""

    def metrics(self) -> str:
        """Everything that is counted."""


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

    def holder(self) -> Holder | None:
        """Who runs the jobs."""
        from pitchey_cli.daemon import lock

        return lock.holder(self.state_dir)

    def poke(self) -> bool:
        """Wake whoever runs the jobs; False when nobody does."""
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
        """The SQLite file."""
        return layout.database(self.state_dir)

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
        return noted(opened, actor=_whoever_works_here, now=self.clock.now)

    def plain_store(self, *, create: bool = True, busy_seconds: float | None = None) -> Store:
        """Open the database for what nobody in particular does, as the daemon's own work.

        Args:
            create: make it when there is none.
            busy_seconds: how long to wait for others; None: as long as a command should.
        """
        from pitchey_cli.store.connection import BUSY_SECONDS
        from pitchey_cli.store.sqlite import SqliteStore

        if create:
            self.make_state_dir()
        patience = BUSY_SECONDS if busy_seconds is None else busy_seconds
        return SqliteStore.open(self.database, create=create, busy_seconds=patience)

    def artifacts(self) -> Artifacts:
        """Where files are kept."""
        from pitchey_cli.artifacts.local import LocalArtifacts

        self.make_state_dir()
        url = self.policies.kept_at()
        if url is None:
            return LocalArtifacts(layout.artifacts(self.state_dir))
        from pitchey_cli.artifacts.buckets import Bucket
        from pitchey_cli.artifacts.inputs import profile_of
        from pitchey_cli.artifacts.s3 import S3Artifacts

        profile = profile_of(self.policies.profiles(), url.profile or self.policies.grants().default)
        return S3Artifacts(
            Bucket(profile, url.bucket),
            url.key,
            LocalArtifacts(layout.cache(self.state_dir)),
            cache_bytes=self.settings.artifacts.cache_bytes,
            report=_say,
        )

    def actor(self) -> str:
        """Who works here, as what they allow is signed."""
        return _whoever_works_here()

    def models(self) -> ModelStore:
        """The models of this machine."""
        from pitchey_cli.models.store import ModelStore

        return ModelStore(layout.models(self.state_dir))

    def models_desk(self) -> Desk:
        """What adding models needs."""
        from pitchey_cli.operations.models.adding import Desk

        artifacts = self.artifacts()
        return Desk(self.models(), artifacts, self.inputs(artifacts), self.settings.limits.input_bytes)

    def listed(self, url: BucketUrl) -> list[str]:
        """The keys below a folder in a bucket."""
        from pitchey_cli.artifacts.buckets import found_below
        from pitchey_cli.artifacts.inputs import profile_of

        return found_below(profile_of(self.policies.profiles(), url.profile or self.policies.grants().default), url)

    def outputs(self, artifacts: Artifacts) -> Outputs:
        """What brings outputs to buckets."""
        from pitchey_cli.artifacts.outputs import Outputs

        return Outputs(artifacts, self.policies.profiles(), self.policies.grants())

    def linking(self) -> Linking:
        """What makes links to outputs."""
        from pitchey_cli.operations.result import Linking

        artifacts = self.artifacts()
        return Linking(self.outputs(artifacts), self.presigner(artifacts))

    def presigner(self, artifacts: Artifacts) -> Presigner | None:
        """What lets others fetch artifacts and leave some; None where they are not kept in a bucket."""
        if self.policies.kept_at() is None:
            return None
        from pitchey_cli.artifacts.s3 import S3Artifacts

        return artifacts if isinstance(artifacts, S3Artifacts) else None

    def inputs(self, artifacts: Artifacts) -> Inputs:
        """What fetches inputs that lie elsewhere."""
        from pitchey_cli.artifacts.inputs import Inputs
        from pitchey_cli.artifacts.known import Known

        known = Known(layout.fetched(self.state_dir), artifacts)
        policies, limit = self.policies, self.settings.limits.input_bytes
        allow_private = self.settings.network.allow_private_urls
        return Inputs(artifacts, known, policies.profiles(), policies.grants(), limit, allow_private)

    def engine(self, kind: str | None = None) -> Engine:
        """Connect to the engine that is set, or to the first that answers.

        Raises:
            EngineUnavailable: none does; says what was tried.
        """
        from pitchey_cli.engines.containers import ContainerEngine
        from pitchey_cli.engines.discovery import connect
        from pitchey_cli.engines.grouped import GroupedEngine

        wanted = kind or self.settings.engine.kind
        self.check_engine_kind(wanted)
        engine = connect(wanted, self.settings.engine.url or None, state_dir=self.state_dir)
        if not isinstance(engine, ContainerEngine):
            return engine
        root = layout.supervisors(self.state_dir)
        return GroupedEngine(engine, engine.endpoint, root, self.surroundings)

    def surroundings(self) -> Surroundings:
        """What supervisors of programs that nobody trusts are told of this host."""
        from pitchey_cli.domain.surroundings import Surroundings, proxies_of

        bundle, chosen = self.ca_bundle(), self.settings.code
        return Surroundings(
            packages_dir=str(layout.packages(self.state_dir.resolve())),
            outward=self.policies.outward(),
            ca_bundle=str(bundle.resolve()) if bundle is not None else "",
            proxies=proxies_of(os.environ),
            packages_days=chosen.packages_days,
            packages_bytes=chosen.packages_bytes,
        )

    def check_engine_kind(self, kind: str) -> None:
        """Raise UsageError for a word that names no engine."""
        if kind not in configuration.ENGINE_KINDS:
            kinds = ", ".join(configuration.ENGINE_KINDS)
            raise UsageError(f"There is no engine {kind!r}.", hint=f"There are {kinds}.")

    def ca_bundle(self, explicit: Path | None = None) -> Path | None:
        """The CA bundle for image builds: the one that is named, else the one that is set, else the environment's."""
        from pitchey_cli.engines.images import find_ca_bundle

        chosen = self.settings.engine.ca_bundle
        return find_ca_bundle(explicit or (Path(chosen) if chosen else None))

    def sources(self) -> Sources:
        """What images are made of; that of inference with the frameworks that the models of this machine need."""
        from pitchey_cli.engines.images import Sources
        from processors.vocabulary import VARIANTS

        needed = {VARIANTS[each] for each in self.models().frameworks() if each in VARIANTS}
        return Sources(ocr_languages=self.policies.ocr_languages(), frameworks=tuple(sorted(needed)))

    def image_tag(self, service: Service) -> str:
        """The image that a service runs in."""
        from pitchey_cli.engines.images import current_tag

        return current_tag(service, self.sources())

    def submitting(self, store: Store, *, is_foreground: bool = False) -> Submitting:
        """What jobs are submitted with.

        Args:
            is_foreground: somebody waits for them, and runs them without a daemon where there is none.
        """
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
        return Submitting(
            store,
            self.artifacts(),
            defaults_of,
            self.image_tag,
            presets,
            off_peak,
            spot,
            self.models,
            policies.grants(),
            self.listed,
        )

    def _fire(self, *, awake_since: datetime, is_ending: Callable[[], bool]) -> list[str]:
        from pitchey_cli.operations import schedules

        store = self.plain_store()  # a connection of its own: reading files takes long, and the writer must not wait
        try:
            submitting, now = self.submitting(store), self.clock.now()
            return list(schedules.fire(submitting, now=now, awake_since=awake_since, is_ending=is_ending))
        finally:
            store.close()

    async def serve(
        self, engine: Engine, *, api: str = "", on_ready: Callable[[], None], report: Callable[[str], None]
    ) -> None:
        """Be the daemon, until a signal or a drain.

        Args:
            api: where the API is to listen; empty: as is set.
        """
        from pitchey_cli.daemon import process
        from pitchey_cli.daemon.lock import lock

        self.make_state_dir()
        with (
            lock(self.state_dir, is_daemon=True, engine=engine.kind),
            self._loop(engine, report, False) as loop,
        ):
            front = await self._api(api or self.settings.api.listen, report)
            await process.serve(loop, on_ready=on_ready, front=front)

    async def _api(self, where: str, report: Callable[[str], None]) -> Front | None:
        """The process that serves the API, with its socket open; None where none is wanted.

        Raises:
            UsageError: strangers could reach it, and there is no token by which to tell them from friends.
        """
        if not where:
            return None
        from pitchey_cli.daemon.front import Front, listen
        from pitchey_cli.domain.listening import address_of

        address = address_of(where)
        store = self.plain_store()
        try:
            has_tokens = store.has_tokens()
        finally:
            store.close()
        has_sign_on = self.policies.sign_on() is not None
        if not (has_tokens or has_sign_on or address.is_private):
            text = f"There is no token yet, and others can reach {where}: whoever comes could do anything."
            raise UsageError(text, hint="`pitchey token add NAME` makes one; 127.0.0.1:PORT is for this machine alone.")
        listener, address = await listen(address)
        whom = "whoever may open that file" if address.path else "anybody on this machine"
        known = "those with a token or a session of the sign-on server" if has_sign_on else "those with a token"
        report(f"API at {address}, for {known if has_tokens or has_sign_on else f'{whom}, as there is no token yet'}")
        return Front((sys.executable, "-m", "pitchey_cli.api"), listener, address, report)

    def embedded(self, engine: Engine, *, report: Callable[[str], None]) -> EmbeddedNode:
        """A node inside this command, for the jobs that somebody waits for."""
        from pitchey_cli.daemon import process
        from pitchey_cli.daemon.embedded import EmbeddedNode
        from pitchey_cli.daemon.lock import lock

        async def serve(stop: asyncio.Event, ready: Callable[[Loop], None]) -> None:
            with (
                lock(self.state_dir, is_daemon=False, engine=engine.kind),
                self._loop(engine, report, True) as loop,
            ):
                await process.serve_foreground(loop, stop, on_ready=lambda: ready(loop))

        return EmbeddedNode(serve)

    @contextmanager
    def _loop(self, engine: Engine, report: Callable[[str], None], is_foreground: bool) -> Iterator[Loop]:
        import random

        from pitchey_cli.daemon.loop import Loop
        from pitchey_cli.daemon.node import Node
        from pitchey_cli.network.posting import Post
        from pitchey_cli.store.writer import Writer

        store = self.plain_store()
        artifacts = self.artifacts()
        label = layout.label(store.state_id(), self.state_dir.resolve())
        writer = Writer(store)
        try:
            node = Node(
                config=self._node_config(engine, is_foreground),
                store=store,
                writer=writer,
                engine=engine,
                host=engine.info(),
                artifacts=artifacts,
                fetch=self.inputs(artifacts),
                deliver=self.outputs(artifacts),
                fire=self._fire,
                clock=self.clock,
                dice=random.random,
                report=report,
                presigner=self._presigner(engine, artifacts),
                post=None if is_foreground else Post(allow_private=self.settings.webhooks.allow_private),
            )
            yield Loop(node, label)
        finally:
            writer.close()

    def _node_config(self, engine: Engine, is_foreground: bool) -> NodeConfig:
        from pitchey_cli.daemon.node import NodeConfig
        from pitchey_cli.engines import images
        from pitchey_cli.engines.port import EngineKind
        from pitchey_cli.operations.zones import zone_of

        daemon, limits = self.settings.daemon, self.settings.limits
        sources = images.built(engine, self.sources())
        is_fixed_user = os.geteuid() == 0 and engine.kind is not EngineKind.PROCESS
        return NodeConfig(
            state_dir=self.state_dir,
            services={service: self._service_config(service, sources, is_foreground) for service in images.available()},
            queue=self.policies.queue(),
            capacity=self.policies.capacity(),
            prices=self.policies.prices(),
            region=self.settings.node.region,
            is_spot=self.settings.node.is_spot,
            spot_notice=self.policies.spot_notice(),
            zone=zone_of(""),
            alerts=self.policies.alert_rules(),
            retention=self.policies.retention(),
            poll_seconds=daemon.poll_seconds,
            lease_seconds=daemon.lease_seconds,
            drain_seconds=daemon.drain_seconds,
            grace_seconds=daemon.grace_seconds,
            output_limit_bytes=limits.output_bytes,
            instance_user=(INSTANCE_UID, INSTANCE_UID) if is_fixed_user else (os.geteuid(), os.getegid()),
            deliveries_kept=timedelta(days=self.settings.webhooks.keep_days),
            ca_file=self._porter_ca_file(),
            porter_network=self.settings.engine.network,
            is_foreground=is_foreground,
        )

    def _porter_ca_file(self) -> Path | None:
        """The certificate authorities that porters are given: the image has none."""
        if self.settings.engine.shares_files:
            return None
        import ssl  # late: only a node whose instances share no files needs it

        found = self.ca_bundle() or Path(ssl.get_default_verify_paths().cafile or "")
        return found if found.is_file() else None

    def _presigner(self, engine: Engine, artifacts: Artifacts) -> Presigner | None:
        """Who makes links for instances that share no files; None where they all do.

        Raises:
            UsageError: there is nobody who could, or the engine knows no such instances.
        """
        from pitchey_cli.artifacts.port import Presigner
        from pitchey_cli.engines.port import EngineKind

        if self.settings.engine.shares_files:
            return None
        if engine.kind is not EngineKind.DOCKER:
            text = f"Instances on {engine.kind} share the files of this host."
            raise UsageError(text, hint="`engine.shares_files = false` is for Docker.")
        if not isinstance(artifacts, Presigner):
            text = "Instances that share no files with this host need an object store, and the artifacts are in none."
            raise UsageError(text, hint="`artifacts.url = s3://BUCKET/PREFIX` puts them there.")
        return artifacts

    def _service_config(self, service: Service, sources: Sources, is_foreground: bool) -> ServiceConfig:
        from pitchey_cli.daemon.node import ServiceConfig
        from pitchey_cli.domain.limits import INSTANCE_TYPES
        from pitchey_cli.engines.images import current_tag
        from processors.vocabulary import Service

        chosen = self.policies.service(service)
        return ServiceConfig(
            service=service,
            image=current_tag(service, sources),
            instance_type=chosen.instance_type,
            limits=INSTANCE_TYPES[chosen.instance_type],
            slots=chosen.slots,
            price_per_hour=chosen.price_per_hour,
            pool=pool_settings(chosen, is_foreground=is_foreground),
            waiting_price_per_hour=chosen.scaling.waiting_price_per_hour,
            is_forecast_heeded=chosen.scaling.forecast,
            warm_hours=self.policies.warm_hours(service),
            retry=self.policies.retry(service),
            runtime=chosen.runtime,
            # What runs programs is a process of this host, and its slots see nothing of it but what they are handed.
            shares_files=self.settings.engine.shares_files or service is Service.CODE,
            has_gpu=service is Service.INFERENCE and self.settings.inference.gpu,
        )

    def prune(self, *, dry_run: bool) -> Pruned:
        """Do in this process, and at once, what the daemon does now and then: remove what is kept no longer."""
        import asyncio

        from pitchey_cli.daemon.housekeeping import Housekeeping
        from pitchey_cli.store.writer import Writer

        store = self.plain_store()
        if not dry_run:
            store.note_time(now=self.clock.now())  # whoever asks for it by hand answers for the clock
        writer = Writer(store)
        try:
            policy = self.policies.retention()
            keeper = Housekeeping(store, writer, self.artifacts(), self.state_dir, policy, self.clock)
            return asyncio.run(keeper.prune(dry_run=dry_run))
        finally:
            writer.close()

    def as_of(self) -> AsOf:
        """The moment, on every clock that money is counted by."""
        from pitchey_cli.domain.budget import AsOf
        from pitchey_cli.domain.cost import tick_of
        from pitchey_cli.operations.zones import zone_of

        return AsOf(self.clock.now(), self.clock.boot(), tick_of(self.clock.monotonic()), zone_of(""))


_OTHER_STATE_DIR = "PITCHEY_STATE_DIR names another place."
