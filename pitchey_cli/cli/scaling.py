"""pitchey scaling: why there are as many instances as there are, and how many there would be. One module per verb."""

from __future__ import annotations

import typer

from pitchey_cli.cli.simulate import simulate

app = typer.Typer(
    help="Simulate how pools scale.",
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
)
app.command()(simulate)


@app.callback()
def scaling() -> None:
    """Simulate how pools scale."""  # with a callback typer keeps a group of one verb a group
