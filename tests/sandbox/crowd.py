"""A crowd: jobs of five organisations through a whole Pitchey, one in five of them hostile.

    python -m tests.sandbox.crowd --engine docker --url unix:///... --jobs 2000

Every job must come to its end with the right verdict, benign ones with exactly what they print elsewhere; nothing may
be left over, and neither the daemon nor its supervisors may grow. Prints a table, then what was wrong. Exit code 1 if
anything was.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import docker
import psutil

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.fitting import fit
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState
from pitchey_cli.engines import marked
from pitchey_cli.engines.port import LABEL_GROUP
from pitchey_cli.operations import submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.store.port import Store
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service
from tests.conftest import RESOURCES, Pitchey

ATTACKS = RESOURCES / "sandbox" / "attacks"
PROGRAMS = RESOURCES / "sandbox" / "programs"
LANGUAGES = {".py": "python", ".js": "javascript", ".go": "go", ".rs": "rust"}
ORGANISATIONS = ("amber", "birch", "cedar", "dahlia", "elder")
HOSTILE_SHARE = 5  #: one in so many
HOSTILE_SECONDS = 20  #: that each may take: of a hundred on two processors, whoever is to meet a limit waits for it
COMPILE_SECONDS = 120  #: the same for compilers

SERVICE_TYPE, SERVICE_SLOTS = "lite", 10  #: as the service ships

_LOOK_SECONDS = 1.0
_SECONDS_FOR_EACH = 1.5
_SECONDS_AT_LEAST = 180.0
_GROWTH = 1.3  # that a process may have in its second half over its first: Python's heap settles late
_ROOM_BYTES = 24 << 20


@dataclass(frozen=True)
class Program:
    """A program, and what must come of it."""

    name: str
    spec: dict[str, Any]
    verdicts: frozenset[str]
    stdout: str | None = None  #: exactly; None for whatever it may be
    is_hostile: bool = False


def benign() -> list[Program]:
    """The programs that do honest work."""
    found = []
    for path in sorted(path for path in PROGRAMS.iterdir() if path.suffix in LANGUAGES):
        stem = PROGRAMS / path.stem
        meta = dict(line.split("=", 1) for line in stem.with_suffix(".meta").read_text().splitlines())
        spec = {"stdin": stem.with_suffix(".in").read_text(), "timeout": 60, **_spec(path)}
        verdict = "NONZERO_EXIT" if int(meta["exit"]) else "OK"
        found.append(Program(path.name, spec, frozenset({verdict}), stem.with_suffix(".out").read_text()))
    return found


def hostile() -> list[Program]:
    """The programs that try to do harm; each says in its header what must come of it."""
    return [
        Program(
            path.name,
            {"timeout": HOSTILE_SECONDS, **_spec(path)},
            expected(path),
            is_hostile=True,
        )
        for path in sorted(path for path in ATTACKS.iterdir() if path.suffix in LANGUAGES)
    ]


def expected(attack: Path) -> frozenset[str]:
    """The verdicts that an attack's header allows."""
    return frozenset(
        word
        for line in attack.read_text().splitlines()
        if line.lstrip("#/ ").startswith("EXPECT:")
        for word in line.partition("EXPECT:")[2].split()
    )


def _spec(path: Path) -> dict[str, Any]:
    return {"language": LANGUAGES[path.suffix], "code": path.read_text(), "compileTimeout": COMPILE_SECONDS}


