"""Where a storm rages: a daemon as a process of its own, on a disk, an engine and a clock that can be tampered with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import EngineError
from pitchey_cli.engines.discovery import connect
from pitchey_cli.engines.port import LABEL_STATE, EngineKind, InstanceStatus
from pitchey_cli.store.port import Store
from pitchey_cli.store.sqlite import SqliteStore
from tests.chaos.disk import MIB, Disk
from tests.conftest import ROOT, Pitchey

PRICE_PER_HOUR = 0.144
SLOTS = 4
LEASE_SECONDS = 5  # the least that can be set
_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_DISK_BYTES = 1024 * MIB
_SHIFTERS = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # where Debian's package faketime puts it


class StormBroken(Exception):
    """The storm itself cannot go on; says nothing of Pitchey."""


def until(is_so: Callable[[], bool], what: str, *, seconds: float = _READY_SECONDS) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise StormBroken(f"Still not so after {seconds:.0f} s: {what}.")
        time.sleep(_LOOK_SECONDS)


def clock_shifter() -> Path | None:
    """The library that shifts a process's clock, where it is installed."""
    return next(Path("/").glob(_SHIFTERS.removeprefix("/")), None)


@dataclass
class Ground:
    """A state directory with a daemon, and what the faults need of both."""

    kind: EngineKind
    url: str | None
    engine_root: Path | None = None  #: of a private engine, which may be stopped and started; see scripts/engine
    violations: list[str] = field(default_factory=list)  #: what should never have been seen while the storm raged
    taken: dict[str, str] = field(default_factory=dict)  #: instances that a fault has taken, and which one
    ready_seconds: list[float] = field(default_factory=list)  #: from the start of a daemon to `ready`

    def __post_init__(self) -> None:
        self.began = time.monotonic()
        self.disk = Disk(_DISK_BYTES)
        self.aside = Path(tempfile.mkdtemp(prefix="pitchey-storm-aside-"))  #: never full: backups, inputs, the clock
        self.state_dir = self.disk.root / "state"
        self.shifter = clock_shifter()
        self.pitchey = Pitchey(self.state_dir, self.aside, self._settings())
        self.engine = connect(self.kind, self.url, state_dir=self.state_dir)
        self.daemon: subprocess.Popen[str] | None = None
        self.shift_clock(0)
        if self.kind is not EngineKind.PROCESS:
            self.pitchey.ok("images", "build", "video")
        store = SqliteStore.open(layout.database(self.state_dir))
        self.label = layout.label(store.state_id(), self.state_dir.resolve())
        store.close()

    def _settings(self) -> dict[str, str]:
        video = {
            "INSTANCE_TYPE": "lite",
            "SLOTS": SLOTS,
            "MAX_INSTANCES": 3,
            "PRICE_PER_HOUR": PRICE_PER_HOUR,
            "RETRY_CAP_SECONDS": 2,
        }
        settings = {"PITCHEY_ENGINE_KIND": self.kind.value, "PITCHEY_DAEMON_LEASE_SECONDS": str(LEASE_SECONDS)}
        settings |= {"PITCHEY_ENGINE_URL": self.url} if self.url else {}
        return settings | {f"PITCHEY_SERVICES_VIDEO_{name}": str(value) for name, value in video.items()}

    # --- the daemon

    @property
    def log(self) -> Path:
        """Where `pitchey daemon start` has the daemon's messages, too: on the disk that may be full."""
        return self.state_dir / "daemon.log"

    def launch(self) -> tuple[subprocess.Popen[str], int]:
        """Start a daemon without waiting; the process, and where in the log its lines begin."""
        shifted = {} if self.shifter is None else self._shifted(self.shifter)
        with self.log.open("a") as log:
            begin = log.seek(0, os.SEEK_END)
            return self.pitchey.start("daemon", "run", stderr=log, **shifted), begin

    def _shifted(self, shifter: Path) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(shifter),
            "FAKETIME_TIMESTAMP_FILE": str(self._clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",  # files have the times that they have
            "PYTHONPATH": f"{Path(__file__).parent / 'shifted'}:{ROOT}",
        }

    def is_ready(self, daemon: subprocess.Popen[str], begin: int) -> bool:
        """Whether a daemon has said that it is ready."""
        with self.log.open("rb") as log:
            log.seek(begin)
            said = log.read().decode(errors="replace")
        if daemon.poll() is not None:
            raise StormBroken(f"A daemon ended with {daemon.returncode} instead of getting ready:\n{said}")
        return any(line.endswith(" ready") for line in said.splitlines())

    def start(self) -> None:
        """Start the daemon, and wait until it is ready."""
        began = time.monotonic()
        self.daemon, begin = daemon, begin = self.launch()
        until(lambda: self.is_ready(daemon, begin), "the daemon is ready")
        self.ready_seconds.append(time.monotonic() - began)

    def kill_daemon(self) -> None:
        """KILL, with no chance to say goodbye."""
        assert self.daemon is not None
        self.daemon.kill()
        self.daemon.wait()
        _forget_shared_memory(self.daemon.pid)

    def look_after(self, when: str) -> None:
        """A daemon that has ended by itself is a fault of its own, and is started again."""
        assert self.daemon is not None
        if self.daemon.poll() is not None:
            self.violations.append(f"the daemon ended by itself with {self.daemon.returncode} {when}")
            self.start()

    def stop(self) -> None:
        """TERM; with what runs handed back, and all instances stopped."""
        assert self.daemon is not None
        self.daemon.send_signal(signal.SIGTERM)
        try:
            self.daemon.wait(timeout=90)
        except subprocess.TimeoutExpired:
            self.violations.append("the daemon did not stop within 90 s of TERM")
            self.kill_daemon()

    # --- its clock

    @property
    def _clock(self) -> Path:
        return self.aside / "clock"

    def shift_clock(self, seconds: int) -> None:
        """From now on the daemon's wall clock is so far off."""
        fresh = self.aside / "clock.new"
        fresh.write_text(f"{seconds:+d}")
        fresh.replace(self._clock)  # it is read at every look at the clock: never half of it

    # --- its instances

    def running(self) -> list[str]:
        """The instances that the engine runs for this state directory."""
        found = self.engine.find({LABEL_STATE: self.label})
        return [info.instance_id for info in found if info.status is InstanceStatus.RUNNING]

    def all_instances(self) -> list[str]:
        """What the engine holds for this state directory, running or not."""
        return [info.instance_id for info in self.engine.find({LABEL_STATE: self.label})]

    def worker_pid(self, instance_id: str) -> int:
        """The number of an instance's worker among the host's processes; 0 when it has gone."""
        try:
            if self.kind is EngineKind.PROCESS:
                return int(_record(self.state_dir, instance_id)["pid"])
            command = [self.kind.value, "inspect", "--format", "{{.State.Pid}}", f"pitchey-{instance_id}"]
            address = ["--host" if self.kind is EngineKind.DOCKER else "--url", self.url or ""]
            return int(subprocess.run([command[0], *address, *command[1:]], capture_output=True, check=True).stdout)
        except (OSError, subprocess.CalledProcessError):
            return 0

    def engine_script(self, verb: str) -> None:
        """Stop or start the private engine."""
        assert self.engine_root is not None
        places = {"PITCHEY_STATE_DIR": str(self.engine_root), "PITCHEY_ENGINE_ROOT": str(self.engine_root / "engine")}
        done = subprocess.run(
            [ROOT / "scripts" / "engine", verb, self.kind.value],
            env=os.environ | places,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise StormBroken(f"scripts/engine {verb} failed: {done.stderr}")

    # --- its database: by other processes, because this one reads the file as it lies on the disk

    def back_up(self) -> Path:
        """Take a backup, whether a daemon runs or not."""
        target = self.aside / "backup.db"
        self.pitchey.ok("db", "backup", target, "--overwrite")
        return target

    def restore(self, backup: Path) -> None:
        """Put a backup in the place of the database; no daemon may run."""
        self.pitchey.ok("db", "restore", backup)
        for damaged in self.state_dir.glob("pitchey.db.before-restore-*"):
            damaged.unlink()

    def fold_wal(self) -> None:
        """Bring all that was committed into the database file itself."""
        _in_python(_FOLD, layout.database(self.state_dir))

    def active_instances(self) -> list[str]:
        """The instances that the database holds for active."""
        return _in_python(_ACTIVE, layout.database(self.state_dir)).split()

    # --- what the verdict looks at

    @property
    def state_dirs(self) -> list[Path]:
        """Where the daemon keeps what is its own."""
        return [self.state_dir]

    def store(self) -> Store:
        """The database, once no daemon uses it any more."""
        return SqliteStore.open(layout.database(self.state_dir))

    def content(self, sha256: str) -> Path:
        """Where an artifact lies."""
        return layout.artifacts(self.state_dir) / "sha256" / sha256[:2] / sha256

    def remains(self) -> list[str]:
        """What is left where nothing should be, beside instances and files of the state directory."""
        return []

    # --- the end

    def keep(self) -> Path:
        """Copy what there is to where somebody can look at it."""
        return self.disk.keep()

    def close(self) -> None:
        """Leave nothing behind."""
        self.disk.free()
        self.pitchey.end()
        for process in self.pitchey.started:
            _forget_shared_memory(process.pid)
        try:
            for instance_id in self.all_instances():
                self.engine.remove(instance_id)
        except EngineError as error:
            sys.stderr.write(f"error: The storm's instances could not be removed: {error}\n")
        self.disk.close()
        subprocess.run(["rm", "-rf", self.aside], check=True)


def ffmpegs() -> list[tuple[int, str]]:
    """The ffmpeg programs on this machine, those inside containers too: process number and command line."""
    return [
        (process.pid, " ".join(process.info["cmdline"] or ()))
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"] == "ffmpeg"
    ]


def _record(state_dir: Path, instance_id: str) -> dict[str, Any]:
    import json

    record: dict[str, Any] = json.loads((state_dir / "processes" / instance_id / "record.json").read_bytes())
    return record


def _forget_shared_memory(pid: int) -> None:
    """What the clock shifter leaves behind of a process that was killed."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (Path("/dev/shm") / name).unlink(missing_ok=True)


def _in_python(script: str, *arguments: Path) -> str:
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise StormBroken(done.stderr)
    return done.stdout


_FOLD = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
assert database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
"""
_ACTIVE = """
import sqlite3, sys
for row in sqlite3.connect(sys.argv[1]).execute("SELECT id FROM container_instances WHERE stopped_at IS NULL"):
    print(row[0])
"""
