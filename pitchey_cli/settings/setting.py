"""One setting: what it is, what it takes, and where it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, field, fields, is_dataclass
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.urls import masked
from pitchey_cli.values import dataclass

_TYPES = {each.__name__: each for each in (str, bool, int, float)}  #: by their names, which is how fields have them


def setting(
    default: Any,
    doc: str,
    *,
    choices: tuple[str, ...] = (),
    least: float | None = None,
    most: float | None = None,
    has_password: bool = False,
    is_secret: bool = False,
) -> Any:
    told = {"doc": doc, "choices": choices, "least": least, "most": most}
    told |= {"has_password": has_password, "is_secret": is_secret}
    return field(default=default, metadata=told, repr=not is_secret)


@dataclass(frozen=True)
class Entry:
    """One setting, for `pitchey config` and the documents."""

    key: str
    type: type
    default: Any
    doc: str
    choices: tuple[str, ...]
    least: float | None
    most: float | None
    has_password: bool  #: it is a URL, and there may be one in it
    is_secret: bool

    def shown(self, value: Any) -> Any:
        """A value as it may be printed."""
        if self.is_secret and value:
            return "***"
        return masked(value) if self.has_password else value

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return "PITCHEY_" + self.key.replace(".", "_").upper()


def entries_of(cls: type, defaults: Any, prefix: str = "") -> list[Entry]:
    """The settings of a dataclass, and of those in it."""
    found: list[Entry] = []
    for item in fields(cls):
        value = getattr(defaults, item.name)
        if is_dataclass(value):
            found += entries_of(type(value), value, f"{prefix}{item.name}.")
        elif not item.metadata.get("is_table"):
            found.append(_entry(item, value, prefix))
    return found


def tables_of(cls: type, defaults: Any, prefix: str = "") -> frozenset[str]:
    """The keys of its tables, of the file alone: what is in them has the user's own names."""
    found: set[str] = set()
    for item in fields(cls):
        value = getattr(defaults, item.name)
        if is_dataclass(value):
            found |= tables_of(type(value), value, f"{prefix}{item.name}.")
        elif item.metadata.get("is_table"):
            found.add(prefix + item.name)
    return frozenset(found)


def _entry(item: Field[Any], default: Any, prefix: str) -> Entry:
    meta, type_ = item.metadata, _TYPES[str(item.type)]
    names = ("doc", "choices", "least", "most", "has_password", "is_secret")
    return Entry(prefix + item.name, type_, default, *(meta[name] for name in names))


def parse_value(entry: Entry, raw: Any, *, where: str) -> Any:
    """Turn a value of the file (typed) or of the environment (text) into the setting's type.

    Raises:
        UsageError: names the place, the setting and what it takes.
    """
    wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[entry.type]
    value: Any = raw
    if isinstance(raw, str) and entry.type is not str:
        lowered = raw.strip().lower()
        try:
            if entry.type is bool:
                value = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[lowered]
            else:
                value = entry.type(lowered)
        except (KeyError, ValueError):
            raise UsageError(f"{where}: {entry.key} takes {wanted}, not {raw!r}.") from None
    if entry.type is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not entry.type:
        raise UsageError(f"{where}: {entry.key} takes {wanted}, not {raw!r}.")
    if entry.choices and value not in entry.choices:
        raise UsageError(f"{where}: {entry.key} is one of {', '.join(entry.choices)}, not {value!r}.")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        too_small = entry.least is not None and not value >= entry.least  # not-ge also refuses NaN
        too_large = entry.most is not None and not value <= entry.most
        if too_small or too_large:
            limits = (("at least", entry.least), ("at most", entry.most))
            bounds = " and ".join(f"{word} {bound:g}" for word, bound in limits if bound is not None)
            raise UsageError(f"{where}: {entry.key} is {bounds}, not {value!r}.")
    return value


def unknown_key(key: str, known: Mapping[str, Entry], *, where: str) -> UsageError:
    """The error for a setting that does not exist, with the nearest one that does."""
    import difflib  # late: only for this error

    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    return UsageError(
        f"{where}: there is no setting {key!r}.",
        hint=f"Did you mean {near[0]!r}?" if near else "`pitchey config show` lists them all.",
    )
