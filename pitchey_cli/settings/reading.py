"""Where settings are read from: the defaults, then the TOML file, then the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.settings.services import Services, check_service
from pitchey_cli.settings.setting import Entry, entries_of, parse_value, unknown_key
from pitchey_cli.settings.tree import TABLES, Settings
from pitchey_cli.values import dataclass

#: not settings: the file of the settings, --debug, and what the scripts and the tests beside this package use
_OTHER_VARIABLES = frozenset(
    f"PITCHEY_{name}"
    for name in ("CONFIG", "CONTEXT", "DEBUG", "ENGINE", "ENGINE_ROOT", "INSTANCE", "SCRIPTS", "SERVER", "TOKEN")
)
_OF_TESTS = "PITCHEY_TEST_"


@dataclass(frozen=True)
class Loaded:
    """The settings, and where each value came from."""

    settings: Settings
    path: Path
    sources: Mapping[str, str]  #: key -> default, file, or the variable's name


@cache
def entries() -> Mapping[str, Entry]:
    """Every setting, by key."""
    return {entry.key: entry for entry in entries_of(Settings, Settings())}


def config_path(environ: Mapping[str, str]) -> Path:
    """The file: PITCHEY_CONFIG, else the user's configuration directory."""
    if environ.get("PITCHEY_CONFIG"):
        return Path(environ["PITCHEY_CONFIG"])
    base = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    return Path(base) / "pitchey" / "config.toml"


def load(environ: Mapping[str, str] = os.environ) -> Loaded:
    """Read the settings once."""
    path = config_path(environ)
    if environ.get("PITCHEY_CONFIG") and not path.exists():
        raise InputNotFound(f"There is no file at {path}, which PITCHEY_CONFIG names.")
    loaded = merged(path, read_file(path), environ)
    for name in (item.name for item in fields(Services)):
        check_service(name, getattr(loaded.settings.services, name))
    return loaded


def read_file(path: Path, *, but: str = "") -> dict[str, Any]:
    """The file's settings by key, checked; empty when there is no file.

    Args:
        but: a key that is left out, whatever the file has for it: it is about to be set or taken out.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise Denied(f"{path} may not be read.") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    import tomllib  # late: many have no file

    try:
        table = tomllib.loads(text.decode())
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}.") from error
    known = entries()
    values: dict[str, Any] = {}
    for key, raw in _flatten(table).items():
        if key == but:
            continue
        if key in TABLES:
            if not isinstance(raw, Mapping):
                raise UsageError(f"{path}: {key} is a table of tables, not {raw!r}.")
            values[key] = raw
            continue
        if key not in known:
            raise unknown_key(key, known, where=str(path))
        values[key] = parse_value(known[key], raw, where=str(path))
    return values


def merged(path: Path, in_file: Mapping[str, Any], environ: Mapping[str, str]) -> Loaded:
    """The settings, if these values stood in the file; whether they go together is for the caller to ask."""
    values = dict(in_file)
    sources = dict.fromkeys(values, "file")
    for key, entry in entries().items():
        if entry.variable in environ:
            values[key] = parse_value(entry, environ[entry.variable], where=entry.variable)
            sources[key] = entry.variable
    return Loaded(_build(Settings, Settings(), values, ""), path, sources)


def told(tables: Mapping[str, Any]) -> Settings:
    """Settings as another machine tells them; what this version does not know is left out."""
    known = entries().keys() | TABLES
    values = {key: value for key, value in _flatten(tables).items() if key in known}
    found: Settings = _build(Settings, Settings(), values, "")
    return found


def _flatten(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, Mapping) and prefix + key not in TABLES:
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _build(cls: type, defaults: Any, values: Mapping[str, Any], prefix: str) -> Any:
    arguments: dict[str, Any] = {}
    for item in fields(cls):
        default = getattr(defaults, item.name)
        if is_dataclass(default):
            arguments[item.name] = _build(type(default), default, values, f"{prefix}{item.name}.")
        else:
            arguments[item.name] = values.get(prefix + item.name, default)
    return cls(**arguments)


def misspelt_variables(environ: Mapping[str, str] = os.environ) -> list[tuple[str, str]]:
    """Variables that begin as ours do and set nothing, each with the nearest one that does, or nothing."""
    given = {name for name in environ if name.startswith("PITCHEY_") and not name.startswith(_OF_TESTS)}
    if given <= _OTHER_VARIABLES:
        return []
    known = [entry.variable for entry in entries().values()]
    found: list[tuple[str, str]] = []
    for name in sorted(given.difference(known, _OTHER_VARIABLES)):
        import difflib  # late: hardly anybody needs it, and `pitchey status` has to start fast

        near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
        found.append((name, near[0] if near else ""))
    return found


def state_dir(settings: Settings, environ: Mapping[str, str] = os.environ) -> Path:
    """The state directory, absolute."""
    if settings.state_dir:
        return Path(settings.state_dir).expanduser().absolute()
    base = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "state")
    return Path(base) / "pitchey"
