"""pitchey metrics: everything that is counted, for Prometheus."""

from __future__ import annotations

import sys

import typer

from pitchey_cli import __version__
from pitchey_cli.cli import reach
from pitchey_cli.operations import alerts, metrics

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(name="metrics")
def show() -> None:
    """Print all metrics in Prometheus' text format, for its node exporter's textfile collector and the like."""
    wiring = reach.wiring()
    if wiring.elsewhere is not None:
        sys.stdout.write(wiring.elsewhere.metrics())
        return
    store, as_of = wiring.store(), wiring.as_of()
    holder = wiring.holder()
    is_daemon_running = holder is not None and holder.is_daemon
    standings = alerts.look(
        store,
        wiring.policies.alert_rules(),
        as_of,
        wiring.policies.queue(),
        state_dir=wiring.state_dir,
        is_daemon_running=is_daemon_running,
        dry_run=True,
    )
    sys.stdout.write(metrics.text(store, as_of, standings, version=__version__, is_daemon_running=is_daemon_running))
