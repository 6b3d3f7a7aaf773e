"""pitchey result: write a job's outputs here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.operations import result as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def result(
    jobs: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids, or their beginnings.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Directory for the results.", metavar="DIR")] = Path(),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    list_only: Annotated[bool, typer.Option("--list", help="Only say what there is.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the outputs of every JOB into a directory; prints the paths."""
    wiring = Wiring.from_environment()
    store, artifacts = wiring.store(), wiring.artifacts()
    found = [store.job(resolve(store, text)) for text in jobs]
    for job in found:
        if list_only:
            outputs = [
                (Path(operation.file_name(job.name, item.path)), item) for item in operation.outputs_of(store, job)
            ]
        else:
            exported = operation.export(store, artifacts, job, output, overwrite=overwrite)
            outputs = [(item.path, item.output) for item in exported]
        if json:
            from pitchey_cli.reports import as_json

            files = [{"file": str(path), **as_json.output(item)} for path, item in outputs]
            terminal.show_json_lines([{"schema": as_json.SCHEMA, "job": job.id, "outputs": files}])
        else:
            for path, _ in outputs:
                typer.echo(str(path))
