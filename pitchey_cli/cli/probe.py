"""pitchey probe: say what is in media files."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def probe(
    inputs: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, folders, patterns or URLs.")],
    engine: Annotated[
        str | None, typer.Option("--engine", help="docker, podman, or process: no isolation.", metavar="ENGINE")
    ] = None,
    wait: Annotated[float | None, typer.Option("--wait", help="Give up waiting after so many seconds.", min=0)] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON: of one file its document, of several a list of them.")
    ] = False,
) -> None:
    """Show the streams of every FILE: codecs, sizes, rates, languages, colours, chapters and tags.

    The video service looks, in an instance: a file that is made to do harm does none here. In the list of --json a file
    that could not be read is null; the error stands on stderr.
    """
    from pitchey_cli.cli.drafting import drafts  # late: `pitchey probe --help` needs none of it
    from pitchey_cli.cli.foreground import run_to_the_end
    from pitchey_cli.cli.handover import show_failure
    from pitchey_cli.cli.outcome import exit_code_of
    from pitchey_cli.domain.errors import UsageError
    from pitchey_cli.domain.job import JobState
    from pitchey_cli.operations.requests import Request
    from pitchey_cli.reports import probe as reports
    from processors.vocabulary import Service

    if "-" in inputs:
        raise UsageError("What is piped in cannot be probed.", hint="Write it into a file first.")
    wiring = reach.wiring()
    asked = Request(Service.VIDEO, tuple(inputs), {"output_format": "probe"})
    checked = drafts(asked)
    store = wiring.store()
    is_silent = json or not terminal.is_interactive()
    ended = run_to_the_end(wiring, store, asked, checked, engine=engine, wait_seconds=wait, is_silent=is_silent)
    documents = {job.id: store.details(job.id)["probe"] for job in ended if job.state is JobState.SUCCEEDED}
    for job, draft in zip(ended, checked, strict=True):
        if job.id not in documents:
            show_failure(job)
        elif not json:
            terminal.show(reports.table(dict(draft.sources)["input_url"].file_name, documents[job.id]))
    if json:
        found = [documents.get(job.id) for job in ended]
        terminal.show_json(found if len(found) > 1 else found[0])
    raise typer.Exit(exit_code_of(store, ended))
