"""What the verbs that submit and wait say of jobs that a budget holds, or that get no turn on this node."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pitchey_cli.cli import terminal
from pitchey_cli.domain.job import JobId
from pitchey_cli.operations import budgets, spot
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

_LOOK_SECONDS = 1.0


class BudgetWatch:
    """Notices that budgets hold all that is waited for: it would take until the next day, week or month."""

    def __init__(self, wiring: Wiring, store: Store, left: budgets.Left) -> None:
        self._wiring = wiring
        self._store = store
        self._left = left
        self._look_at = 0.0

    def tick(self) -> None:
        """Look now and then.

        Raises:
            BudgetReached: there is nothing to wait for.
        """
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            budgets.check_not_held(self._store, self._wiring.as_of, self._left)


def say_what_is_held(wiring: Wiring, store: Store, job_ids: Sequence[JobId]) -> None:
    """Tell whoever has submitted jobs that they will not be started soon."""
    found = budgets.capped(store, wiring.as_of)
    is_run = bool(found) and wiring.is_run(store)
    for standings, jobs in budgets.of_submitted(store, found, job_ids) if found else ():
        which = "the job waits" if len(job_ids) == 1 else f"{jobs:,} of {len(job_ids):,} jobs wait"
        if is_run:  # it looks every few seconds, and starts what comes before it has seen it
            which = f"unless started within seconds, {which}"
        terminal.say(printable(budgets.sentence(standings, jobs=which)))
    if wiring.settings.node.is_spot and (jobs := spot.kept_waiting(store, job_ids)):
        terminal.say(f"warning: {spot.sentence(jobs, of=len(job_ids))}")
