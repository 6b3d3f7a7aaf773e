"""pitchey run: queue jobs, run them, wait for them, and write their results here; no daemon needed."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.cli.drafting import drafts, stage
from pitchey_cli.cli.job_options import ManifestOption, service_command
from pitchey_cli.cli.outcome import exit_code_of
from pitchey_cli.cli.progress import job_progress, show_build
from pitchey_cli.cli.service_group import ServiceGroup
from pitchey_cli.daemon import lock
from pitchey_cli.daemon.embedded import EmbeddedNode
from pitchey_cli.domain.errors import ExitCode, PitcheyError, StoreError, TimedOut, UsageError
from pitchey_cli.domain.job import TERMINAL, Job, JobState
from pitchey_cli.engines import images
from pitchey_cli.engines.port import Engine
from pitchey_cli.operations import cancel, follow, result, submit
from pitchey_cli.operations.lookup import cached_from
from pitchey_cli.operations.requests import Request
from pitchey_cli.reports import as_json, tables
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(
    help="Run jobs and wait for them; results are written here. No daemon is needed.",
    cls=ServiceGroup,
    add_completion=False,
    rich_markup_mode=None,
)


def run(
    asked: Request,
    *,
    manifest: ManifestOption = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the results.", metavar="DIR")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace results that exist.")] = False,
    engine: Annotated[
        str | None, typer.Option("--engine", help="docker, podman, or process: no isolation.", metavar="ENGINE")
    ] = None,
    wait: Annotated[float | None, typer.Option("--wait", help="Give up waiting after so many seconds.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the finished jobs as JSON, one per line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """Run jobs and wait for them."""
    wiring = Wiring.from_environment()
    checked = drafts(asked, manifest)
    inputs = [Path(source.location) for draft in checked for _, source in draft.sources if not source.is_url]
    _refuse_existing(checked, output, overwrite=overwrite, inputs=inputs)
    result.make_directory(output)
    store = wiring.store()
    runner = _Runner(wiring, asked, engine)
    jobs = stage(wiring, store, asked, checked, is_foreground=True)
    ids = submit.submit(store, jobs, now=wiring.clock.now())
    lock.poke(wiring.state_dir)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI system that gives up must not leave work behind
    try:
        with runner:
            try:
                with job_progress(len(ids), is_quiet=quiet or json) as show:
                    ended = follow.until_finished(store, ids, on_change=show, tick=runner.tick, timeout_seconds=wait)
            except BaseException:
                runner.give_up(store, ids)
                raise
    except TimedOut as error:
        fate = "they are cancelled: no daemon runs that could carry them on" if runner.is_own else "the daemon goes on"
        raise TimedOut(f"The jobs have not finished within {wait:g} s; {fate}.") from error
    except KeyboardInterrupt:
        if not runner.is_own:
            terminal.say(f"\nThe daemon goes on with {len(ids)} jobs. `pitchey wait {' '.join(ids[:3])}` waits again.")
        else:
            terminal.say("\ninterrupted: the jobs are cancelled")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    _hand_over(wiring, store, ended, output, overwrite=overwrite, inputs=inputs, as_json_wanted=json, is_quiet=quiet)
    raise typer.Exit(exit_code_of(ended))


class _Runner:
    """Lets the daemon do the work where there is one, and does it in this process where there is none.

    Another `pitchey run` may hold the state directory: it runs our jobs too, and when it ends, this one takes over.
    """

    def __init__(self, wiring: Wiring, asked: Request, engine_kind: str | None) -> None:
        self._wiring = wiring
        self._service = asked.service
        self._kind = engine_kind
        self._engine: Engine | None = None
        self._node: EmbeddedNode | None = None
        other = lock.holder(wiring.state_dir)
        if engine_kind is not None:
            wiring.check_engine_kind(engine_kind)
        if other is not None and other.is_daemon:
            if engine_kind is not None and engine_kind != other.engine:
                raise UsageError(
                    f"The daemon runs jobs on {other.engine}, not on {engine_kind}.",
                    hint="`pitchey daemon stop` ends it, or leave --engine out.",
                )
        else:
            self._prepare()

    @property
    def is_own(self) -> bool:
        """Whether the work is done in this process."""
        return self._node is not None

    def __enter__(self) -> _Runner:
        return self

    def __exit__(self, *_: object) -> None:
        if self._node is not None:
            self._node.__exit__()

    def tick(self) -> None:
        """Take over when nobody runs the jobs; raise what keeps them from running."""
        if self._node is None and lock.holder(self._wiring.state_dir) is None:
            self._take_over()
        if self._node is not None:
            self._node.check()
            error = self._node.start_error(self._service)
            if error is not None:
                raise error

    def _take_over(self) -> None:
        node = self._wiring.embedded(self._prepare(), report=terminal.say_debug)
        with contextlib.suppress(lock.StateHeld):  # another one of those that wait was quicker: go on waiting
            self._node = node.__enter__()

    def give_up(self, store: Store, ids: Sequence[Any]) -> None:
        """Cancel our jobs where nobody else would carry them on, and wait for the end of those that run here."""
        if not self.is_own and lock.holder(self._wiring.state_dir) is not None:
            return
        limit = self._wiring.settings.daemon.grace_seconds + 5
        with contextlib.suppress(PitcheyError):  # whatever ended the run is what the user has to see
            cancel.cancel(store, ids, why="`pitchey run` ended early", now=self._wiring.clock.now())
            if self.is_own:
                lock.poke(self._wiring.state_dir)
                follow.until_finished(store, ids, on_change=lambda job: None, timeout_seconds=limit)

    def _prepare(self) -> Engine:
        if self._engine is None:
            self._engine = self._wiring.engine(self._kind)
            lost = self._engine.info().not_enforced
            if lost:
                terminal.say(f"warning: the {self._engine.kind} engine does not enforce: {'; '.join(lost)}")
            steps = images.ensure(self._engine, self._service, self._wiring.ca_bundle())
            show_build(steps, title=f"building the {self._service} image (once)")
        return self._engine


def _refuse_existing(checked: Sequence[submit.Draft], output: Path, *, overwrite: bool, inputs: Sequence[Path]) -> None:
    """Find out before the work what would otherwise stop it after: a result that would replace a file."""
    for draft in checked:
        for path in draft.output_paths:
            result.refuse_existing(output / result.file_name(draft.name, path), overwrite=overwrite, keep=inputs)


def _hand_over(
    wiring: Wiring,
    store: Store,
    ended: Sequence[Job],
    output: Path,
    *,
    overwrite: bool,
    inputs: Sequence[Path],
    as_json_wanted: bool,
    is_quiet: bool,
) -> None:
    """Write and show what came out. A result that cannot be written does not keep the others from it."""
    artifacts = wiring.artifacts()
    failures: list[PitcheyError] = []
    for job in ended:
        attempts, source = store.attempts(job.id), cached_from(store, job)
        files: list[result.Exported] = []
        if job.state is JobState.SUCCEEDED:
            try:
                files = result.export(store, artifacts, job, output, overwrite=overwrite, keep=inputs)
            except PitcheyError as error:
                error.hint = f"The result is kept: `pitchey result {job.id} -o DIR` writes it elsewhere."
                if len(ended) == 1:
                    raise
                failures.append(error)
                terminal.show_error(error)
                continue
        if as_json_wanted:
            document = as_json.job_in_full(job, attempts, store.outputs(job.id), cached_from=source)
            terminal.show_json_lines([{**document, "files": [str(item.path) for item in files]}])
        elif job.state is JobState.SUCCEEDED and not is_quiet:
            named = [(str(item.path), item.output) for item in files]
            terminal.show(tables.finished(job, attempts, named, cached_from=source))
        elif job.state in TERMINAL and job.state is not JobState.SUCCEEDED:
            text = job.error.message if job.error else str(job.state)
            terminal.say(printable(f"error: {job.name}: {text}"))
            if job.error and job.error.hint:
                terminal.say(f"  {printable(job.error.hint)}")
    if failures:
        raise StoreError(f"{len(failures)} of {len(ended)} results could not be written.")


for _service in images.available():
    app.command(str(_service))(service_command(_service, run, doc=f"Run {_service} jobs and wait for them."))


@app.callback(no_args_is_help=True)
def _group() -> None:
    """Run jobs and wait for them; results are written here. No daemon is needed."""
