"""What is true after the storm: nothing lost, nothing done twice, nothing left over, every cent accounted for.

Each check gives the list of what is wrong, which should be empty. The daemon has stopped by then.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pitchey_cli.domain import layout
from pitchey_cli.domain.cost import TICKS_PER_SECOND, tick_of
from pitchey_cli.domain.errors import InputNotFound, PitcheyError
from pitchey_cli.domain.job import TERMINAL, Attempt, Instance, Job, JobId, JobState, Output, Token
from pitchey_cli.domain.states import MAX_CRASHES
from pitchey_cli.store.port import Store
from processors.vocabulary import Reason
from tests.chaos.ground import ffmpegs
from tests.chaos.load import TOO_LARGE, Kind, Load, expected_state
from tests.resources.books import wrong_books

_ENDINGS = {"succeeded", "dead", "cancelled"}
_LOSSES = {Reason.FAILED, Reason.OOM, Reason.INSTANCE_LOST, Reason.TIMEOUT}
_TOLERANCE_SECONDS = 0.3


class Battlefield(Protocol):
    """What a storm has left."""

    began: float  #: by the monotonic clock
    violations: list[str]  #: what should never have been seen while it raged
    taken: dict[str, str]  #: instances that a fault has taken, and which one

    @property
    def state_dirs(self) -> list[Path]:
        """Those of the daemons."""

    def store(self) -> Store:
        """The database."""

    def content(self, sha256: str) -> Path:
        """A file with the content of an artifact."""

    def all_instances(self) -> list[str]:
        """What the engines hold, running or not."""

    def remains(self) -> list[str]:
        """What is left where nothing should be, beside instances and files of the state directories."""


@dataclass
class Verdict:
    """Looks at what a storm has left."""

    ground: Battlefield
    load: Load
    seen: list[str]  #: what the watch has seen
    excused: list[str] = field(default_factory=list)  #: jobs that injected faults have sent to the dead letters

    def __post_init__(self) -> None:
        store = self.store = self.ground.store()
        self.jobs: dict[str, Job] = {}
        for job_id in self.load.ledger:
            try:
                self.jobs[job_id] = store.job(JobId(job_id))
            except InputNotFound:
                continue
        self.attempts: dict[str, list[Attempt]] = {job_id: store.attempts(JobId(job_id)) for job_id in self.jobs}
        self.instances: dict[str, Instance] = {item.id: item for item in store.instances(active_only=False)}

    def close(self) -> None:
        """Let go of the database."""
        self.store.close()

    def checks(self) -> dict[str, Callable[[], list[str]]]:
        """Every check by what it holds."""
        return {
            "nothing that must not be was seen": lambda: self.ground.violations + self.seen,
            "no job is lost": self.lost,
            "every job has ended as it should": self.wrong_ends,
            "few jobs were lost to faults alone": self.too_many_excused,
            "no instance was lost without a fault": self.unexplained,
            "no job has ended twice": self.ended_twice,
            "results are whole and right": self.wrong_results,
            "no attempt overlaps another of its job": self.overlaps,
            "nothing is left over": self.left_over,
            "the database is whole": self.store.integrity,
            "every nanodollar is accounted for": self.wrong_costs,
        }

    # --- jobs

    def lost(self) -> list[str]:
        """Jobs that were acknowledged and are not there."""
        return [
            f"{job_id} ({entry.kind.name})" for job_id, entry in self.load.ledger.items() if job_id not in self.jobs
        ]

    def wrong_ends(self) -> list[str]:
        """Jobs that have not ended, or not as their kind should."""
        wrong: list[str] = []
        for job_id, job in self.jobs.items():
            entry = self.load.ledger[job_id]
            wanted = expected_state(entry, lambda needed: self.store.job(JobId(needed)).state)
            if job.state is wanted and self._has_right_reason(job, wanted):
                continue
            if job.state is JobState.DEAD and self._is_worn_out(job):
                self.excused.append(job_id)
                continue
            why = f"{job.reason}: {job.error.message if job.error else ''}"
            wrong.append(f"{job_id} ({entry.kind.name}) is {job.state}, and should be {wanted}: {why}")
        return wrong

    def too_many_excused(self) -> list[str]:
        """More dead letters by injected faults than chance brings: attempts that end so would hide a fault of ours."""
        most = max(4, len(self.jobs) // 10)
        return self.excused if len(self.excused) > most else []

    def _has_right_reason(self, job: Job, wanted: JobState) -> bool:
        if wanted is not JobState.DEAD:
            return True
        kind = self.load.ledger[job.id].kind.name
        return job.reason is (Reason.OOM if kind == TOO_LARGE else Reason.REJECTED)

    def _is_worn_out(self, job: Job) -> bool:
        """Whether attempts, all that there are, went to faults: instances under it, programs, a disk without room."""
        reasons = [attempt.reason for attempt in self.attempts[job.id]]
        losses = [reason for reason in reasons if reason in _LOSSES]
        has_crashed = job.crashes >= MAX_CRASHES and losses.count(Reason.INSTANCE_LOST) >= MAX_CRASHES
        return job.reason in _LOSSES and (has_crashed or len(losses) >= job.max_attempts)

    def unexplained(self) -> list[str]:
        """Attempts whose instance went away, although no fault took it."""
        return [
            f"{attempt.token} on {attempt.instance_id}: {attempt.error.message if attempt.error else ''}"
            for attempt in self._all_attempts()
            if attempt.reason is Reason.INSTANCE_LOST and attempt.instance_id not in self.ground.taken
        ]

    def ended_twice(self) -> list[str]:
        """Jobs with more than one ending, or work that was completed more than once."""
        endings: Counter[str] = Counter()
        after = 0
        while page := self.store.events(after=after):
            after = page[-1].id
            endings.update(event.job_id for event in page if event.type in _ENDINGS)
        wrong = [
            f"{job_id} has {endings[job_id]} endings"
            for job_id, job in self.jobs.items()
            if endings[job_id] != (job.state in TERMINAL)
        ]
        for job_id, attempts in self.attempts.items():
            completed = sum(attempt.reason is Reason.COMPLETED for attempt in attempts)
            if completed != (self.jobs[job_id].state is JobState.SUCCEEDED):
                wrong.append(f"{job_id} is {self.jobs[job_id].state} with {completed} completed attempts")
        return wrong

    # --- results

    def wrong_results(self) -> list[str]:
        """Outputs that are missing, damaged, or not what was asked for."""
        wrong: list[str] = []
        for job_id, job in self.jobs.items():
            kind = self.load.ledger[job_id].kind
            outputs = self.store.outputs(job.id)
            wanted = kind.outputs if job.state is JobState.SUCCEEDED else 0
            if len(outputs) != wanted:
                wrong.append(f"{job_id} ({kind.name}) has {len(outputs)} outputs instead of {wanted}")
            wrong += [f"{job_id} {output.path}: {why}" for output in outputs if (why := self._flaw(output, kind))]
        return wrong

    def _flaw(self, output: Output, kind: Kind) -> str:
        if output.sha256 not in self._looked_at:
            self._looked_at[output.sha256] = self._look(output.sha256, kind)
        found = self._looked_at[output.sha256]
        if isinstance(found, str):
            return found
        if kind.seconds is not None and abs(found - kind.seconds) > _TOLERANCE_SECONDS:
            return f"lasts {found:g} s instead of {kind.seconds:g} s"
        return ""

    def _look(self, sha256: str, kind: Kind) -> float | str:
        """How long an artifact plays; or what is wrong with it."""
        try:
            path = self.ground.content(sha256)
            content = path.read_bytes()
        except (OSError, PitcheyError) as error:
            return f"cannot be read: {error}"
        if hashlib.sha256(content).hexdigest() != sha256:
            return "is not what its name says"
        if kind.holds:
            return 0.0 if kind.holds in content else f"has no {kind.holds!r} in it"
        return _played(path)

    @cached_property
    def _looked_at(self) -> dict[str, float | str]:
        return {}

    # --- attempts

    def _all_attempts(self) -> Iterator[Attempt]:
        return itertools.chain.from_iterable(self.attempts.values())

    def overlaps(self) -> list[str]:
        """Attempts that had begun on a worker before an earlier one of their job, of the same daemon, had said its last
        word. One of a daemon that was taken for dead may go on for a while after the next has begun elsewhere.
        """
        wrong: list[str] = []
        for state_dir, attempts in itertools.product(self.ground.state_dirs, self.attempts.values()):
            spans = [span for attempt in attempts if (span := _on_worker(state_dir, attempt.token)) is not None]
            for (first, _, end), (second, begin, _) in itertools.pairwise(spans):
                if begin < end:
                    wrong.append(f"{second} began {end - begin:.3f} s before the end of {first}")
        return wrong

    def wrong_costs(self) -> list[str]:
        """Books that do not add up, and spans that a clock's jump has made longer than the storm was."""
        longest = tick_of(time.monotonic() - self.ground.began)
        spans = [
            *((a.token, a.started_tick, a.finished_tick) for a in self._all_attempts()),
            *((i.id, i.created_tick, i.stopped_tick) for i in self.instances.values()),
        ]
        wrong = [f"{name} has no end" for name, _, end in spans if end is None]
        wrong += [
            f"{name} is paid for {(end - begin) / TICKS_PER_SECOND:.2f} s, longer than the storm was"
            for name, begin, end in spans
            if end is not None and end - begin > longest
        ]
        return wrong + wrong_books(self.store)

    # --- orphans

    def left_over(self) -> list[str]:
        """Containers, programs and files that nobody needs any more."""
        left = [f"instance {instance_id} on the engine" for instance_id in self.ground.all_instances()]
        left += [f"instance {item.id} in the database as {item.state}" for item in self.store.instances()]
        left += [f"{job.id} is still running in the database" for job in self.store.running()]
        left += [f"ffmpeg {pid}" for pid, line in ffmpegs() if any(job_id in line for job_id in self.jobs)]
        for state in self.ground.state_dirs:
            left += [str(path) for path in _below(layout.instances(state))]
            left += [str(path) for path in _below(state / "processes")]
            left += [str(path) for path in _below(layout.artifacts(state) / "incoming")]
            left += [str(path) for path in state.rglob("*") if path.suffix in (".part", ".new", ".partial")]
            left += [str(path) for path in state.rglob("*") if path.is_socket()]
        return left + self.ground.remains()


def _on_worker(state_dir: Path, token: Token) -> tuple[Token, float, float] | None:
    """When the worker's own log of an attempt begins and ends; none was kept here of one that never began here."""
    try:
        lines = layout.kept_events(state_dir, token).read_bytes().splitlines()
    except FileNotFoundError:
        return None
    times: list[float] = []
    for line in lines:
        try:
            times.append(json.loads(line)["at"])
        except ValueError:  # the worker was killed within the line
            continue
    return (token, times[0], times[-1]) if times else None


def _below(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _played(path: Path) -> float | str:
    """How long something plays, as a program that is not ours decodes it; or what is wrong with it."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    probed = subprocess.run(command, capture_output=True, text=True)
    if probed.returncode:
        return probed.stderr.strip()
    decoded = subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-f", "null", "-"], capture_output=True, text=True)
    if decoded.returncode or decoded.stderr:
        return f"cannot be decoded: {decoded.stderr.strip()}"
    duration = probed.stdout.strip()
    return 0.0 if duration == "N/A" else float(duration)