def crowd_of(count: int, seed: int) -> list[tuple[str, Program]]:
    """So many jobs in a random order: organisation and program."""
    dice = random.Random(seed)
    good, bad = benign(), hostile()
    members = [
        (ORGANISATIONS[number % len(ORGANISATIONS)],
         bad[number // HOSTILE_SHARE % len(bad)] if number % HOSTILE_SHARE == 0 else dice.choice(good))
        for number in range(count)
    ]  # fmt: skip
    # Or one organisation would have all that is hostile.
    dice.shuffle(members)
    return [(ORGANISATIONS[number % len(ORGANISATIONS)], program) for number, (_, program) in enumerate(members)]


@dataclass
class Crowd:
    """One run."""

    command: Pitchey
    url: str
    jobs: int
    seed: int
    problems: list[str] = field(default_factory=list)
    memory: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))  #: by process
    names: dict[int, str] = field(default_factory=dict)

    def run(self) -> list[str]:
        """Run it; what was wrong."""
        self.command.ok("images", "build", "code")
        daemon = self.command.start_daemon()
        store = SqliteStore.open(layout.database(self.command.state_dir), create=False)
        try:
            members = crowd_of(self.jobs, self.seed)
            began = time.monotonic()
            ids = self._submit(store, members)
            ended = self._follow(store, ids, daemon.pid)
            seconds = time.monotonic() - began
            self._judge(store, dict(zip(ids, members, strict=True)), ended)
            print(f"{len(ended)} of {len(ids)} jobs in {seconds:.0f} s: {len(ended) / seconds:.1f} per second")  # noqa: T201
        finally:
            store.close()
            self.command.ok("daemon", "stop")
            daemon.communicate(timeout=60)
        self._judge_memory()
        self._judge_what_is_left()
        return self.problems

    def _submit(self, store: Store, members: Sequence[tuple[str, Program]]) -> list[JobId]:
        artifacts = LocalArtifacts(layout.artifacts(self.command.state_dir))
        ids: list[JobId] = []
        for organisation, program in members:
            draft = drafted(Service.CODE, program.spec, None)
            place = fit(draft.checked.memory_bytes() or 0, own_type=SERVICE_TYPE, slots=SERVICE_SLOTS)
            assert place is not None
            settings = submit.JobSettings(
                max_attempts=2, timeout_seconds=240, organisation=organisation, slots=place.slots, size=place.size
            )
            staged = submit.stage([draft], artifacts, lambda _, own=settings: own, limit_bytes=1 << 20)
            ids += submit.submit(store, staged, now=datetime.now(UTC), artifacts=artifacts)
        lock.poke(self.command.state_dir)
        return ids

    def _follow(self, store: Store, ids: Sequence[JobId], daemon: int) -> dict[JobId, Job]:
        left, ended = set(ids), dict[JobId, Job]()
        deadline = time.monotonic() + max(_SECONDS_AT_LEAST, _SECONDS_FOR_EACH * len(ids))
        while left and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
            for job_id in list(left):
                job = store.job(job_id)
                if job is not None and job.state in TERMINAL:
                    left.remove(job_id)
                    ended[job_id] = job
            self._weigh(daemon, progress=len(ended) / len(ids))
        self.problems += [f"{job_id} has not ended" for job_id in sorted(left)]
        return ended

    def _weigh(self, daemon: int, *, progress: float) -> None:
        pids = {daemon: "daemon"}
        for directory in layout.supervisors(self.command.state_dir).glob("*"):
            pids |= {process.pid: directory.name for process in marked.members(directory.name)}
        for pid, name in pids.items():
            try:
                self.memory[pid].append((progress, psutil.Process(pid).memory_info().rss))
                self.names[pid] = name
            except psutil.Error:  # it has just ended
                continue

    # --- judgement

    def _judge(self, store: Store, members: dict[JobId, tuple[str, Program]], ended: dict[JobId, Job]) -> None:
        table: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for job_id, job in ended.items():
            organisation, program = members[job_id]
            details = store.details(job_id)
            verdict = str(details.get("verdict", job.state))
            table[program.name].append((verdict, float(details.get("wallSeconds", 0.0))))
            if job.state is not JobState.SUCCEEDED:
                self.problems.append(f"{job_id} ({program.name}) is {job.state}: {job.error}")
            elif verdict not in program.verdicts:
                self.problems.append(f"{job_id} ({program.name}) is {verdict}: {details}")
            elif program.stdout is not None and details["stdout"]["text"] != program.stdout:
                self.problems.append(f"{job_id} ({program.name}) printed something else")
            elif program.is_hostile and "ESCAPED" in details["stdout"]["text"]:
                self.problems.append(f"{job_id} ({program.name}) got out: {details['stdout']['text']}")
            if job.organisation != organisation:
                self.problems.append(f"{job_id} is {job.organisation}'s, and was {organisation}'s")
        for name, rows in sorted(table.items()):
            verdicts = ", ".join(f"{verdict} {count}" for verdict, count in Counter(row[0] for row in rows).items())
            mean = sum(row[1] for row in rows) / len(rows)
            print(f"{name:40} {len(rows):5} {mean:7.2f} s  {verdicts}")  # noqa: T201

    def _judge_memory(self) -> None:
        for pid, weights in self.memory.items():
            first = [weight for progress, weight in weights if 0.2 <= progress < 0.6]
            second = [weight for progress, weight in weights if progress >= 0.6]
            if not (first and second):
                continue
            print(f"{self.names[pid]:20} {max(first) >> 20} MiB, later {max(second) >> 20} MiB")  # noqa: T201
            if max(second) > _GROWTH * max(first) + _ROOM_BYTES:
                self.problems.append(f"{self.names[pid]} has grown from {max(first) >> 20} to {max(second) >> 20} MiB")

    def _judge_what_is_left(self) -> None:
        state = self.command.state_dir
        api = docker.APIClient(self.url, version="auto")
        groups = {path.name for path in layout.supervisors(state).glob("*")}
        groups |= {path.name for path in layout.instances(state).glob("*")}
        self.problems += [f"the instance {group} is left over" for group in groups]
        ours = set(self.names.values())
        for item in api.containers(all=True, filters={"label": LABEL_GROUP}):
            if item["Labels"][LABEL_GROUP] in ours:
                self.problems.append(f"a slot of {item['Labels'][LABEL_GROUP]} is left over")
        self.problems += [f"the process {pid} is left over" for name in ours for pid in map(str, marked.members(name))]
        api.close()


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=("docker", "podman"), required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pitchey-crowd-", dir="/var/tmp") as directory:
        settings = {"PITCHEY_ENGINE_KIND": options.engine, "PITCHEY_ENGINE_URL": options.url}
        command = Pitchey(Path(directory) / "state", Path(directory), settings)
        try:
            problems = Crowd(command, options.url, options.jobs, options.seed).run()
        finally:
            command.end()
    for problem in problems:
        print(f"WRONG: {problem}")  # noqa: T201
    print(f"{options.engine}: {options.jobs} jobs, {len(problems)} problems")  # noqa: T201
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
