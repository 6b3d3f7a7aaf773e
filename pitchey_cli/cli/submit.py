"""pitchey submit: put jobs into the queue and return."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.cli.drafting import drafts, queue, say_if_no_node_fits, tell_left_out
from pitchey_cli.cli.estimating import EstimateOption, show_estimate
from pitchey_cli.cli.holding import say_what_is_held
from pitchey_cli.cli.job_options import ManifestOption, command_class, service_command
from pitchey_cli.cli.service_group import ServiceGroup
from pitchey_cli.engines import images
from pitchey_cli.operations.requests import Request
from pitchey_cli.reports import as_json

app = typer.Typer(
    help="Put jobs into the queue; prints their ids.",
    cls=ServiceGroup,
    add_completion=False,
    rich_markup_mode=None,
)


def submit(
    asked: Request,
    *,
    manifest: ManifestOption = None,
    estimate: EstimateOption = False,
    json: Annotated[bool, typer.Option("--json", help="Print the jobs as JSON.")] = False,
) -> None:
    """Check, stage and queue; all of the jobs or none."""
    wiring = reach.wiring()
    checked = drafts(asked, manifest, wiring.listed)
    tell_left_out(asked)
    if estimate:
        show_estimate(wiring, asked, checked, json=json)
        return
    store = wiring.store()
    ids = queue(wiring, store, asked, checked, is_foreground=False)
    is_taken = wiring.poke()
    if json:
        terminal.show_json([as_json.job(store.job(job_id)) for job_id in ids])
    else:
        sys.stdout.write("".join(f"{job_id}\n" for job_id in ids))
    if wiring.elsewhere is None:  # a server has said so itself
        say_what_is_held(wiring, store, ids)
        say_if_no_node_fits(store, asked, checked)
    if not is_taken and wiring.elsewhere is None and terminal.is_interactive() and not wiring.at_work(store):
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


for _service in images.available():
    app.command(str(_service), cls=command_class(_service))(
        service_command(_service, submit, doc=f"Queue {_service} jobs.")
    )


@app.callback(no_args_is_help=True)
def _group() -> None:
    """Put jobs into the queue; prints their ids, one per line."""
