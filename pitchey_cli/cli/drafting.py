"""From what `run` and `submit` were given to jobs that are checked and staged, with progress shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pitchey_cli.cli import terminal
from pitchey_cli.cli.job_options import Asked
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.job import NewJob
from pitchey_cli.engines import images
from pitchey_cli.operations import cache, sources, submit
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring


def drafts(asked: Asked) -> list[submit.Draft]:
    """Check everything that was asked for, before anything is staged.

    Raises:
        UsageError: no input, or a spec that cannot be; a line of standard input is named by its number.
    """
    if "-" in asked.inputs:
        if len(asked.inputs) > 1:
            raise UsageError("- stands alone: the specs on standard input name their own inputs.")
        return submit.named_apart(list(_from_stdin(asked)))
    if not asked.inputs:
        raise UsageError(
            f"What shall the {asked.service} service work on?",
            hint="Name files, folders, patterns or URLs, or - for JSON.",
        )
    return [submit.draft(asked.service, asked.fields, source) for source in sources.find(asked.service, asked.inputs)]


def _from_stdin(asked: Asked) -> Iterator[submit.Draft]:
    for where, spec in _specs_in(sys.stdin.read()):
        if not isinstance(spec, dict):
            raise UsageError(f"Standard input, {where}: a spec is a JSON object, not {json.dumps(spec)[:60]}.")
        try:
            draft = submit.draft(asked.service, {**spec, **asked.fields}, None)
        except UsageError as error:
            raise UsageError(f"Standard input, {where}: {error}", hint=error.hint) from error
        yield draft


def _specs_in(text: str) -> Iterator[tuple[str, Any]]:
    """One document (an object, or a list of them), or one object per line."""
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except ValueError as error:
                    raise UsageError(f"Standard input, line {number}, is not JSON: {error}.") from error
        return
    if isinstance(whole, list):
        yield from ((f"item {number}", item) for number, item in enumerate(whole, start=1))
    else:
        yield "line 1", whole


def stage(
    wiring: Wiring, store: Store, asked: Asked, checked: list[submit.Draft], *, is_foreground: bool
) -> list[NewJob]:
    """Take the inputs into the artifact store; what the queue is told of the jobs is checked before."""
    service = wiring.service_settings(asked.service)
    defaults = wiring.job_settings(asked.service, is_foreground=is_foreground)
    settings = asked.queueing.settings(store, defaults, ttl_seconds=service.ttl_seconds, now=wiring.clock.now())
    if settings.slots > service.slots:
        text = f"--slots {settings.slots}: an instance of the {asked.service} service has {service.slots}."
        raise UsageError(text, hint=f"services.{asked.service}.slots sets how many.")
    artifacts = wiring.artifacts()
    with _staging_progress() as progress:
        jobs = submit.stage(
            checked, artifacts, settings, limit_bytes=wiring.settings.limits.input_bytes, progress=progress
        )
    if asked.queueing.given["no_cache"]:
        return jobs
    found = cache.look_up(store, artifacts, jobs, images.current_tag)
    if asked.queueing.given["explain_cache"]:
        for each in found:
            verdict = "cached" if each.job.cached_from else "not cached"
            terminal.say(f"{each.job.id} {printable(each.job.name)}: {verdict}: {each.why}")
    return [each.job for each in found]


@contextmanager
def _staging_progress() -> Iterator[submit.StageProgress | None]:
    if not terminal.is_interactive():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("staging {task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=terminal.messages(), transient=True) as progress:
        tasks: dict[str, Any] = {}

        def report(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=total)
            progress.update(tasks[name], completed=done, total=total)

        yield report
