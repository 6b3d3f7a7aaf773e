"""The engine port without containers: workers as plain processes of this user, for machines that have no engine.

An instance is a folder under the engine's root: a record, the log of its first process, and its temporary files. All
its processes carry a mark (marked.py): by it another Pitchey finds them again, tells a reused process number apart, and
stops with a worker what that has left behind.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

import psutil

import processors
from pitchey_cli.domain.errors import EngineError, InstanceGone
from pitchey_cli.domain.limits import Limits
from pitchey_cli.engines import graphics, marked, niceness, runtimes
from pitchey_cli.engines.port import (
    LABEL_INSTANCE,
    BuildStep,
    EngineInfo,
    EngineKind,
    ImageInfo,
    InstanceInfo,
    InstanceSpec,
    InstanceStatus,
    InstanceUsage,
    RunResult,
)
from processors.vocabulary import RUN_DIR

NOT_ENFORCED = (
    "isolation from this machine's files and network",
    "memory limits",
    "CPU limits",
    "limits of processes and temporary files",
)

_RECORD = "record.json"
_LOG = "output.log"
_LOG_TAIL_BYTES = 1 << 20
_POLL_SECONDS = 0.01
_UNKNOWN_EXIT = 255  # nobody was there to see it end


class ProcessEngine:
    """Runs instances as processes, and keeps what it knows of them below a directory."""

    kind = EngineKind.PROCESS

    def __init__(self, root: Path, *, stands_behind: bool = True) -> None:
        """Keep records in a directory.

        Args:
            stands_behind: what it runs gets less of the processors than this process when they are short.
        """
        self.root = root
        self._stands_behind = stands_behind
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._writing = threading.Lock()

    def info(self) -> EngineInfo:
        """What this machine has."""
        return EngineInfo(
            kind=self.kind,
            version=platform.release(),
            endpoint=str(self.root),
            cpus=float(len(psutil.Process().cpu_affinity() or [])),
            memory_bytes=psutil.virtual_memory().total,
            is_rootless=os.geteuid() != 0,
            not_enforced=NOT_ENFORCED,
        )

    # --- instances

    def start(self, spec: InstanceSpec) -> None:
        """Start an instance's first process, in a session of its own."""
        runtimes.check(self.info(), spec.runtime)
        graphics.refuse_without(self.kind, is_wanted=spec.has_gpu)
        if spec.is_group:
            raise EngineError(
                "The process engine runs no programs that nobody trusts: it would let them at this machine.",
                hint="Use Docker or Podman for the code service.",
            )
        folder = self._folder(spec.instance_id)
        try:
            (folder / "tmp").mkdir(parents=True)
        except FileExistsError as error:
            raise EngineError(f"There is an instance {spec.instance_id} already.") from error
        except OSError as error:
            raise EngineError(f"{folder} could not be made: {error.strerror}.") from error
        run_dir = next((mount.source for mount in spec.mounts if mount.target == RUN_DIR), folder)
        environment = {
            **_environment(),
            "TMPDIR": str(folder / "tmp"),
            **spec.environment,
            marked.MARK: spec.instance_id,
        }
        try:
            with (folder / _LOG).open("wb") as log:
                child = subprocess.Popen(
                    _command(spec),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=run_dir,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise EngineError(f"{spec.command[0]} could not be started: {error.strerror}.") from error
        self._children[spec.instance_id] = child
        labels = {**spec.labels, LABEL_INSTANCE: spec.instance_id}
        record = {"pid": child.pid, "labels": labels, "exit_code": None, "run_dir": str(run_dir)}
        try:
            self._write(spec.instance_id, record)
        except OSError as error:
            self.remove(spec.instance_id)
            child.kill()  # without a record nobody would ever find it again
            child.wait()
            raise EngineError(f"{spec.instance_id} could not be written down: {error.strerror}.") from error
        if self._stands_behind:
            niceness.stand_behind(child.pid)

    def has(self, instance_id: str) -> bool:
        """Whether there is such an instance, running or not."""
        return (self._folder(instance_id) / _RECORD).exists()

    def run_dir(self, instance_id: str) -> Path:
        """The directory that the instance's socket is in."""
        return Path(self._record(instance_id)["run_dir"])

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""
        record = self._record(instance_id)
        leader = self._leader(instance_id, record)
        if leader is None:
            return InstanceInfo(
                instance_id, InstanceStatus.EXITED, record["labels"], self._exit_code(instance_id, record)
            )
        with contextlib.suppress(psutil.Error):
            if leader.status() == psutil.STATUS_STOPPED:
                return InstanceInfo(instance_id, InstanceStatus.PAUSED, record["labels"])
        return InstanceInfo(instance_id, InstanceStatus.RUNNING, record["labels"])

    def address(self, instance_id: str) -> tuple[str, int]:
        """It shares its files, and has no porter."""
        raise InstanceGone(f"Instance {instance_id} has no porter on this engine.")

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance that carries all of these labels."""
        found: list[InstanceInfo] = []
        for path in sorted(self.root.glob(f"*/{_RECORD}")):
            with contextlib.suppress(InstanceGone):
                info = self.inspect(path.parent.name)
                if labels.items() <= info.labels.items():
                    found.append(info)
        return found

    def usage(self, instance_id: str) -> InstanceUsage:
        """What an instance's processes use; those that have ended are counted with their parents."""
        self._running(instance_id)
        return InstanceUsage(*marked.usage(instance_id))

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""
        try:
            with (self._folder(instance_id) / _LOG).open("rb") as log:
                log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                tail = log.read().decode(errors="replace")
        except FileNotFoundError as error:
            raise InstanceGone(f"Instance {instance_id} does not exist.") from error
        return "".join(tail.splitlines(keepends=True)[-lines:])

    def pause(self, instance_id: str) -> None:
        """Stop all of an instance's processes."""
        self._running(instance_id)
        marked.freeze(instance_id)

    def unpause(self, instance_id: str) -> None:
        """Let an instance's processes go on."""
        self._running(instance_id)
        marked.thaw(instance_id)

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM to the first process, as a container's would get it, and KILL to all that is there after the grace."""
        record = self._record(instance_id)
        leader = self._leader(instance_id, record)
        if leader is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(leader.pid, signal.SIGTERM)
            marked.thaw(instance_id)  # one that is paused hears nothing
            deadline = time.monotonic() + grace_seconds
            while self._leader(instance_id, record) is not None and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        self.kill(instance_id)

    def kill(self, instance_id: str) -> None:
        """KILL to all of an instance's processes."""
        record = self._record(instance_id)
        marked.kill(instance_id)
        if instance_id in self._children:
            self._children[instance_id].kill()  # in case it does not carry its mark yet: its end is waited for
        self._exit_code(instance_id, record)

    def remove(self, instance_id: str) -> None:
        """Kill it if it runs, and forget it."""
        with contextlib.suppress(InstanceGone):
            self.kill(instance_id)
        self._children.pop(instance_id, None)
        with self._writing:
            shutil.rmtree(self._folder(instance_id), ignore_errors=True)

    def run(self, image: str, command: tuple[str, ...], limits: Limits) -> RunResult:
        """Run a command to its end."""
        spec = InstanceSpec("run", image, command, limits)
        done = subprocess.run(
            _command(spec),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            check=False,
        )
        return RunResult(_as_shells_say(done.returncode), done.stdout.decode(errors="replace"))

    # --- images: there are none, and none is missing

    def has_image(self, tag: str) -> bool:
        """Always: what a worker needs is on this machine, or the worker says what is not."""
        return True

    def images(self, *, tagged: bool = True) -> list[ImageInfo]:
        """None."""
        return []

    def build(
        self, context: Path, containerfile: str, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> Iterator[BuildStep]:
        """Refuse."""
        _no_images()

    def pull(self, reference: str) -> None:
        """Refuse."""
        _no_images()

    def import_root(self, tarball: Path, reference: str) -> None:
        """Refuse."""
        _no_images()

    def remove_image(self, tag: str) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to let go of. Instances go on."""

    # --- records

    def _folder(self, instance_id: str) -> Path:
        return self.root / instance_id

    def _record(self, instance_id: str) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads((self._folder(instance_id) / _RECORD).read_bytes())
        except (OSError, ValueError) as error:
            raise InstanceGone(f"Instance {instance_id} does not exist.") from error
        return record

    def _write(self, instance_id: str, record: Mapping[str, Any]) -> None:
        path = self._folder(instance_id) / _RECORD
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(record), encoding="utf-8")
        fresh.replace(path)

    def _leader(self, instance_id: str, record: Mapping[str, Any]) -> psutil.Process | None:
        """The first process, if it lives: one with its number that lacks the mark is somebody else's."""
        child = self._children.get(instance_id)
        # A child of ours is known by itself: for a moment after its start its mark cannot be read yet, and to take it
        # for one that has ended would be to wait for its end.
        if child is not None and child.poll() is not None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            if child is not None or marked.is_marked(record["pid"], instance_id):
                return psutil.Process(record["pid"])
        return None

    def _running(self, instance_id: str) -> None:
        if self._leader(instance_id, self._record(instance_id)) is None:
            raise InstanceGone(f"Instance {instance_id} does not run.")

    def _exit_code(self, instance_id: str, record: Mapping[str, Any]) -> int:
        """How the first process ended, kept for whoever asks after this Pitchey has gone."""
        child = self._children.get(instance_id)
        if child is not None and record["exit_code"] is None:
            code = _as_shells_say(child.wait())
            # All who follow it ask at once; and a full disk, or its removal, is no reason not to answer.
            with self._writing, contextlib.suppress(OSError):
                self._write(instance_id, {**record, "exit_code": code})
            return code
        return _UNKNOWN_EXIT if record["exit_code"] is None else int(record["exit_code"])


def _command(spec: InstanceSpec) -> list[str]:
    """The worker with the host's directories for those of a container; or what a test asks for, run by this Python."""
    sources = {mount.target: str(mount.source) for mount in spec.mounts}
    arguments = [sources.get(argument, argument) for argument in spec.command]
    if arguments[0] == "python3":
        return [sys.executable, *arguments[1:]]
    return [sys.executable, "-m", "processors.worker", *arguments]


def _environment() -> dict[str, str]:
    """What a worker needs of ours, and none of our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(Path(processors.__file__).parent.parent)}


def _as_shells_say(returncode: int) -> int:
    """128 and the signal for one that was killed, as containers have it."""
    return returncode if returncode >= 0 else 128 - returncode


def _no_images() -> NoReturn:
    raise EngineError("The process engine has no images: it runs what is installed on this machine.")
