"""pitchey wait: wait for jobs that somebody else runs."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.holding import BudgetWatch
from pitchey_cli.cli.outcome import ExecOption, check_one_program, exit_code_of
from pitchey_cli.cli.progress import job_progress
from pitchey_cli.domain.errors import DaemonError, ExitCode
from pitchey_cli.domain.job import TERMINAL
from pitchey_cli.operations import budgets, follow
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_WATCH_SECONDS = 1.0


class Watch:
    """Notices that nobody is left who could run the jobs: waiting for them would never end."""

    def __init__(self, wiring: Wiring, store: Store) -> None:
        self._wiring = wiring
        self._store = store
        self._look_at = time.monotonic() + _WATCH_SECONDS

    def tick(self) -> None:
        """Look now and then."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _WATCH_SECONDS
            self.check()

    def check(self) -> None:
        """Raise DaemonError when nobody runs jobs."""
        if not self._wiring.is_run(self._store):
            hint = "`pitchey daemon start` starts one."
            raise DaemonError("No daemon runs, so these jobs would never end.", hint=hint)


@app.command()
def wait(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or their beginnings.")],
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Give up after so many seconds; exit code 5.", min=0)
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop waiting at the first job that fails.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON, one per line.")] = False,
    is_exec: ExecOption = False,
) -> None:
    """Wait until every JOB has ended. Exit code 0 if all succeeded, 1 if one failed, 6 if one was cancelled.

    A program that did not end well has failed. With --exec nothing of it is printed: `pitchey result` does that.

    When budgets hold all that is left, it ends at once with exit code 7; the jobs stay in the queue.
    """
    wiring = reach.wiring()
    store = wiring.store()
    ids = list(dict.fromkeys(resolve(store, text) for text in jobs))
    if is_exec:
        check_one_program(len(ids))
    is_pending = any(store.job(job_id).state not in TERMINAL for job_id in ids)
    watch = Watch(wiring, store)
    budget_watch = BudgetWatch(wiring, store, budgets.of_jobs(ids))
    if is_pending:
        budget_watch.tick()
    if is_pending and timeout is None:
        watch.check()

    def tick() -> None:
        budget_watch.tick()
        if timeout is None:
            watch.tick()

    try:
        with job_progress(len(ids), is_quiet=quiet or json or is_exec) as show:
            ended = follow.until_finished(
                store,
                ids,
                on_change=show,
                tick=tick,
                timeout_seconds=timeout,
                fail_fast=fail_fast,
            )
    except KeyboardInterrupt:
        terminal.say("\nThe jobs go on.")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(as_json.job(job) for job in ended)
    raise typer.Exit(exit_code_of(store, ended, is_exec=is_exec))
