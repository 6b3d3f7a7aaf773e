"""A storm: jobs are submitted while daemons are killed, instances lost, disks filled, clocks shifted; then the verdict.

    python -m tests.chaos.storm --jobs 500 --engine docker --seed 7

`make chaos` starts a private engine and runs it. The same seed gives the same faults in the same order, and the same
jobs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from pitchey_cli.domain.job import TERMINAL
from pitchey_cli.engines.port import EngineKind
from tests.chaos.faults import PLAN, impossible
from tests.chaos.ground import Ground, StormBroken, clock_shifter
from tests.chaos.load import Load
from tests.chaos.verdict import Verdict
from tests.chaos.watch import Watch

_PLANNED_FOR = 500  # jobs; what PLAN is for
_PAUSE_SECONDS = (0.2, 1.2)  # between two faults
_SETTLE_SECONDS = 420.0
_LOOK_SECONDS = 1.0
_MOST_LINES = 15  # of what is wrong, for one check


@dataclass(frozen=True)
class Options:
    """What a storm is asked for."""

    jobs: int
    engine: EngineKind
    url: str | None
    seed: int
    engine_root: Path | None = None
    without: frozenset[str] = frozenset()  #: faults that take too long


@dataclass
class Result:
    """What came of a storm."""

    problems: dict[str, list[str]] = field(default_factory=dict)  #: by check; only those that failed
    came_of: dict[str, Counter[str]] = field(default_factory=dict)  #: by fault
    kept: Path | None = None  #: the state directory, when a check failed


class Storm:
    """One storm from its first fault to its verdict."""

    def __init__(self, options: Options, console: Console) -> None:
        self.options = options
        self.console = console
        self.began = time.monotonic()
        self.result = Result()

    def run(self) -> Result:
        """Let it rage, and judge."""
        options = self.options
        dice = random.Random(options.seed)
        self.say(f"{options.jobs} jobs on {options.engine}, seed {options.seed}")
        ground = Ground(options.engine, options.url, options.engine_root)
        try:
            load = Load(ground, random.Random(options.seed + 1), options.jobs)
            watch = Watch(lambda job_id: job_id in load.ledger)
            try:
                ground.start_daemon()
                watch.start()
                load.start()
                self.rage(ground, load, dice)
                self.settle(ground, load)
                ground.stop_daemon()
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

    def rage(self, ground: Ground, load: Load, dice: random.Random) -> None:
        """Inject every fault of the plan, in an order that the seed decides."""
        missing = impossible(ground)
        for name, why in missing.items():
            self.say(f"left out: {name}, because {why}")
        plan = [
            name
            for name, (_, times) in PLAN.items()
            if name not in missing and name not in self.options.without
            for _ in range(max(1, round(times * self.options.jobs / _PLANNED_FOR)))
        ]
        dice.shuffle(plan)
        for number, name in enumerate(plan, start=1):
            load.share_allowed = number / len(plan)
            time.sleep(dice.uniform(*_PAUSE_SECONDS))
            ground.look_after_daemon(f"before {name}")
            outcome = PLAN[name][0](ground, load, dice)
            self.result.came_of.setdefault(name, Counter())[outcome] += 1
            self.say(f"{number} of {len(plan)}: {name}: {outcome}; {len(load.ledger)} jobs submitted")
        ground.look_after_daemon("after the last fault")

    def settle(self, ground: Ground, load: Load) -> None:
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
            ground.look_after_daemon("after the storm")
            time.sleep(_LOOK_SECONDS)

    def unfinished(self, ground: Ground) -> dict[str, int]:
        """How many jobs stand where, of those that have not ended."""
        counts = json.loads(ground.pitchey.ok("status", "--json").out)["jobs"].get("video", {})
        return {state: jobs for state, jobs in counts.items() if state not in TERMINAL and jobs}

    def judge(self, ground: Ground, load: Load, watch: Watch) -> None:
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
        for name in PLAN:
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

    def keep(self, ground: Ground) -> None:
        """Leave what there is to look at."""
        self.result.kept = ground.disk.keep()
        self.console.print(f"\nThe state directory is kept in {self.result.kept}.")

    def say(self, text: str) -> None:
        """One line of progress, with the seconds since the beginning."""
        self.console.print(f"[{time.monotonic() - self.began:6.1f} s] {text}", markup=False, soft_wrap=True)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=_PLANNED_FOR, help="how many; the faults grow with them")
    parser.add_argument("--engine", type=EngineKind, default=EngineKind.DOCKER, help="docker, podman or process")
    parser.add_argument("--seed", type=int, help="of an earlier storm, to have it again")
    parser.add_argument("--engine-root", type=Path, help="of a private engine that may be restarted")
    given = parser.parse_args()
    url = os.environ.get(f"PITCHEY_TEST_{given.engine.upper()}")
    if url is None and given.engine is not EngineKind.PROCESS:
        parser.error(f"PITCHEY_TEST_{given.engine.upper()} names no engine: `make chaos` starts one.")
    if os.environ.get("CI") and clock_shifter() is None:
        parser.error("Debian's package faketime is missing, and in CI no fault may be left out.")
    seed = random.randrange(10**6) if given.seed is None else given.seed
    # A TERM takes everything away like Ctrl-C does, and one that was started in the background hears both.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    options = Options(given.jobs, given.engine, url, seed, given.engine_root)
    try:
        result = Storm(options, Console(highlight=False, width=120)).run()
    except KeyboardInterrupt:
        return 130
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
