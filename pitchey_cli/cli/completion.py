"""pitchey completion: completion for the usual shells."""

from __future__ import annotations

from typing import Annotated

import typer
from typer._completion_shared import get_completion_script

from pitchey_cli.cli.main import COMPLETE_VARIABLE
from pitchey_cli.domain.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode=None)
_SHELLS = ("bash", "zsh", "fish")


@app.command()
def completion(shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print a completion script; `pitchey completion bash >> ~/.bashrc` installs it."""
    if shell not in _SHELLS:
        raise UsageError(f"There is no completion for {shell!r}.", hint=f"There is one for {', '.join(_SHELLS)}.")
    typer.echo(get_completion_script(prog_name="pitchey", complete_var=COMPLETE_VARIABLE, shell=shell))
