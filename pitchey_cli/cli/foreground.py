"""Jobs that somebody waits for: queued, run by the daemon or in this process, followed to their end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pitchey_cli.cli.drafting import queue
from pitchey_cli.cli.holding import BudgetWatch
from pitchey_cli.cli.progress import job_progress
from pitchey_cli.cli.runner import Runner, carry_out
from pitchey_cli.cli.streaming import Streaming
from pitchey_cli.domain.job import Job, JobId
from pitchey_cli.operations import budgets, cancel, follow
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.requests import Request
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring


def run_to_the_end(
    wiring: Wiring,
    store: Store,
    asked: Request,
    checked: list[Draft],
    *,
    engine: str | None,
    wait_seconds: float | None,
    is_silent: bool,
    stream: Callable[[JobId], Streaming] | None = None,
) -> list[Job]:
    """Queue jobs, and wait until all of them have ended.

    Args:
        engine: the kind of engine that somebody has chosen.
        is_silent: nothing is said of their progress.
        stream: shows what the first of them writes, as it comes.
    """
    runner = Runner(wiring, [asked.service], engine)
    ids = queue(wiring, store, asked, checked, is_foreground=True)
    streaming = None if stream is None else stream(ids[0])
    budget_watch = BudgetWatch(wiring, store, budgets.of_jobs(ids))

    def tick() -> None:
        budget_watch.tick()  # before anything is started
        runner.tick()
        if streaming is not None:
            streaming.tick()

    def finished() -> list[Job]:
        try:
            with job_progress(len(ids), is_quiet=is_silent) as show:
                return follow.until_finished(store, ids, on_change=show, tick=tick, timeout_seconds=wait_seconds)
        finally:
            if streaming is not None:
                streaming.end()

    def give_up(why: str) -> Sequence[JobId]:
        cancel.cancel(store, ids, why=why, now=wiring.clock.now())
        return ids

    return carry_out(runner, store, finished, cancel=give_up, again=f"pitchey wait {' '.join(ids[:3])}")
