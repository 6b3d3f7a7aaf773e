"""pitchey doctor: what is missing, and how to get it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal
from pitchey_cli.domain.errors import ExitCode, PitcheyError
from pitchey_cli.engines import images
from pitchey_cli.operations import doctor as operation
from pitchey_cli.wiring import Wiring

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_MARKS = {operation.Verdict.OK: "ok     ", operation.Verdict.WARNING: "warning", operation.Verdict.PROBLEM: "problem"}


@app.command()
def doctor(
    engine: Annotated[str | None, typer.Option("--engine", help="docker, podman or process.", metavar="ENGINE")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at engine, permissions, disk, images, limits and store. Exit code 8 if jobs cannot run."""
    wiring = reach.here()
    problems = wiring.policies.problems()
    try:
        wiring.make_state_dir()
    except PitcheyError as error:
        checks = [operation.Check("state", operation.Verdict.PROBLEM, str(error), error.hint)]
    else:
        checks = list(
            operation.examine(
                state_dir=wiring.state_dir,
                open_store=wiring.store,
                connect=lambda: wiring.engines.connect(engine),
                images=[operation.Wanted(service, wiring.engines.image_tag(service)) for service in images.available()],
                wanted_runtimes={each: wiring.policies.service(each).runtime for each in images.available()},
                problems=problems,
                buckets=() if problems else wiring.asked(),
                spot_node=None if problems else _spot_node(wiring),
                server=str(wiring.server or "") if not problems else "",
                host=wiring.clock.boot(),
            )
        )
    if json:
        terminal.show_json({"schema": 1, "checks": [asdict(check) for check in checks]})
    else:
        width = max(len(check.subject) for check in checks)
        for check in checks:
            typer.echo(f"{_MARKS[check.verdict]}  {check.subject:<{width}}  {check.saw}")
            if check.way_out:
                typer.echo(f"{'':<{width + 11}}{check.way_out}")
    if any(check.verdict is operation.Verdict.PROBLEM for check in checks):
        raise typer.Exit(ExitCode.NO_ENGINE)


def _spot_node(wiring: Wiring) -> operation.SpotNode | None:
    notifier = wiring.policies.spot_notice()
    if not wiring.settings.node.is_spot:
        return None

    async def ask() -> bool:
        from pitchey_cli.daemon import notice  # late: it loads an HTTP client, which other nodes do not need

        assert notifier is not None  # else nobody is asked
        async with notice.client() as asking:
            return await notice.ask(asking, notifier) is not None

    return operation.SpotNode(str(notifier or ""), lambda: asyncio.run(ask()), wiring.settings.daemon.grace_seconds)
