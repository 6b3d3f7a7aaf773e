"""pitchey top: everything at a glance, live, with the keys to act on it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.wiring import Wiring

if TYPE_CHECKING:
    from collections.abc import Callable

    from pitchey_cli.domain.overview import Overview
    from pitchey_cli.screen.desk import Desk
    from pitchey_cli.store.port import Store

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_ROWS = 50  # of a table in the single frame
_BUSY_SECONDS = 2.0  # somebody looks at the screen: it says sooner than a script would that the database is locked


@app.command()
def top(
    once: Annotated[bool, typer.Option("--once", help="Print one frame as text, and end.")] = False,
) -> None:
    """Watch pools, instances, queue, jobs, host and spending, live; cancel, retry and warm by a key, ? lists them.

    Where there is no terminal it prints one frame, as with --once.
    """
    wiring = reach.wiring()
    if wiring.elsewhere is None:
        wiring.store().close()  # makes it where there is none, as every verb does; the screen never does
    desk = _desk(wiring)
    first = desk.look()
    if once or not _is_terminal():
        from pitchey_cli.reports import top as report

        desk.close()
        terminal.show(report.frame(first, most=_ROWS))
        return
    from pitchey_cli.screen.app import TopApp

    TopApp(desk, first).run()


def _is_terminal() -> bool:
    """Textual draws on stderr, and reads keys from stdin."""
    return all(each.isatty() for each in (sys.stdin, sys.stdout, sys.stderr)) and os.environ.get("TERM") != "dumb"


def _desk(wiring: Wiring) -> Desk:
    from pitchey_cli.screen.desk import Desk

    elsewhere = wiring.elsewhere
    return Desk(
        open_store=lambda: wiring.store(create=False, busy_seconds=_BUSY_SECONDS),
        database=wiring.database if elsewhere is None and wiring.server is None else None,
        see=_seen_here(wiring) if elsewhere is None else lambda _: elsewhere.overview(),
        most_instances=lambda service: wiring.policies.service(service).max_instances,
        wake=lambda: wiring.poke(),
        now=wiring.clock.now,
    )


def _seen_here(wiring: Wiring) -> Callable[[Store], Overview]:
    from pitchey_cli.operations.overview import HostWatch, look

    host, looking = HostWatch(wiring.state_dir), wiring.looking()
    return lambda store: look(store, looking, host.look())
