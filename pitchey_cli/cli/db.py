"""pitchey db: the database as a whole, and what is kept in the state directory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pitchey_cli.cli import moving, reach, terminal
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import ExitCode, StoreError, UsageError
from pitchey_cli.operations import database, nodes, result
from pitchey_cli.reports.wording import size
from pitchey_cli.wiring import Wiring

if TYPE_CHECKING:
    from pitchey_cli.store.export import Table

app = typer.Typer(
    help="Back up, restore, copy, check, shrink, export and prune what the state directory keeps.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")]
_VACUUM_SECONDS = 60.0  # how long it waits for another's write


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Copy the database into FILE while everything goes on.

    Artifacts and logs are not in it: they are files already, for any program that copies folders.
    """
    from pitchey_cli.store.copying import back_up

    wiring = _with_file("pg_dump --schema=pitchey")
    with _progress("backing up") as progress:
        size_bytes = back_up(wiring.database, file, overwrite=overwrite, progress=progress)
    if json:
        terminal.show_json({"schema": 1, "path": str(file), "bytes": size_bytes})
    else:
        typer.echo(f"{file} {size(size_bytes)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `pitchey db backup` has made.")],
    json: Json = False,
) -> None:
    """Put FILE in the place of the database; the present one is put aside. No daemon and no `run` may be at work.

    Artifacts are not in a backup: results that have been removed since are gone, and `pitchey db check` names them.
    What ran when the backup was made is queued again, or ended, by the next daemon.
    """
    from pitchey_cli.store.copying import restore as put_back

    wiring = _with_file("pg_restore")
    wiring.make_state_dir()
    aside = layout.before_restore(wiring.state_dir, wiring.clock.now())
    with moving.held(wiring.state_dir), _progress("restoring") as progress:
        kept = put_back(file, wiring.database, aside=aside, progress=progress)
    if json:
        terminal.show_json({"schema": 1, "path": str(wiring.database), "before": None if kept is None else str(kept)})
        return
    typer.echo(f"{wiring.database} is what {file} was")
    if kept is not None:
        terminal.say(
            f"What it was before is {kept}. While that is there, no artifact is removed; delete it in the end."
        )


app.command("copy")(moving.copy)


@app.command()
def status(json: Json = False) -> None:
    """Show the database, its schema, and the version of every node that works on it."""
    wiring = reach.here()
    store, now = wiring.store(), wiring.clock.now()
    found = nodes.nodes(store)
    from pitchey_cli.reports import nodes as report  # late: it loads rich
    from pitchey_cli.store.steps import newest

    place, schema = store.database_version(), store.schema_version()
    if json:
        documents = [report.document(each, now=now) for each in found]
        terminal.show_json(
            {"schema": 1, "database": place, "schemaVersion": schema, "known": newest(), "nodes": documents}
        )
        return
    newer = "" if schema <= newest() else f"; this Pitchey knows {newest()}, and may go on"
    typer.echo(f"{place}, schema version {schema}{newer}")
    terminal.show(report.versions(found, now=now))


@app.command()
def check(
    deep: Annotated[bool, typer.Option("--deep", help="Read every artifact, and compare it with its name.")] = False,
    json: Json = False,
) -> None:
    """Look whether the database is whole and every artifact that it names is there. Exit code 9 if not."""
    wiring = reach.here()
    with _progress("reading artifacts") as progress:
        checked = database.check(wiring.store(), wiring.artifacts(), is_deep=deep, progress=progress)
    if json:
        found = {"schema": 1, "artifacts": checked.artifacts, "problems": list(checked.problems)}
        terminal.show_json(found)
    elif checked.problems:
        typer.echo("\n".join(checked.problems))
    else:
        typer.echo(f"{wiring.server or wiring.database} is whole; {checked.artifacts:,} artifacts, none missing")
    if checked.problems:
        raise typer.Exit(ExitCode.STORE)


@app.command()
def vacuum(json: Json = False) -> None:
    """Give the space of what has been removed back to the file system. Others cannot write meanwhile, and wait."""
    from pitchey_cli.store.vacuum import vacuum as shrink

    wiring = _with_file("VACUUM, which it does by itself")
    holder = wiring.holder()
    if holder is not None:
        terminal.say(f"Process {holder.pid} runs jobs: it waits while the database is written anew.")
    try:
        done = shrink(wiring.database, busy_seconds=_VACUUM_SECONDS)
    except StoreError as error:
        if holder is not None and "locked" in str(error):
            error.hint = "The daemon is busy: try again later, or stop it first (`pitchey daemon stop`)."
        raise
    if json:
        terminal.show_json({"schema": 1, "beforeBytes": done.before_bytes, "afterBytes": done.after_bytes})
        return
    typer.echo(f"{size(done.before_bytes)} before, {size(done.after_bytes)} now")
    if not done.is_folded:
        terminal.say("Somebody still reads the old pages: the rest is given back when they have ended.")


@app.command()
def export(
    tables: Annotated[list[str] | None, typer.Argument(metavar="[TABLE...]", help="All where none is named.")] = None,
    format_: Annotated[str, typer.Option("--format", help="json (an object per line) or csv.")] = "json",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file for each table in there.", metavar="DIR")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Write the rows of TABLES: times as ISO text, money as whole nanodollars, all as of one moment."""
    wiring = reach.here()
    chosen = database.format_named(format_)
    if output is None:
        database.refuse_several(tables or [], chosen)
        database.write(_read(wiring, tables or ()), sys.stdout, chosen)
        return
    result.make_directory(output)
    for path, rows in database.write_files(_read(wiring, tables or ()), output, chosen, overwrite=overwrite):
        terminal.say(f"{path} {rows:,} rows")


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    json: Json = False,
) -> None:
    """Remove what is kept no longer, by the settings under `retention`. The daemon does the same by itself.

    A file goes two hours after it was last brought in, if nobody refers to it then.
    """
    wiring = reach.here()
    from pitchey_cli.wiring import node  # late: it loads most of the program

    pruned = node.prune(wiring, dry_run=dry_run)
    if json:
        terminal.show_json(
            {
                "schema": 1,
                "dryRun": dry_run,
                "jobs": pruned.jobs,
                "logs": pruned.logs,
                "artifacts": pruned.artifacts,
                "artifactBytes": pruned.artifact_bytes,
            }
        )
    else:
        what = f"{pruned.jobs:,} jobs, {pruned.logs:,} logs, {pruned.artifacts:,} artifacts"
        typer.echo(f"{what} ({size(pruned.artifact_bytes)}) {'would go' if dry_run else 'removed'}")
    if pruned.spared_for is not None:
        terminal.say(f"No artifact is removed while {pruned.spared_for} is there: it may refer to them.")


def _with_file(other: str) -> Wiring:
    """What a verb works with that is about the SQLite file.

    Args:
        other: what does the same for PostgreSQL.
    """
    wiring = reach.here()
    if wiring.server is not None:
        hint = f"PostgreSQL has {other}."
        raise UsageError(f"The queue is at {wiring.server}, and this is about a file of SQLite.", hint=hint)
    return wiring


def _read(wiring: Wiring, tables: Sequence[str]) -> Iterator[Table]:
    if wiring.server is None:
        from pitchey_cli.store.export import export

        return export(wiring.database, tables)
    from pitchey_cli.store.postgres_export import export as export_from_server

    return export_from_server(wiring.server, tables)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, nothing in a pipe."""
    if not terminal.is_interactive():
        yield None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.messages(), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
