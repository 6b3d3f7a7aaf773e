"""The engine port for instances that are groups: a supervisor on this host, and a container of its own for each job.

    GroupedEngine -> start -> process: python -m pitchey_cli.supervisor -> slots.py -> containers, one for each job

Around Docker or Podman. Instances that are no groups are the engine's own; a group is its supervisor, kept as the
process engine keeps its workers, and the slots that carry its id as a label. When a supervisor dies its slots end by
themselves, because their stdin does; what is left of them goes with the instance.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pitchey_cli.domain.errors import ImageMissing, PitcheyError
from pitchey_cli.domain.limits import Limits
from pitchey_cli.domain.surroundings import VARIABLE, Surroundings
from pitchey_cli.engines import runtimes
from pitchey_cli.engines.port import (
    LABEL_GROUP,
    LABEL_INSTANCE,
    LABEL_ORGANISATION,
    LABEL_STATE,
    BuildStep,
    Engine,
    EngineInfo,
    EngineKind,
    ImageInfo,
    InstanceInfo,
    InstanceSpec,
    InstanceStatus,
    InstanceUsage,
    RunResult,
)
from pitchey_cli.engines.process import ProcessEngine

if TYPE_CHECKING:
    from pitchey_cli.engines.slots import SlotEngine

USED_NAME = "used.json"  #: in an instance's run directory: {"cpuSeconds": of jobs that have ended}

_SUPERVISOR = ("python3", "-m", "pitchey_cli.supervisor")


class GroupedEngine:
    """A container engine that can run groups."""

    def __init__(
        self, engine: Engine, endpoint: str, root: Path, surroundings: Callable[[], Surroundings] | None = None
    ) -> None:
        """Wrap an engine.

        Args:
            endpoint: where it listens.
            root: where supervisors have their records.
            surroundings: what they are told of the host; without it slots have neither network nor packages.
        """
        self._surroundings = surroundings
        self._engine = engine
        self._endpoint = endpoint
        self._supervisors = ProcessEngine(root, stands_behind=False)  # they run nothing themselves, and have to answer
        self._made: SlotEngine | None = None

    @property
    def kind(self) -> EngineKind:
        """That of the containers."""
        return self._engine.kind

    def info(self) -> EngineInfo:
        """Ask the engine about itself."""
        return self._engine.info()

    # --- instances

    def start(self, spec: InstanceSpec) -> None:
        """Start an instance: a container, or a supervisor."""
        if not spec.is_group:
            return self._engine.start(spec)
        if spec.runtime:  # else the engine need not be asked, which takes Podman a second
            runtimes.check(self.info(), spec.runtime)
        if not self._engine.has_image(spec.image):  # else a supervisor is there at once, and fails every job it gets
            raise ImageMissing(f"{self.kind.title()} holds no image {spec.image}.")
        command = [*_SUPERVISOR, *spec.command]
        command += ["--engine", self.kind, "--endpoint", self._endpoint, "--image", spec.image]
        command += ["--cpus", str(spec.limits.cpus), "--memory", str(spec.limits.memory_bytes)]
        command += ["--runtime", spec.runtime] if spec.runtime else []
        command += ["--group", spec.instance_id, "--state", spec.labels.get(LABEL_STATE, "")]
        command += ["--organisation", spec.labels.get(LABEL_ORGANISATION, "")]
        told = {VARIABLE: self._surroundings().as_text()} if self._surroundings is not None else {}
        supervisor = replace(spec, command=tuple(command), is_group=False, runtime="")
        return self._supervisors.start(replace(supervisor, environment={**spec.environment, **told}))

    def inspect(self, instance_id: str) -> InstanceInfo:
        """Look at one instance."""
        return self._keeper(instance_id).inspect(instance_id)

    def address(self, instance_id: str) -> tuple[str, int]:
        """Where its porter is reached."""
        return self._engine.address(instance_id)

    def find(self, labels: Mapping[str, str]) -> list[InstanceInfo]:
        """Every instance that carries all of these labels; also one of which nothing but slots is left."""
        found = self._engine.find(labels)
        if not self._supervisors.root.exists():
            return found
        found += self._supervisors.find(labels)
        known = {info.instance_id for info in found}
        for of_slot in self._slots.find(labels).values():
            group = of_slot.get(LABEL_GROUP, "")
            if group and group not in known:
                known.add(group)
                found.append(InstanceInfo(group, InstanceStatus.EXITED, {**of_slot, LABEL_INSTANCE: group}))
        return found

    def usage(self, instance_id: str) -> InstanceUsage:
        """What a running instance uses, its supervisor included."""
        keeper = self._keeper(instance_id)
        used = keeper.usage(instance_id)
        if keeper is not self._supervisors:
            return used
        cpu_seconds, memory_bytes = used.cpu_seconds + self._used_by_ended(instance_id), used.memory_bytes
        for slot_id in self._slots.find({LABEL_GROUP: instance_id}):
            with contextlib.suppress(PitcheyError):  # it has just gone
                slot = self._slots.usage(slot_id)
                cpu_seconds += slot.cpu_seconds
                memory_bytes += slot.memory_bytes
        return InstanceUsage(cpu_seconds, memory_bytes)

    def logs(self, instance_id: str, *, lines: int = 100) -> str:
        """The last lines that the instance's first process has printed."""
        return self._keeper(instance_id).logs(instance_id, lines=lines)

    def pause(self, instance_id: str) -> None:
        """Freeze an instance. Of a group that is the supervisor: slots that wait for a job do nothing."""
        self._keeper(instance_id).pause(instance_id)

    def unpause(self, instance_id: str) -> None:
        """Thaw a paused instance."""
        self._keeper(instance_id).unpause(instance_id)

    def stop(self, instance_id: str, *, grace_seconds: float) -> None:
        """TERM, and KILL after the grace."""
        self._keeper(instance_id).stop(instance_id, grace_seconds=grace_seconds)

    def kill(self, instance_id: str) -> None:
        """KILL now."""
        keeper = self._keeper(instance_id)
        keeper.kill(instance_id)
        if keeper is self._supervisors:
            self._remove_slots(instance_id)

    def remove(self, instance_id: str) -> None:
        """Kill it if it runs, and forget it, with all that belongs to it."""
        if not self._supervisors.root.exists():
            return self._engine.remove(instance_id)
        if self._keeper(instance_id) is self._engine:
            self._engine.remove(instance_id)
            return self._remove_slots(instance_id)  # in case that nothing else is left of a group
        self._supervisors.kill(instance_id)
        self._remove_slots(instance_id)
        return self._supervisors.remove(instance_id)  # last: as long as it is there, it is found

    def run(self, image: str, command: tuple[str, ...], limits: Limits) -> RunResult:
        """Run a throw-away container to its end, hardened as an instance is."""
        return self._engine.run(image, command, limits)

    # --- images

    def has_image(self, tag: str) -> bool:
        """Whether the engine holds an image."""
        return self._engine.has_image(tag)

    def images(self, *, tagged: bool = True) -> list[ImageInfo]:
        """The images that carry our label."""
        return self._engine.images(tagged=tagged)

    def build(
        self, context: Path, containerfile: str, tag: str, *, labels: Mapping[str, str], arguments: Mapping[str, str]
    ) -> Iterator[BuildStep]:
        """Build an image from a directory."""
        return self._engine.build(context, containerfile, tag, labels=labels, arguments=arguments)

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""
        self._engine.pull(reference)

    def import_root(self, tarball: Path, reference: str) -> None:
        """Make an image out of a root file system in a tar."""
        self._engine.import_root(tarball, reference)

    def remove_image(self, tag: str) -> None:
        """Forget an image."""
        self._engine.remove_image(tag)

    def close(self) -> None:
        """Let go of connections. Instances go on."""
        self._engine.close()
        if self._made is not None:
            self._made.close()
            self._made = None

    # --- groups

    @property
    def _slots(self) -> SlotEngine:
        if self._made is None:
            from pitchey_cli.engines.slots import (
                SlotEngine,
            )  # late: docker-py takes a while to load, and Podman has none

            self._made = SlotEngine(self.kind, self._endpoint)
        return self._made

    def _keeper(self, instance_id: str) -> Engine:
        return self._supervisors if self._supervisors.has(instance_id) else self._engine

    def _remove_slots(self, instance_id: str) -> None:
        for slot_id in self._slots.find({LABEL_GROUP: instance_id}):
            self._slots.remove(slot_id)

    def _used_by_ended(self, instance_id: str) -> float:
        run_dir = self._supervisors.run_dir(instance_id)
        try:
            return float(json.loads((run_dir / USED_NAME).read_bytes())["cpuSeconds"])
        except (OSError, ValueError, KeyError, TypeError):  # no job has ended yet
            return 0.0
