"""An engine whose instances live inside the test: no container, no process.

A `Machine` has the instances; a `ScriptedEngine` is one Pitchey's connection to it. What an instance's first process
does is a worker (scripted_worker.py), or a Python program where the command is one (scripted_program.py). A test kills,
hangs and starves instances, and takes the engine away and brings it back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

from pitchey_cli.domain.errors import EngineError, EngineUnavailable, ImageMissing, InstanceGone
from pitchey_cli.domain.limits import GIB, Limits
from pitchey_cli.engines import graphics, runtimes
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
from tests.resources.scripted_program import Program
from tests.resources.scripted_worker import Script, ScriptedAttempt, ScriptedWorker, by_spec

T = TypeVar("T")

NOT_ENFORCED = ("isolation: an instance is a part of the test", "memory limits", "all other limits")


@dataclass
class _Instance:
    labels: Mapping[str, str]
    process: Program | ScriptedWorker
    is_paused: bool = False


@dataclass
class Machine:
    """What runs instances, with the levers that a test pulls.

    Workers live in the event loop in which the machine was made; without one there are programs only.
    """

    script: Script = by_spec
    is_away: bool = False  #: the engine does not answer; its instances go on
    is_frozen_solid: bool = False  #: nothing that is paused can be thawed
    stillborn: int = 0  #: so many of the next workers exit while they start
    has_images: bool = True  #: whether somebody has built them
    complaints: list[BaseException] = field(default_factory=list)  #: of scripts that broke
    _instances: dict[str, _Instance] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    def __post_init__(self) -> None:
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    # --- what a test does

    @property
    def workers(self) -> dict[str, ScriptedWorker]:
        """The workers that run."""
        return {
            instance_id: instance.process
            for instance_id, instance in self._instances.items()
            if isinstance(instance.process, ScriptedWorker) and instance.process.exit_code is None
        }

    @property
    def attempts(self) -> dict[str, ScriptedAttempt]:
        """The attempts that run, by token."""
        return {token: attempt for worker in self.workers.values() for token, attempt in worker.live.items()}

    @property
    def left_behind(self) -> set[str]:
        """The attempts whose programs go on without their worker, by token."""
        processes = [instance.process for instance in self._instances.values()]
        return {token for each in processes if isinstance(each, ScriptedWorker) for token in each.left_behind}

    # --- what engines ask

    def start(self, spec: InstanceSpec) -> None:
        if spec.instance_id in self._instances:
            raise EngineError(f"There is an instance {spec.instance_id} already.")
        labels = {**spec.labels, LABEL_INSTANCE: spec.instance_id}
        process = self._program(spec) if spec.command[0] == "python3" else self._worker(spec)
        self._instances[spec.instance_id] = _Instance(labels, process)

    def instance(self, instance_id: str) -> _Instance:
        if instance_id not in self._instances:
            raise InstanceGone(f"Instance {instance_id} does not exist.")
        return self._instances[instance_id]

    def running(self, instance_id: str) -> _Instance:
        instance = self.instance(instance_id)
        if instance.process.exit_code is not None:
            raise InstanceGone(f"Instance {instance_id} does not run.")
        return instance

    def ids(self) -> list[str]:
        return sorted(self._instances)

    def forget(self, instance_id: str) -> None:
        self._instances.pop(instance_id, None)

    def on_loop(self, act: Callable[[], T], *, process: object = None) -> T:
        """Do something to a worker where it lives; a program is a thread, and may be met anywhere."""
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if self._loop is None or is_here or isinstance(process, Program):
            return act()

        async def there() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(there(), self._loop).result()

    def _program(self, spec: InstanceSpec) -> Program:
        sources = {mount.target: str(mount.source) for mount in spec.mounts}
        _, _, source, *arguments = spec.command
        return Program(source, [sources.get(each, each) for each in arguments], spec.environment)

    def _worker(self, spec: InstanceSpec) -> ScriptedWorker:
        worker = self.on_loop(lambda: ScriptedWorker(spec, self.script, self.complaints))
        if self.stillborn:
            self.stillborn -= 1
            self.on_loop(lambda: worker.kill(1))
        return worker


class ScriptedEngine:
    """A connection to a machine."""

    kind = EngineKind.PROCESS  # of the kinds there are, the one without images and isolation

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._is_cut = False

    @property
    def machine(self) -> Machine:
        """The machine, unless it is away."""
        if self._machine.is_away or self._is_cut:
            raise EngineUnavailable("The scripted engine does not answer.")
        return self._machine

    def cut(self) -> None:
        """For this connection the engine is away for ever: whoever holds it has been killed."""
        self._is_cut = True

    def info(self) -> EngineInfo:
        """What it likes to be."""
        assert self.machine
        return EngineInfo(self.kind, "1", "scripted:", cpus=64, memory_bytes=512 * GIB, not_enforced=NOT_ENFORCED)

    def start(self, spec: InstanceSpec) -> None:
        """Start an instance."""
        graphics.refuse_without(self.kind, is_wanted=spec.has_gpu)
        runtimes.check(self.info(), spec.runtime)
        if not self.has_image(spec.image):
            raise ImageMissing(f"The scripted engine holds no image {spec.image}.")
        self.machine.start(spec)

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""
        instance = self.machine.instance(instance_id)
        exit_code = instance.process.exit_code
        status = InstanceStatus.PAUSED if instance.is_paused else InstanceStatus.RUNNING
        return InstanceInfo(
            instance_id,
            status if exit_code is None else InstanceStatus.EXITED,
            instance.labels,
            exit_code,
            instance.process.is_oom_killed,
        )

    def address(self, instance_id: str) -> tuple[str, int]:
        """It shares its files, and has no porter."""
        raise InstanceGone(f"Instance {instance_id} has no porter on this engine.")

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance that carries all of these labels."""
        found = [self.inspect(instance_id) for instance_id in self.machine.ids()]
        return [info for info in found if labels.items() <= info.labels.items()]

    def usage(self, instance_id: str) -> InstanceUsage:
        """What an instance uses."""
        process = self.machine.running(instance_id).process
        return InstanceUsage(process.cpu_seconds, process.memory_bytes)

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that it has printed."""
        output = self.machine.instance(instance_id).process.log()
        return "".join(output.splitlines(keepends=True)[-lines:])

    def pause(self, instance_id: str) -> None:
        """Freeze it."""
        instance = self.machine.running(instance_id)
        self.machine.on_loop(instance.process.freeze, process=instance.process)
        instance.is_paused = True

    def unpause(self, instance_id: str) -> None:
        """Let it go on."""
        instance = self.machine.running(instance_id)
        if self.machine.is_frozen_solid:
            raise EngineError(f"Instance {instance_id} cannot be thawed.")
        self.machine.on_loop(instance.process.thaw, process=instance.process)
        instance.is_paused = False

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM, and KILL after the grace."""
        process = self.machine.instance(instance_id).process
        if process.exit_code is None:
            self.machine.on_loop(lambda: process.stop(grace_seconds), process=process)

    def kill(self, instance_id: str) -> None:
        """KILL."""
        process = self.machine.instance(instance_id).process
        self.machine.on_loop(process.kill, process=process)

    def remove(self, instance_id: str) -> None:
        """Kill it, and forget it."""
        if instance_id in self.machine.ids():
            self.kill(instance_id)
            self.machine.forget(instance_id)

    def run(self, image: str, command: tuple[str, ...], limits: Limits) -> RunResult:
        """Run a program to its end."""
        program = Program(command[2], command[3:], {})
        return RunResult(program.wait(), program.log())

    # --- images: there are none, and none is missing

    def has_image(self, tag: str) -> bool:
        """Whether the machine has images."""
        return self.machine.has_images

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
        """Nothing to let go of."""


def _no_images() -> NoReturn:
    raise EngineError("The scripted engine has no images.")
