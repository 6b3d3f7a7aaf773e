"""One instance: what the pool knows of it, and what is asked of the engine when it is started."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from pitchey_cli.daemon.node import Node, ServiceConfig
from pitchey_cli.daemon.porter import MEETING, prepare_porter
from pitchey_cli.daemon.worker_client import WorkerClient
from pitchey_cli.domain import layout
from pitchey_cli.domain.capacity import NOTHING, Size, budget
from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel
from pitchey_cli.domain.limits import PORTER, Grant, grant
from pitchey_cli.domain.placement import Candidate, kinds_of
from pitchey_cli.domain.pools import is_shared
from pitchey_cli.domain.prices import Tariff
from pitchey_cli.engines import runtimes
from pitchey_cli.engines.port import (
    LABEL_INSTANCE,
    LABEL_ORGANISATION,
    LABEL_SERVICE,
    LABEL_STATE,
    InstanceSpec,
    InstanceUsage,
    Mount,
)
from processors import protocol
from processors.vocabulary import GPU_VARIABLE, Service

# An instance that no daemon has spoken to for this long, on top of its sleep-after, stops by itself: whoever started
# it has died and nobody came back.
_ORPHAN_SECONDS = 120.0


@dataclass(slots=True)
class PooledInstance:
    """An instance, and what the pool knows of it now."""

    id: str
    config: ServiceConfig
    client: WorkerClient
    size: Size  #: what it was granted
    busy: int = 0  #: slots that are taken
    attempts: int = 0  #: that run
    shares_files: bool = True  #: with this host; else it has a porter
    is_ready: bool = False
    is_stopping: bool = False
    is_paused: bool = False
    is_waking: bool = False
    is_surplus: bool = False  #: gets work only when the others are full
    leaving_because: str | None = None  #: it makes room for another pool; stopped when its attempts have ended
    is_elsewhere: bool = False  #: on an engine that this daemon does not speak to
    is_of_another: bool = False  #: of the state directory that this one is a copy of; not ours to stop or remove
    unanswered: int = 0  #: checks in a row
    retired_because: str | None = None  #: takes no new work; discarded once its last attempt is accounted for
    was_found_gone: bool = False  #: by a daemon that came back
    has_died: bool = False  #: it went away, or hangs: nobody has sent it away
    started_at: float = 0.0  #: monotonic
    ready_since: float = 0.0  #: monotonic
    idle_since: float = 0.0  #: monotonic
    seen_tick: int | None = None  #: when another daemon, since the machine's last start, last knew it to be there
    ended_tick: int | None = None  #: of one that was found gone: nothing on it is paid for after that
    kinds: set[str] = field(default_factory=set)  #: of jobs for which it has warm what they need
    failed_kinds: set[str] = field(default_factory=set)  #: whose last attempt here failed
    organisations: set[str] = field(default_factory=set)  #: that it has worked for
    models: tuple[LoadedModel, ...] = ()  #: that it has loaded, as it stands on record
    available_since: datetime | None = None  #: since when it is ready without a break
    cpu: float | None = None  #: share of its CPUs that it used lately; None is not known
    memory: float | None = None  #: share of its memory
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)  #: held while it is paused, woken or stopped
    _loaded: set[str] = field(default_factory=set)  # kinds of the models that it had when it was last asked
    _cpu_seconds: float | None = None
    _used_at: float = 0.0  # monotonic

    @property
    def takes(self) -> Size:
        """What it takes of the host, with what stands in front of it."""
        return self.size + _porter(shares_files=self.shares_files)

    @property
    def free_slots(self) -> int:
        """Slots that can take an attempt now."""
        return self.config.slots - self.busy if self.takes_work else 0

    @property
    def takes_work(self) -> bool:
        """Whether it is ready and stays."""
        return self.is_ready and not (self.is_paused or self.is_waking or self.is_leaving)

    @property
    def is_resting(self) -> bool:
        """Whether it is paused, and can be woken."""
        return self.is_paused and not self.is_leaving

    @property
    def is_leaving(self) -> bool:
        """Whether it takes nothing new for the rest of its life."""
        return self.is_stopping or self.retired_because is not None or self.leaving_because is not None

    def retire(self, why: str, *, has_died: bool = False) -> None:
        """Give it no new work; the first reason stays."""
        self.retired_because = self.retired_because or why
        self.has_died = self.has_died or has_died

    def note_models(self, models: Iterable[str]) -> None:
        """Learn which models it has loaded now; for those that had to make room it is not warm any more."""
        loaded = kinds_of(models)
        self.kinds = self.kinds - (self._loaded - loaded) | loaded
        self._loaded = loaded

    def note_usage(self, usage: InstanceUsage, now: float) -> None:
        """Learn what it uses. `now` is monotonic."""
        if self._cpu_seconds is not None and now > self._used_at:
            self.cpu = max(0.0, usage.cpu_seconds - self._cpu_seconds) / (now - self._used_at) / self.size.cpus
        self.memory = usage.memory_bytes / self.size.memory_bytes
        self._cpu_seconds, self._used_at = usage.cpu_seconds, now

    def forget_usage(self) -> None:
        """Nothing is known of what it uses."""
        self.cpu = self.memory = self._cpu_seconds = None

    def as_candidate(self) -> Candidate:
        """What has to be known of it to choose an instance for a job."""
        return Candidate(
            self.id,
            self.config.slots,
            self.free_slots,
            self.kinds,
            self.failed_kinds,
            self.organisations,
            is_surplus=self.is_surplus,
        )


def granted_to(node: Node, config: ServiceConfig) -> Grant:
    """What an instance of a service gets on this host: never more than all instances together may have."""
    host = Size(node.host.cpus, node.host.memory_bytes)
    memory = budget(host, node.config.capacity).memory_bytes
    left = memory - _porter(shares_files=config.shares_files).memory_bytes
    return grant(config.limits, host_cpus=host.cpus, host_memory_bytes=left if left > 0 else memory)


def taken_of_host(node: Node, config: ServiceConfig) -> Size:
    """What an instance of a service takes of this host, with what stands in front of it."""
    return Size.of(granted_to(node, config).granted) + _porter(shares_files=config.shares_files)


def _porter(*, shares_files: bool) -> Size:
    """What a porter takes: its memory. It waits most of the time, and CPUs are promised more than once anyway."""
    return NOTHING if shares_files else Size(0.0, PORTER.memory_bytes)


def on_host(node: Node, config: ServiceConfig) -> ServiceConfig:
    """The same pool as this host can have it.

    Where an instance's memory is dealt out to its slots (see domain/fitting.py), one that is granted less has fewer.
    """
    grant = granted_to(node, config)
    if is_shared(config.service) or not grant.is_reduced:
        return config
    share = grant.granted.memory_bytes / grant.requested.memory_bytes
    return replace(config, slots=max(1, int(config.slots * share)))


def tariff_of(node: Node, config: ServiceConfig) -> Tariff:
    """What an instance of a service costs that is started now."""
    return node.config.prices.tariff(
        config.instance_type,
        config.limits,
        flat_per_hour=config.price_per_hour,
        region=node.config.region,
        is_spot=node.config.is_spot,
    )


def prepare(node: Node, config: ServiceConfig, instance_id: str, state_id: str) -> tuple[InstanceSpec, Instance]:
    """Make the instance's directories, and say what to ask of the engine. Blocks.

    Raises:
        RuntimeMissing: the engine does not have what is set; nothing has been made.
    """
    host = node.host
    if config.runtime:
        runtimes.check(node.engine.info(), config.runtime)  # anew: it may have come since the daemon was started
    granted = granted_to(node, config)
    directory = layout.instance(node.config.state_dir, instance_id)
    uid, gid = node.config.instance_user
    for name in ("inputs", "spool", "run"):
        (directory / name).mkdir(parents=True)
        (directory / name).chmod(0o755 if name == "inputs" else 0o700)  # whatever the umask
        if name != "inputs" and os.geteuid() == 0:
            os.chown(directory / name, uid, gid)
    command = ["--service", config.service, "--slots", str(config.slots)]
    idle_exit_seconds = config.pool.sleep_after_seconds + _ORPHAN_SECONDS
    command += ["--idle-exit", str(idle_exit_seconds)]
    mounts: list[Mount] = []
    porter = None
    if config.shares_files:
        command += ["--run", protocol.RUN_DIR, "--inputs", protocol.INPUTS_DIR, "--spool", protocol.SPOOL_DIR]
        mounts += [
            Mount(directory / "inputs", protocol.INPUTS_DIR, is_read_only=True),
            Mount(directory / "spool", protocol.SPOOL_DIR),
            Mount(directory / "run", protocol.RUN_DIR),
        ]
    else:
        porter = prepare_porter(node, config, directory, idle_exit_seconds=idle_exit_seconds)
        command += MEETING
    if config.service is Service.INFERENCE and config.shares_files:
        models = layout.models(node.config.state_dir)
        models.mkdir(exist_ok=True)
        models.chmod(0o755)  # whatever the umask: the instance is another user
        mounts.append(Mount(models, protocol.MODELS_DIR, is_read_only=True))
        command += ["--models", protocol.MODELS_DIR]
    labels = {LABEL_STATE: state_id, LABEL_INSTANCE: instance_id, LABEL_SERVICE: str(config.service)}
    if config.organisation:
        labels[LABEL_ORGANISATION] = config.organisation
    spec = InstanceSpec(
        instance_id=instance_id,
        image=config.image,
        command=tuple(command),
        limits=granted.granted,
        labels=labels,
        mounts=tuple(mounts),
        user=node.config.instance_user,
        runtime=config.runtime,
        has_gpu=config.has_gpu,
        environment={GPU_VARIABLE: "1"} if config.has_gpu else {},
        is_group=config.service is Service.CODE,
        porter=porter,
    )
    note = None
    if granted.is_reduced:
        note = f"granted {granted.granted.cpus:g} CPUs, {granted.granted.memory_bytes} bytes: all that the host gives"
    record = Instance(
        id=instance_id,
        service=config.service,
        node=node.identity.id,
        engine=host.kind,
        image=config.image,
        slots=config.slots,
        size=config.size,
        organisation=config.organisation,
        state=InstanceState.STARTING,
        requested_cpus=granted.requested.cpus,
        requested_memory_bytes=granted.requested.memory_bytes,
        granted_cpus=granted.granted.cpus,
        granted_memory_bytes=granted.granted.memory_bytes,
        created_at=node.clock.now(),
        note=note,
        instance_type=config.instance_type,
        region=node.config.region,
        tariff=tariff_of(node, config),
        boot=node.clock.boot(),
        created_tick=node.tick(),
    )
    return spec, record
