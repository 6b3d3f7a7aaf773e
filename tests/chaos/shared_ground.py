"""Where a storm rages over several daemons: one PostgreSQL, one S3, and a network in between that can be cut."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pitchey_cli.artifacts.buckets import Bucket as Reached
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.s3 import S3Artifacts
from pitchey_cli.domain import layout
from pitchey_cli.domain.buckets import Profile
from pitchey_cli.domain.errors import EngineError
from pitchey_cli.domain.nodes import NodeState
from pitchey_cli.engines.discovery import connect
from pitchey_cli.engines.port import LABEL_STATE, EngineKind, InstanceStatus
from pitchey_cli.store.port import Store
from pitchey_cli.store.postgres import PostgresStore
from processors.vocabulary import Service
from tests.chaos.disk import MIB, Disk
from tests.chaos.ground import PRICE_PER_HOUR, StormBroken, until
from tests.chaos.small_networks import SmallNetwork, can_be_made
from tests.conftest import Pitchey
from tests.servers.postgres import PostgresServer, postgres, programs
from tests.servers.s3 import OWNER, Bucket, S3Server

LEASE_SECONDS = 5  # the least that can be set
SERVICES = (Service.VIDEO, Service.MEDIA, Service.DOCUMENT)
_SLOTS = 3
_DISK_BYTES = 2048 * MIB
_PREFIX = "nodes/"
#: What was committed is there after a crash: the tests' usual server takes no such care.
_POSTGRES = {"synchronous_commit": "on", "autovacuum": "on", "max_connections": "100"}


@dataclass
class Node:
    """One daemon: its state directory and its process."""

    name: str
    pitchey: Pitchey
    log: Path
    label: str
    daemon: subprocess.Popen[str] | None = None
    begin: int = 0  #: where the last daemon's lines begin in the log

    @property
    def state_dir(self) -> Path:
        return self.pitchey.state_dir


@dataclass
class SharedGround:
    """Nodes on plain processes, and what the faults need of them and of the servers."""

    count: int
    violations: list[str] = field(default_factory=list)  #: what should never have been seen while the storm raged
    taken: dict[str, str] = field(default_factory=dict)  #: instances that a fault has taken, and which one
    ready_seconds: list[float] = field(default_factory=list)  #: from the start of a daemon to `ready`

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self._closing = ExitStack()
        try:
            self._build()
        except BaseException:
            self._closing.close()
            raise

    def _build(self) -> None:
        names = [chr(ord("a") + number) for number in range(self.count)]
        self.disk = Disk(_DISK_BYTES)
        self._closing.callback(self.disk.close)
        self.aside = Path(self._closing.enter_context(tempfile.TemporaryDirectory(prefix="pitchey-storm-aside-")))
        self.network = SmallNetwork(names) if can_be_made() else None
        if self.network is not None:
            self._closing.callback(self.network.close)
        self.database = self._start_database()
        self.s3 = S3Server(self.aside / "s3", address=self.network.bucket if self.network else "127.0.0.1")
        self._closing.callback(self.s3.stop)
        self.s3.start()
        self.bucket: Bucket = self.s3.new_bucket()
        name = self.database.create()
        self.url = self.database.url(name)
        self._store = PostgresStore.open(self.url)
        self._closing.callback(lambda: self._store.close())
        self.pitchey = Pitchey(self._new_state_dir("client"), self.aside, self._settings(self.url))
        self._closing.callback(self.pitchey.end)
        self.nodes = [self._node(each, self._url_for_nodes(name)) for each in names]

    def _start_database(self) -> PostgresServer:
        listens = {} if self.network is None else {"listen_addresses": f"127.0.0.1,{self.network.database}"}
        server = self._closing.enter_context(postgres(None, **_POSTGRES, **listens))
        if self.network is not None:
            with (server.folder / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {self.network.range} scram-sha-256\n")
            server.run("SELECT pg_reload_conf()")
        return server

    def _url_for_nodes(self, database: str) -> str:
        url = self.database.tcp_url(database)
        return url if self.network is None else url.replace("127.0.0.1", self.network.database)

    def _new_state_dir(self, name: str) -> Path:
        path = self.disk.root / name
        path.mkdir(mode=0o700)
        return path

    def _node(self, name: str, url: str) -> Node:
        state_dir = self._new_state_dir(name)
        inside = () if self.network is None else self.network.inside(name)
        pitchey = Pitchey(state_dir, self.aside, {**self._settings(url), "PITCHEY_NODE_NAME": name}, inside=inside)
        return Node(name, pitchey, state_dir / "daemon.log", layout.label(self._store.state_id(), state_dir.resolve()))

    def _settings(self, url: str) -> dict[str, str]:
        each = {
            "INSTANCE_TYPE": "lite",
            "SLOTS": _SLOTS,
            "MAX_INSTANCES": self.count,
            "PRICE_PER_HOUR": PRICE_PER_HOUR,
            "RETRY_CAP_SECONDS": 2,
        }
        services = {f"PITCHEY_SERVICES_{service.upper()}_{key}": str(each[key]) for service in SERVICES for key in each}
        return services | self.bucket.environment | {
            "PITCHEY_ENGINE_KIND": "process",
            "PITCHEY_DAEMON_LEASE_SECONDS": str(LEASE_SECONDS),
            "PITCHEY_STORE_URL": url,
            "PITCHEY_ARTIFACTS_URL": f"{self.bucket.url}/{_PREFIX}",
        }  # fmt: skip

    # --- the daemons

    def launch(self, node: Node) -> None:
        """Start a node's daemon, and do not wait."""
        with node.log.open("a") as log:
            node.begin = log.seek(0, os.SEEK_END)
            node.daemon = node.pitchey.start("daemon", "run", stderr=log)

    def await_ready(self, *nodes: Node) -> None:
        """Wait until the daemons of nodes that were launched are ready."""
        began = time.monotonic()
        for node in nodes:
            until(lambda node=node: self._is_ready(node), f"the daemon of {node.name} is ready")  # type: ignore[misc]
            self.ready_seconds.append(time.monotonic() - began)

    def _is_ready(self, node: Node) -> bool:
        said = self.said(node)
        assert node.daemon is not None
        if node.daemon.poll() is not None:
            raise StormBroken(f"The daemon of {node.name} ended with {node.daemon.returncode}:\n{said}")
        return any(line.endswith(" ready") for line in said.splitlines())

    def said(self, node: Node) -> str:
        """What the last daemon of a node has said."""
        with node.log.open("rb") as log:
            log.seek(node.begin)
            return log.read().decode(errors="replace")

    def start(self) -> None:
        """Start all daemons."""
        for node in self.nodes:
            self.launch(node)
        self.await_ready(*self.nodes)

    def kill(self, node: Node) -> None:
        """KILL to a daemon, with no chance to say goodbye."""
        assert node.daemon is not None
        node.daemon.kill()
        node.daemon.wait()

    def look_after(self, when: str) -> None:
        """A daemon that has ended by itself is a fault of its own, and is started again."""
        for node in self.nodes:
            assert node.daemon is not None
            if node.daemon.poll() is not None:
                self.violations.append(f"the daemon of {node.name} ended with {node.daemon.returncode} {when}")
                self.launch(node)
                self.await_ready(node)

    def stop(self) -> None:
        """TERM to all; what they run is handed back, and all instances are stopped."""
        for node in self.nodes:
            assert node.daemon is not None
            node.daemon.send_signal(signal.SIGTERM)
        for node in self.nodes:
            assert node.daemon is not None
            try:
                node.daemon.wait(timeout=90)
            except subprocess.TimeoutExpired:
                self.violations.append(f"the daemon of {node.name} did not stop within 90 s of TERM")
                self.kill(node)

    # --- their instances

    def _found(self, node: Node) -> list[tuple[str, bool]]:
        engine = connect(EngineKind.PROCESS, None, state_dir=node.state_dir)
        found = engine.find({LABEL_STATE: node.label})
        return [(each.instance_id, each.status is InstanceStatus.RUNNING) for each in found]

    def running(self) -> list[tuple[Node, str]]:
        """The instances that run, and where."""
        return [(node, name) for node in self.nodes for name, runs in self._found(node) if runs]

    def all_instances(self) -> list[str]:
        """What the engines hold, running or not."""
        return [name for node in self.nodes for name, _ in self._found(node)]

    def kill_instance(self, node: Node, instance_id: str) -> None:
        """The engine is told to kill one."""
        connect(EngineKind.PROCESS, None, state_dir=node.state_dir).kill(instance_id)

    # --- what the verdict looks at

    @property
    def state_dirs(self) -> list[Path]:
        """Those of the daemons."""
        return [node.state_dir for node in self.nodes]

    def store(self) -> Store:
        """One more connection to the database."""
        return PostgresStore.open(self.url)

    def content(self, sha256: str) -> Path:
        """An artifact, fetched from the bucket into a cache that no daemon has had."""
        return self._artifacts.path(sha256)

    @cached_property
    def _artifacts(self) -> S3Artifacts:
        profile = Profile(
            endpoint_url=self.s3.endpoint,
            region=self.s3.region,
            access_key=OWNER.access,
            secret_key=OWNER.secret,
            path_style=True,
        )
        reached = Reached(profile, self.bucket.name)
        return S3Artifacts(reached, _PREFIX, LocalArtifacts(self.aside / "fetched"), cache_bytes=_DISK_BYTES)

    def remains(self) -> list[str]:
        """What was PUT and never taken, and nodes that are still there though their daemons have ended in order."""
        left = [f"object {name}" for name in self.bucket.names(f"{_PREFIX}put/")]
        nodes = self._store.nodes()
        return left + [f"node {each.facts.name} is {each.state}" for each in nodes if each.state is not NodeState.DOWN]

    # --- the end

    def keep(self) -> Path:
        """Copy state directories and logs to where somebody can look at them."""
        kept = self.disk.keep()
        with (kept / "database.sql").open("w") as file:
            subprocess.run([programs() / "pg_dump", self.url], stdout=file)
        return kept

    def close(self) -> None:
        """Leave nothing behind."""
        for node in self.nodes:
            node.pitchey.end()
            try:
                for instance_id, _ in self._found(node):
                    connect(EngineKind.PROCESS, None, state_dir=node.state_dir).remove(instance_id)
            except EngineError as error:
                sys.stderr.write(f"error: The storm's instances could not be removed: {error}\n")
        self._closing.close()
