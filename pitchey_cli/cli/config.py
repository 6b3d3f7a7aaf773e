"""pitchey config: look at settings and change them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from pitchey_cli import settings
from pitchey_cli.cli import terminal
from pitchey_cli.daemon import lock
from pitchey_cli.domain.errors import PitcheyError, UsageError
from pitchey_cli.policies import Policies

app = typer.Typer(
    help="Look at settings and change them.", add_completion=False, rich_markup_mode=None, no_args_is_help=True
)


@app.command()
def path() -> None:
    """Print the path of the settings file."""
    typer.echo(str(settings.config_path(os.environ)))


@app.command()
def show(
    key: Annotated[str | None, typer.Argument(help="Only this setting, or those that begin so.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its value, and where the value comes from."""
    loaded = settings.load()
    known = settings.entries()
    chosen = [entry for name, entry in known.items() if key is None or name == key or name.startswith(f"{key}.")]
    if not chosen:
        raise settings.unknown_key(str(key), known, where="config show")
    rows = [
        (entry, entry.shown(_value(loaded.settings, entry.key)), loaded.sources.get(entry.key, "default"))
        for entry in chosen
    ]
    if json:
        terminal.show_json(
            [
                {"key": e.key, "value": value, "source": source, "variable": e.variable, "doc": e.doc}
                for e, value, source in rows
            ]
        )
    elif key in known:
        typer.echo(rows[0][1])
    else:
        from rich.table import Table

        table = Table("setting", "value", "from", "what it does", box=None, pad_edge=False, header_style="bold")
        for entry, value, source in rows:
            table.add_row(entry.key, str(value), source, entry.doc)
        terminal.show(table)
    for problem in Policies(loaded.settings).problems():
        terminal.say(f"warning: {problem}")


@app.command(name="set", context_settings={"ignore_unknown_options": True})  # -1 is a value
def set_(
    key: Annotated[str, typer.Argument(help="The setting, as services.video.slots.")],
    value: Annotated[str, typer.Argument(help="Its new value.")],
) -> None:
    """Change one setting in the file."""
    known = settings.entries()
    if key not in known:
        raise settings.unknown_key(key, known, where="config set")
    file = settings.config_path(os.environ)
    values = settings.read_file(file, but=key)
    new = {key: settings.parse_value(known[key], value, where="config set")}
    _check(file, values, new, known[key])
    _write(file, {**values, **new})
    terminal.say(f"{key} = {known[key].shown(new[key])} in {file}")
    _say_who_has_the_old_one()


@app.command()
def unset(key: Annotated[str, typer.Argument(help="The setting, as services.video.slots.")]) -> None:
    """Take one setting out of the file: its default counts again."""
    known = settings.entries()
    if key not in known:
        raise settings.unknown_key(key, known, where="config unset")
    file = settings.config_path(os.environ)
    if file.exists():
        values = settings.read_file(file, but=key)
        _check(file, values, {}, known[key])
        _write(file, values)
    terminal.say(f"{key} = {known[key].default}, the default")
    _say_who_has_the_old_one()


@app.command()
def init(
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that exists.")] = False,
) -> None:
    """Write a settings file with every setting at its default."""
    file = settings.config_path(os.environ)
    if file.exists() and not overwrite:
        raise UsageError(f"{file} exists.", hint="--overwrite replaces it.")
    _write(file, {key: entry.default for key, entry in settings.entries().items()})
    terminal.say(f"wrote {file}")


def _check(file: Path, others: dict[str, Any], new: dict[str, Any], entry: settings.Entry) -> None:
    """Refuse a change after which something would mean nothing.

    What is wrong as the file stands, and without this setting as well, is no reason: files are mended piece by piece.

    Args:
        others: what the file has beside the setting.
        new: its new value by its key; nothing when it is taken out.
    """
    environ = {name: value for name, value in os.environ.items() if name != entry.variable}

    def problems(values: dict[str, Any]) -> dict[str, UsageError]:
        found = Policies(settings.merged(file, values, environ).settings).problems()
        return {str(each): each for each in found}

    after = problems({**others, **new})
    if not after:
        return
    try:
        old = settings.read_file(file)
    except PitcheyError:  # what stands there is not even of the right type
        old = others
    known = problems(old).keys() & problems(others).keys()
    for text, problem in after.items():
        if text not in known:
            raise problem


def _say_who_has_the_old_one() -> None:
    """Tell that a daemon reads the settings once, when it starts."""
    try:
        loaded = settings.load()
    except PitcheyError as error:  # the file is not whole yet, which is no reason not to mend a part of it
        terminal.say(f"warning: {error}")
        return
    holder = lock.holder(settings.state_dir(loaded.settings))
    if holder is not None and holder.is_daemon:
        terminal.say(
            "The daemon that runs takes it up at its next start: `pitchey daemon stop`, `pitchey daemon start`."
        )


def _value(loaded: settings.Settings, key: str) -> Any:
    value: Any = loaded
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _write(file: Path, values: dict[str, Any]) -> None:
    """Replace the file whole: a crash leaves the old one."""
    import tomli_w

    tree: dict[str, Any] = {}
    for key, value in values.items():
        *parents, last = key.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = value
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("wb", dir=file.parent, prefix=".config-", delete=False) as temporary:
            tomli_w.dump(tree, temporary)
            temporary.flush()
            os.fsync(temporary.fileno())
        Path(temporary.name).replace(file)
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.") from error
