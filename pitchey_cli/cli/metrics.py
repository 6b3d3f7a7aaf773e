"""pitchey metrics: everything that is counted, for Prometheus."""

from __future__ import annotations

import sys

import typer

from pitchey_cli.cli import reach

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(name="metrics")
def show() -> None:
    """Print all metrics in Prometheus' text format, for its node exporter's textfile collector and the like."""
    wiring = reach.wiring()
    sys.stdout.write(wiring.metrics(wiring.store()))
