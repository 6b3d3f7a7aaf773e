"""pitchey result: write a job's outputs here, and show what a program printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.outcome import ExecOption, check_one_program, exit_code_of
from pitchey_cli.cli.program_output import show_ending, show_written
from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.domain.job import Job, Output
from pitchey_cli.domain.program import has_met_a_limit, is_program
from pitchey_cli.operations import result as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.reports.wording import printable
from pitchey_cli.store.port import Store
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def result(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or their beginnings.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Directory for the results, instead of here.", metavar="DIR")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Print links to outputs that are in a bucket.")] = False,
    expires: Annotated[str, typer.Option("--expires", help="How long they are good: 15m, 1h, 7d.")] = "1h",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    streams: Annotated[
        bool, typer.Option("--streams", help="Write long stdout and stderr of programs into files as well.")
    ] = False,
    list_only: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not say how a program ended.")] = False,
    is_exec: ExecOption = False,
) -> None:
    """Write the outputs of every JOB into a directory; prints the paths. `--list` only says what there is.

    With --json the document is printed even where a file that exists keeps the outputs from being written: it has the
    error then, and the exit code is the error's.

    Outputs that were asked for in a bucket are there: their URLs are printed, and with -o they are written.

    Of a program it prints what the program printed, and says on stderr how it ended and where its files are. Exit code
    1 if a program did not end well.
    """
    wiring = reach.wiring()
    store, artifacts = wiring.store(), wiring.artifacts()
    found = [store.job(resolve(store, text)) for text in jobs]
    if link:
        _show_links(wiring, store, found, expires, json=json)
        return
    if is_exec:
        check_one_program(len(found))
    failed: PitcheyError | None = None
    for job in found:
        error: PitcheyError | None = None
        everything, details = operation.outputs_of(store, job), store.details(job.id)
        is_shown = is_program(details) and not list_only and not json
        if is_shown:
            show_written(details, everything, artifacts, is_exec=is_exec)
        exported = [operation.Exported(item, operation.place(job, item)) for item in everything]
        if job.output and output is None:
            _show_delivered(job, everything, details, json=json)
            continue
        if not list_only:
            try:
                exported = operation.export(
                    store, artifacts, job, output or Path(), overwrite=overwrite, with_streams=streams
                )
            except PitcheyError as met:
                if not json:
                    raise
                error, failed = met, failed or met
        if json:
            from pitchey_cli.reports import as_json

            files = [{"file": str(item.path), **as_json.output(item.output)} for item in exported]
            document = {"schema": as_json.SCHEMA, "job": job.id, "outputs": files, "details": details}
            if error is not None:
                document["error"] = as_json.unwritten(error)
            terminal.show_json_lines([document])
        elif is_shown:
            if not quiet and (not is_exec or has_met_a_limit(details)):
                show_ending(job, details, exported, is_named=len(found) > 1)
        else:
            for item in exported:
                terminal.show_line(str(item.path))
    if failed is not None:
        raise failed
    if not list_only:
        raise typer.Exit(exit_code_of(store, found, is_exec=is_exec))


def _show_delivered(job: Job, outputs: list[Output], details: dict[str, Any], *, json: bool) -> None:
    files = operation.delivered(job, outputs)
    if not json:
        for _, url in files:
            terminal.show_line(printable(str(url)))
        return
    from pitchey_cli.reports import as_json

    said = [{"file": str(url), **as_json.output(item)} for item, url in files]
    terminal.show_json_lines([{"schema": as_json.SCHEMA, "job": job.id, "outputs": said, "details": details}])


def _show_links(wiring: Wiring, store: Store, jobs: list[Job], expires: str, *, json: bool) -> None:
    seconds = operation.link_seconds(expires)
    links = _links_here(wiring, seconds) if wiring.elsewhere is None else partial(wiring.elsewhere.links, expires)
    for job in jobs:
        for item, link in links(job, operation.outputs_of(store, job)):
            if json:
                terminal.show_json_lines([{"job": job.id, "path": item.path, "link": link, "seconds": seconds}])
            else:
                terminal.show_line(link)


def _links_here(wiring: Wiring, seconds: int) -> Callable[[Job, Sequence[Output]], list[tuple[Output, str]]]:
    return partial(operation.links, wiring.linking(), seconds=seconds)
