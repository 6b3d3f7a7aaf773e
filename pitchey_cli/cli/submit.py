"""pitchey submit: put jobs into the queue and return."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pitchey_cli.cli import terminal
from pitchey_cli.cli.drafting import drafts, stage, tell_left_out
from pitchey_cli.cli.estimating import EstimateOption, show_estimate
from pitchey_cli.cli.holding import say_what_is_held
from pitchey_cli.cli.job_options import ManifestOption, command_class, service_command
from pitchey_cli.cli.service_group import ServiceGroup
from pitchey_cli.daemon import lock
from pitchey_cli.engines import images
from pitchey_cli.operations import submit as operation
from pitchey_cli.operations.requests import Request
from pitchey_cli.reports import as_json
from pitchey_cli.wiring import Wiring

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
    wiring = Wiring.from_environment()
    checked = drafts(asked, manifest)
    tell_left_out(asked)
    if estimate:
        show_estimate(wiring, asked, checked, json=json)
        return
    store = wiring.store()
    jobs = stage(wiring, store, asked, checked, is_foreground=False)
    ids = operation.submit(store, jobs, now=wiring.clock.now(), artifacts=wiring.artifacts())
    is_taken = lock.poke(wiring.state_dir)
    if json:
        terminal.show_json([as_json.job(store.job(job_id)) for job_id in ids])
    else:
        sys.stdout.write("".join(f"{job_id}\n" for job_id in ids))
    say_what_is_held(wiring, store, ids)
    if not is_taken and terminal.is_interactive():
        terminal.say("No daemon runs: `pitchey daemon start` starts one.")


for _service in images.available():
    app.command(str(_service), cls=command_class(_service))(
        service_command(_service, submit, doc=f"Queue {_service} jobs.")
    )


@app.callback(no_args_is_help=True)
def _group() -> None:
    """Put jobs into the queue; prints their ids, one per line."""
