"""pitchey why: why a job is where it is."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach
from pitchey_cli.domain.errors import EngineError
from pitchey_cli.engines import images
from pitchey_cli.operations import budgets
from pitchey_cli.operations import why as operation
from pitchey_cli.operations.lookup import resolve
from pitchey_cli.reports.wording import printable

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def why(job: Annotated[str, typer.Argument(help="Id of a job, or its beginning.")]) -> None:
    """Say why JOB waits, or how it ended."""
    wiring = reach.wiring()
    store = wiring.store()
    found = store.job(resolve(store, job))
    if wiring.elsewhere is not None:
        for sentence in wiring.elsewhere.why(found.id):
            typer.echo(printable(sentence))
        return
    holder = wiring.holder()

    is_here = holder is not None and holder.is_daemon

    def has_image() -> bool | None:
        if holder is None or not is_here:  # other machines have images of their own
            return None
        try:
            engine = wiring.engines.connect(holder.engine)
            return engine.has_image(images.current_tag(found.service, images.built(engine, wiring.engines.sources())))
        except EngineError:
            return None

    nodes = store.nodes()
    sentences = operation.reasons(
        store,
        found,
        now=wiring.clock.now(),
        is_daemon_running=is_here or bool(wiring.up(nodes)),
        has_image=has_image,
        policy=wiring.policies.queue(),
        capped=budgets.capped(store, wiring.as_of),
        nodes=nodes,
    )
    for sentence in sentences:
        typer.echo(printable(sentence))
