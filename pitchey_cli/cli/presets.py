"""pitchey presets: what media jobs can be asked for by name."""

from __future__ import annotations

from typing import Annotated

import typer

from pitchey_cli.cli import reach, terminal

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def presets(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the presets of the media service: those that ship, and your own.

    [media.presets.NAME] in the settings file makes one, with format, and codec, bitrate, bit_depth, sample_rate,
    channels, loudness, true_peak and description where they matter. One of your own goes before one that ships.
    """
    from pitchey_cli.reports import presets as reports  # late: rich, and the validators of the specs
    from processors.specs.presets import PRESETS

    wiring = reach.wiring()
    own = wiring.policies.presets(str(wiring.loaded.path))
    if json:
        terminal.show_json(reports.as_json(PRESETS, own))
    else:
        terminal.show(reports.table(PRESETS, own))
