"""A storm: jobs are submitted while faults are injected, one after the other; then the verdict.

What it rages over is another's: one daemon with a disk and a clock (local.py), or several on one queue (shared.py). The
same seed gives the same faults in the same order, and the same jobs.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from rich.console import Console
from rich.table import Table

from pitchey_cli.domain.job import TERMINAL
from tests.chaos.ground import StormBroken
from tests.chaos.load import Asked, Load
from tests.chaos.verdict import Battlefield, Verdict
from tests.chaos.watch import Watch
from tests.conftest import Pitchey

PLANNED_FOR = 500  #: jobs; what the plans are for
_PAUSE_SECONDS = (0.2, 1.2)  # between two faults
_SETTLE_SECONDS = 420.0
_LOOK_SECONDS = 1.0
_MOST_LINES = 15  # of what is wrong, for one check


class Ground(Asked, Battlefield, Protocol):
    """What a storm rages over: one daemon or several, and the faults that can be done to them."""

    pitchey: Pitchey
    violations: list[str]
    ready_seconds: list[float]  #: from the start of a daemon to `ready`

    def start(self) -> None:
        """Start what jobs are run by."""

    def look_after(self, when: str) -> None:
        """A daemon that has ended by itself is a fault of its own, and is started again."""

    def stop(self) -> None:
        """End it in order."""

    def keep(self) -> Path:
        """Copy what there is to where somebody can look at it."""

    def close(self) -> None:
        """Leave nothing behind."""


G = TypeVar("G", bound=Ground)
#: What injects a fault, brings back what it has taken, and says in a few words what came of it.
Fault = Callable[[G, Load, random.Random], str]


@dataclass(frozen=True)
class Options:
    """What every storm is asked for."""

    jobs: int
    seed: int
    without: frozenset[str] = frozenset()  #: faults that take too long


@dataclass
class Result:
    """What came of a storm."""

    problems: dict[str, list[str]] = field(default_factory=dict)  #: by check; only those that failed
    came_of: dict[str, Counter[str]] = field(default_factory=dict)  #: by fault
    kept: Path | None = None  #: what there was, when a check failed


class Storm(ABC, Generic[G]):
    """One storm from its first fault to its verdict."""

    plan: Mapping[str, tuple[Fault[G], int]]  #: how often each fault is injected for 500 jobs

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.began = time.monotonic()
        self.result = Result()

    @abstractmethod
    def ground(self) -> G:
        """What it rages over, from now on."""

    @abstractmethod
    def load(self, ground: G, dice: random.Random) -> Load:
        """What is asked meanwhile."""

    @abstractmethod
    def impossible(self, ground: G) -> dict[str, str]:
        """The faults that cannot be injected here, and why."""

    def place_of(self, ground: G, line: str) -> str:
        """The node that a program of this command line runs on."""
        return ""

    def run(self) -> Result:
        """Let it rage, and judge."""
        ground = self.ground()
        try:
            load = self.load(ground, random.Random(self.options.seed + 1))
            watch = Watch(lambda job_id: job_id in load.ledger, lambda line: self.place_of(ground, line))
            try:
                ground.start()
                watch.start()
                load.start()
                self.rage(ground, load, random.Random(self.options.seed))
                self.settle(ground, load)
                ground.stop()
            finally:
                load.abandon()
                watch.stop()
            self.judge(ground, load, watch)
        except StormBroken as error:
            self.result.problems["the storm could be carried out"] = [str(error)]
            self.keep(ground)
        finally:
            ground.close()
        return self.result

    def rage(self, ground: G, load: Load, dice: random.Random) -> None:
        """Inject every fault of the plan, in an order that the seed decides."""
        missing = self.impossible(ground)
        for name, why in missing.items():
            self.say(f"left out: {name}, because {why}")
        plan = [
            name
            for name, (_, times) in self.plan.items()
            if name not in missing and name not in self.options.without
            for _ in range(max(1, round(times * self.options.jobs / PLANNED_FOR)))
        ]
        dice.shuffle(plan)
        for number, name in enumerate(plan, start=1):
            load.share_allowed = number / len(plan)
            time.sleep(dice.uniform(*_PAUSE_SECONDS))
            ground.look_after(f"before {name}")
            outcome = self.plan[name][0](ground, load, dice)
            self.result.came_of.setdefault(name, Counter())[outcome] += 1
            self.say(f"{number} of {len(plan)}: {name}: {outcome}; {len(load.ledger)} jobs submitted")
        ground.look_after("after the last fault")

    def settle(self, ground: G, load: Load) -> None:
        """Wait until every job has ended."""
        load.finish()
        deadline = time.monotonic() + _SETTLE_SECONDS
        said = ""
        while left := self.unfinished(ground):
            text = ", ".join(f"{jobs} {state}" for state, jobs in sorted(left.items()))
            if text != said:
                self.say(f"the storm is over; still {text}")
                said = text
            if time.monotonic() > deadline:
                ground.violations.append(f"{_SETTLE_SECONDS:.0f} s after the storm there were still {text}")
                return
            ground.look_after("after the storm")
            time.sleep(_LOOK_SECONDS)

    def unfinished(self, ground: G) -> dict[str, int]:
        """How many jobs stand where, of those that have not ended."""
        counts: Counter[str] = Counter()
        for each in json.loads(ground.pitchey.ok("status", "--json").out)["jobs"].values():
            counts.update(each)
        return {state: jobs for state, jobs in counts.items() if state not in TERMINAL and jobs}

    def judge(self, ground: G, load: Load, watch: Watch) -> None:
        """Make every check, and print what was found."""
        self.say("the verdict")
        verdict = Verdict(ground, load, watch.seen)
        try:
            found = {name: check() for name, check in verdict.checks().items()}
        finally:
            verdict.close()
        self.result.problems = {name: problems for name, problems in found.items() if problems}
        self.print_faults()
        self.print_jobs(verdict)
        median, most = statistics.median(ground.ready_seconds), max(ground.ready_seconds)
        refused = ", ".join(f"{n} with exit code {code}" for code, n in sorted(load.refused.items())) or "none"
        self.console.print(f"Daemon ready after {median:.2f} s (median), {most:.2f} s at most.")
        self.console.print(f"Submissions refused, and tried again: {refused}.")
        self.console.print(f"Younger than a restored backup, lost by nature: {len(load.forgotten)} jobs.")
        self.console.print(f"Dead letters by injected faults alone: {len(verdict.excused)} jobs.")
        self.console.print(f"Looked for two attempts of one job at work: {watch.looks} times.\n")
        for name, problems in found.items():
            self.console.print(f"{'FAILED' if problems else 'ok':7} {name}")
            for problem in problems[:_MOST_LINES]:
                self.console.print(f"          {problem}", soft_wrap=True)
            if len(problems) > _MOST_LINES:
                self.console.print(f"          and {len(problems) - _MOST_LINES} more")
        if self.result.problems:
            self.keep(ground)

    def print_faults(self) -> None:
        """Which fault, how often, and what came of it."""
        table = Table("fault", "times", "what came of it", title="\nWhat was done", title_justify="left")
        for name in self.plan:
            if outcomes := self.result.came_of.get(name):
                came_of = ", ".join(f"{outcome} ({times})" for outcome, times in outcomes.most_common())
                table.add_row(name, str(outcomes.total()), came_of)
        self.console.print(table)

    def print_jobs(self, verdict: Verdict) -> None:
        """What became of the jobs, kind by kind."""
        table = Table("kind of job", "jobs", "ended as", "attempts ended as", title="\nThe jobs", title_justify="left")
        kinds = Counter(entry.kind.name for entry in verdict.load.ledger.values())
        for kind, number in kinds.most_common():
            ids = [job_id for job_id in verdict.jobs if verdict.load.ledger[job_id].kind.name == kind]
            states = Counter(str(verdict.jobs[job_id].state) for job_id in ids)
            reasons = Counter(str(attempt.reason) for job_id in ids for attempt in verdict.attempts[job_id])
            table.add_row(kind, str(number), _listed(states), _listed(reasons))
        self.console.print(table)

    def keep(self, ground: G) -> None:
        """Leave what there is to look at."""
        self.result.kept = ground.keep()
        self.console.print(f"\nWhat there was is kept in {self.result.kept}.")

    def say(self, text: str) -> None:
        """One line of progress, with the seconds since the beginning."""
        self.console.print(f"[{time.monotonic() - self.began:6.1f} s] {text}", markup=False, soft_wrap=True)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())
