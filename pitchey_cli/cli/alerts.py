"""pitchey alerts: what somebody should look at."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.alerts import Rule, rule_named
from pitchey_cli.domain.errors import ExitCode
from pitchey_cli.operations import alerts as operation
from pitchey_cli.operations.alerts import Standing
from pitchey_cli.reports.wording import printable
from pitchey_cli.wiring import Wiring

app = typer.Typer(
    help="Alerts: rules over the queue, the instances, the cost and the host. Thresholds: the setting alerts.rules.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
RuleName = Annotated[str, typer.Argument(metavar="RULE", help="Name of the rule.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")]


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List all rules: the threshold, the value now, and whether it fires."""
    wiring = reach.wiring()
    _show(wiring.alerts(wiring.store(), dry_run=True), wiring, json)


@app.command()
def check(json: Json = False) -> None:
    """Judge all rules now, with or without a daemon. Exit code 1 when one fires that is not silenced, else 0.

    What fires is printed; an event is raised for it unless somebody has been told already.
    """
    wiring = reach.wiring()
    found = operation.firing(wiring.alerts(wiring.store(), dry_run=False), wiring.clock.now())
    if json:
        _show(found, wiring, True)
    else:
        for each in found:
            typer.echo(printable(operation.sentence(each)))
    if found:
        raise typer.Exit(ExitCode.JOB_FAILED)


@app.command()
def test(rule: RuleName) -> None:
    """Raise the event of a rule as a test, so that whoever receives it can be checked."""
    wiring = reach.wiring()
    wiring.store().test_alert(_rule(wiring, rule), now=wiring.clock.now())
    terminal.say(f"alert_fired of {rule} is raised, marked as a test.")


@app.command()
def silence(
    rule: RuleName,
    lasts: Annotated[str, typer.Option("--for", help="For so long: 30m, 2h, 1d.", metavar="SPAN")],
    reason: Annotated[str, typer.Option("--reason", help="Why; whoever looks at it next sees it.")],
) -> None:
    """Tell nobody of an alert for a while. One that still fires then is told."""
    wiring = reach.wiring()
    chosen, now = _rule(wiring, rule), wiring.clock.now()
    found = operation.silence(wiring.store(), chosen, lasts=lasts, reason=reason, by=getpass.getuser(), now=now)
    terminal.say(f"{rule} is silenced until {found.until.astimezone():%Y-%m-%d %H:%M %Z}.")


@app.command()
def unsilence(rule: RuleName) -> None:
    """Tell of an alert again."""
    wiring = reach.wiring()
    chosen, store = _rule(wiring, rule), wiring.store()
    (found,) = [each for each in wiring.alerts(store, dry_run=True) if each.rule == chosen]
    operation.unsilence(store, found, wiring.clock.now())
    terminal.say(f"{rule} is told again.")


def _rule(wiring: Wiring, name: str) -> Rule:
    return rule_named(name, wiring.policies.alert_rules())


def _show(found: list[Standing], wiring: Wiring, is_json: bool) -> None:
    from pitchey_cli.reports import alerts

    now = wiring.clock.now()
    rows = [(each.rule, each.reading, each.alert) for each in found]
    if is_json:
        terminal.show_json_lines(alerts.document(*row, now=now) for row in rows)
    else:
        terminal.show(alerts.table(rows, now=now))
