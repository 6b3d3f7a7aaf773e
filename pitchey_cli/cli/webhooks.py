"""pitchey webhooks: other programs are told what happens here."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.access import ALL_ORGANISATIONS
from pitchey_cli.domain.errors import ExitCode, UsageError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations import webhooks as operation

app = typer.Typer(
    help="Tell other programs what happens: jobs, batches, budgets, alerts.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
Hook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, or its name.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")]
_WAIT_SECONDS = 20.0  # a try takes 15 s at most
_LOOK_SECONDS, _LOOK_THERE_SECONDS = 0.1, 0.5  # beside the database, and at a server
_NO_DAEMON = "No daemon runs: `pitchey daemon start` starts one, which sends it."


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, as chat or billing.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="Where messages are posted.")],
    types: Annotated[
        list[str] | None,
        typer.Option("--type", help="Only these, as job.dead or job.*; repeatable. Else all.", metavar="TYPE"),
    ] = None,
    services: Annotated[
        list[str] | None,
        typer.Option("--service", help="Only what is of this service, or of none; repeatable.", metavar="SERVICE"),
    ] = None,
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Whose it is; else `default`.", metavar="NAME")
    ] = None,
    everybody: Annotated[
        bool, typer.Option("--all-organisations", help="For what happens in the whole installation, alerts too.")
    ] = False,
) -> None:
    """Add an endpoint, and print the secret by which it knows our messages. It is shown this once."""
    if everybody and organisation is not None:
        raise UsageError("--organisation and --all-organisations do not go together.", hint="Leave one of them out.")
    wiring = reach.wiring()
    if wiring.elsewhere is not None:
        made, secret = wiring.elsewhere.add_webhook(
            name=name, url=url, types=types or [], services=services or [],
            **({"allOrganisations": True} if everybody else {"organisation": organisation}),
        )  # fmt: skip
    else:
        made = operation.add(
            wiring.store(),
            name,
            url,
            organisation=ALL_ORGANISATIONS if everybody else organisation or DEFAULT_ORGANISATION,
            types=types or (),
            services=services or (),
            allow_private=wiring.settings.webhooks.allow_private,
            now=wiring.clock.now(),
        )
        secret = made.secret
    sys.stdout.write(f"{secret}\n")
    terminal.say(f"{made.name} ({made.id}) is told from now on; `pitchey webhooks test {made.id}` tries it.")


@app.command(name="list")
def list_(
    organisation: Annotated[
        str | None, typer.Option("--organisation", help="Only of this organisation.", metavar="NAME")
    ] = None,
    json: Json = False,
) -> None:
    """List the endpoints, the oldest first, without their secrets."""
    wiring = reach.wiring()
    found = wiring.store().webhooks(organisation=organisation)
    from pitchey_cli.reports import webhooks  # late: it loads rich

    if json:
        terminal.show_json_lines(map(webhooks.webhook, found))
    else:
        terminal.show(webhooks.webhooks(found, now=wiring.clock.now()))


@app.command()
def test(hook: Hook) -> None:
    """Send an endpoint a message that says nothing, and say what it answered."""
    wiring = reach.wiring()
    store = wiring.store()
    sent = operation.send_test(store, hook, now=wiring.clock.now())
    if not wiring.poke() and not wiring.at_work(store):
        terminal.say(f"{sent.message_id} waits. {_NO_DAEMON}")
        return
    deadline = wiring.clock.monotonic() + _WAIT_SECONDS
    pause = _LOOK_SECONDS if wiring.elsewhere is None else _LOOK_THERE_SECONDS
    while sent is not None and not sent.tries and wiring.clock.monotonic() < deadline:
        time.sleep(pause)
        sent = store.delivery(sent.webhook_id, sent.message_id) or sent
    from pitchey_cli.reports import webhooks

    terminal.say(webhooks.outcome(sent))
    if sent.state != "delivered":
        raise typer.Exit(ExitCode.JOB_FAILED)


@app.command()
def deliveries(
    hook: Hook,
    state: Annotated[str | None, typer.Option("--state", help="pending, delivered or failed.", metavar="STATE")] = None,
    limit: Annotated[int, typer.Option("--limit", help="At most so many, the newest.", min=1, max=10_000)] = 50,
    json: Json = False,
) -> None:
    """List what an endpoint was told, the newest first, and what it answered."""
    wiring = reach.wiring()
    found = operation.deliveries(wiring.store(), hook, state=state, limit=limit)
    from pitchey_cli.reports import webhooks

    if json:
        terminal.show_json_lines(map(webhooks.delivery, found))
    else:
        terminal.show(webhooks.deliveries(found, now=wiring.clock.now()))


@app.command()
def replay(
    hook: Hook,
    messages: Annotated[list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="Ids of messages.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that was given up.")] = False,
) -> None:
    """Send messages once more, under the ids that they had."""
    wiring = reach.wiring()
    store = wiring.store()
    count = operation.replay(store, hook, messages or (), has_failed=failed, now=wiring.clock.now())
    has_daemon = wiring.poke() or bool(wiring.at_work(store))
    what = "1 message is" if count == 1 else f"{count} messages are"
    terminal.say(f"{what} sent again.{'' if has_daemon or not count else f' {_NO_DAEMON}'}")


@app.command()
def rotate(
    hook: Hook,
    overlap: Annotated[
        str, typer.Option("--overlap", help="For how long the secret before counts as well.", metavar="SPAN")
    ] = "24h",
) -> None:
    """Give an endpoint another secret, and print it. For a while messages are signed with both."""
    wiring = reach.wiring()
    if wiring.elsewhere is not None:
        found, secret = wiring.elsewhere.rotate_webhook(hook, overlap=overlap)
        until = found.old_secret_until or wiring.clock.now()
    else:
        found, secret, until = operation.rotate(wiring.store(), hook, overlap=overlap, now=wiring.clock.now())
    sys.stdout.write(f"{secret}\n")
    terminal.say(f"The secret of {found.name} ({found.id}) from before counts until {until:%Y-%m-%d %H:%M} UTC.")


@app.command()
def enable(hook: Hook) -> None:
    """Tell an endpoint again what happens from now on."""
    wiring = reach.wiring()
    found, has_changed = operation.enable(wiring.store(), hook)
    wiring.poke()
    terminal.say(f"{found.name} ({found.id}) is told {'again' if has_changed else 'already'}.")


@app.command()
def disable(
    hook: Hook,
    reason: Annotated[str, typer.Option("--reason", help="Why, for `pitchey webhooks list`.", metavar="TEXT")] = "",
) -> None:
    """Tell an endpoint nothing any more; what happens meanwhile it never hears."""
    wiring = reach.wiring()
    found, has_changed = operation.disable(wiring.store(), hook, why=reason, now=wiring.clock.now())
    terminal.say(f"{found.name} ({found.id}) is disabled{'' if has_changed else ' already'}.")


@app.command()
def remove(hook: Hook) -> None:
    """Forget an endpoint, and what it has been told."""
    found = operation.remove(reach.wiring().store(), hook)
    terminal.say(f"{found.name} ({found.id}) is removed.")
