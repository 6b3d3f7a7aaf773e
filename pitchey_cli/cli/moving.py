"""pitchey db copy: the whole store into another database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import DaemonError

if TYPE_CHECKING:
    from pitchey_cli.store.carrying import CarryProgress, Copied, Place
    from pitchey_cli.wiring import Wiring


def copy(
    to: Annotated[str, typer.Argument(metavar="TO", help="postgresql://USER@HOST/DATABASE, or a file: sqlite:PATH.")],
    source: Annotated[
        str, typer.Option("--from", help="Another store than the one that is set.", metavar="STORE")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy every row of the store into another database, and compare them: all is there then, or nothing.

    TO is new or empty. No daemon and no `run` may be at work on either. Artifacts and logs are not copied.
    """
    wiring = reach.here()
    from pitchey_cli.store.carrying import copy_store, place_named

    begin = place_named(source) if source else wiring.server or wiring.database
    end = place_named(to)
    with _nobody_at_work(begin, end), _progress() as progress:
        copied = copy_store(begin, end, progress=progress)
    if json:
        terminal.show_json(_document(copied))
        return
    typer.echo(f"{copied.target} has all {copied.rows:,} rows of {copied.source}")
    if not source:
        terminal.say(_what_next(wiring, end))


@contextmanager
def held(state_dir: Path) -> Iterator[None]:
    """Hold a state directory, so that nobody begins to run jobs in it."""
    try:
        with lock.lock(state_dir, is_daemon=False, engine=""):
            yield
    except lock.StateHeld as error:
        raise DaemonError(str(error), hint="`pitchey daemon stop` ends a daemon; a `run` ends by itself.") from error


@contextmanager
def _nobody_at_work(*places: Place) -> Iterator[None]:
    """Hold the state directories in which the files are; who works on a server stands in its tables."""
    folders = {each.parent.resolve() for each in places if isinstance(each, Path) and _is_of_a_state_dir(each)}
    with ExitStack() as stack:
        for folder in sorted(folders):
            stack.enter_context(held(folder))
        yield


def _is_of_a_state_dir(path: Path) -> bool:
    return path == layout.database(path.parent) and path.parent.is_dir()


@contextmanager
def _progress() -> Iterator[CarryProgress | None]:
    """A bar for each table on a terminal, nothing in a pipe."""
    if not terminal.is_interactive():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal.messages(), transient=True) as shown:
        tasks: dict[str, TaskID] = {}

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = shown.add_task(what, total=total)
            shown.update(tasks[what], completed=done, visible=done < total)

        yield tell


def _document(copied: Copied) -> dict[str, object]:
    tables = [{"name": each.name, "rows": each.rows, "digest": each.digest} for each in copied.tables]
    return {
        "schema": 1,
        "from": copied.source,
        "to": copied.target,
        "schemaVersion": copied.schema_version,
        "rows": copied.rows,
        "tables": tables,
    }


def _what_next(wiring: Wiring, end: Place) -> str:
    """How the copy becomes the store."""
    if not isinstance(end, Path):
        how = f"`pitchey config set store.url {end}` makes it the store"
    elif end.resolve() == wiring.database.resolve():
        how = "`pitchey config unset store.url` makes it the store"
    else:
        how = f"Without `store.url`, the store is {wiring.database}"
    return f"{how}. The other is as it was; run no jobs on it from now on."
