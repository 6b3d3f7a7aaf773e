"""pitchey schedule: jobs that are submitted again and again."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.holding import say_what_is_held
from pitchey_cli.cli.job_options import command_class, service_command
from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.engines import images
from pitchey_cli.operations import schedules as operation
from pitchey_cli.operations.requests import Request
from pitchey_cli.operations.zones import zone_of

app = typer.Typer(
    help="Submit jobs again and again, at the times of a cron expression.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
_add = typer.Typer(
    help="Add a schedule: what `submit` takes, and when.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.add_typer(_add, name="add")
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the schedule.")]
_SHOWN_TIMES = 3


def add(
    asked: Request,
    *,
    name: Annotated[
        str, typer.Option("--name", help="What to call it; its jobs are a batch of that name, or of --batch.")
    ],
    cron: Annotated[str, typer.Option("--cron", help="When: '0 2 * * *', '*/15 * * * MON-FRI', @hourly, @daily.")],
    timezone: Annotated[
        str, typer.Option("--timezone", help="As Europe/Berlin; by default that of the daemon's machine.")
    ] = "",
    misfire: Annotated[
        str, typer.Option("--misfire", help="What passed while no daemon ran: latest, skip or all of it.")
    ] = "latest",
) -> None:
    """Keep what was asked for; the daemon submits it each time."""
    wiring = reach.wiring()
    store, now = wiring.store(), wiring.clock.now()
    if wiring.elsewhere is not None:
        wiring.elsewhere.add_schedule(asked, name=name, cron=cron, timezone=timezone, misfire=misfire)
        added = store.schedule(name)
    else:
        submitting = wiring.submitting(store)
        added = operation.add(submitting, asked, name=name, cron=cron, timezone=timezone, misfire=misfire, now=now)
    wiring.poke()
    coming = ", ".join(f"{each:%Y-%m-%d %H:%M %Z}" for each in operation.coming(added, now=now, count=_SHOWN_TIMES))
    terminal.say(f"{name} comes at {coming}, and so on.")
    if wiring.settings.node.is_spot and not asked.queueing.get("spot_ok"):
        terminal.say(
            "warning: Its jobs will wait for a node that is not taken away, and this one may be (node.is_spot): "
            "--spot-ok lets them run here."
        )
    if not wiring.is_run(store):
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


for _service in images.available():
    _add.command(str(_service), cls=command_class(_service))(
        service_command(_service, add, doc=f"Submit {_service} jobs again and again.", without=operation.NOT_RECURRING)
    )


@app.command(name="list")
def list_(json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False) -> None:
    """List all schedules: when they come next, when they came last, and what went wrong then."""
    wiring = reach.wiring()
    found = wiring.store().schedules()
    if json:
        from pitchey_cli.reports import as_json

        terminal.show_json_lines(as_json.schedule(each) for each in found)
    else:
        from pitchey_cli.reports import tables

        now = wiring.clock.now()
        terminal.show(tables.schedules([(each, zone_of(each.timezone)) for each in found], now=now))


@app.command()
def pause(name: Name) -> None:
    """Pause a schedule. Its times pass unserved."""
    store = reach.wiring().store()
    was_running = store.pause_schedule(name, is_paused=True, next_at=store.schedule(name).next_at)
    terminal.say(f"{name} is paused." if was_running else f"{name} is paused already.")


@app.command()
def resume(name: Name) -> None:
    """Let a paused schedule go on with its next time."""
    wiring = reach.wiring()
    store = wiring.store()
    was_paused = operation.resume(store, name, now=wiring.clock.now())
    wiring.poke()
    schedule = store.schedule(name)
    next_at = schedule.next_at.astimezone(zone_of(schedule.timezone))
    goes_on = "goes on at" if was_paused else "is not paused: it comes at"
    terminal.say(f"{name} {goes_on} {next_at:%Y-%m-%d %H:%M %Z}.")


@app.command()
def run(name: Name) -> None:
    """Submit the jobs of a schedule once more, now; prints their ids."""
    wiring = reach.wiring()
    store = wiring.store()
    if wiring.elsewhere is not None:
        ids = wiring.elsewhere.run_schedule(name)
    else:
        ids = operation.run_now(wiring.submitting(store), name, now=wiring.clock.now())
    for job_id in ids:
        typer.echo(job_id)
    wiring.poke()
    say_what_is_held(wiring, store, ids)


@app.command()
def remove(name: Name) -> None:
    """Forget a schedule. Jobs that it has submitted stay."""
    if not reach.wiring().store().remove_schedule(name):
        raise InputNotFound(f"There is no schedule {name!r}.", hint="`pitchey schedule list` names them.")
    terminal.say(f"{name} is removed.")
