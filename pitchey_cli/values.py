"""Frozen dataclasses that cost next to nothing until they are used.

What `dataclasses.dataclass(frozen=True)` makes of a class is six functions, each compiled from a text of its own. A
command loads a hundred such classes, makes objects of some twenty and compares hardly any, and a third of its time to
start went into those texts. Here a constructor is compiled when it is first called, and nothing else has to be.

To a type checker, and to `fields`, `replace` and `asdict`, it is the standard library's. It leaves to that one what it
does not know: other options than `frozen`, and classes with such a method of their own. It knows no `InitVar`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, /, **options: Any) -> Any:
        """As `dataclasses.dataclass`, and fast where it is frozen."""
        return _made(cls, options) if cls is not None else lambda cls: _made(cls, options)


__all__ = ["dataclass"]

_FROM_FACTORY = object()  #: the default of a parameter whose field has a factory


def _made(cls: Any, options: dict[str, Any]) -> Any:
    methods = {
        "__init__": _first_call(cls),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": _hash,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
    }
    if options != {"frozen": True} or not methods.keys().isdisjoint(vars(cls)):
        return dataclasses.dataclass(**options)(cls)
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)  # compiles nothing
    for name, method in methods.items():
        setattr(cls, name, method)
    compared = [each.name for each in fields(cls) if each.compare]
    cls.__compared__ = staticmethod(attrgetter(*compared) if compared else lambda _: ())
    return cls


def _first_call(cls: Any) -> Callable[..., None]:
    """A constructor that puts the real one in its place. When two threads call it at once, both put the same there."""

    def init(self: Any, *values: Any, **named: Any) -> None:
        cls.__init__ = compiled = _init(cls)
        compiled(self, *values, **named)

    return init


def _init(cls: Any) -> Callable[..., None]:
    names: dict[str, Any] = {"_set": object.__setattr__, "_from_factory": _FROM_FACTORY}
    by_place, by_name = ["self"], list[str]()
    lines = []
    for each in fields(cls):
        name, default, value = each.name, "", each.name
        if each.default is not MISSING:
            names[f"_default_{name}"] = each.default
            default = f"=_default_{name}"
        elif each.default_factory is not MISSING:
            names[f"_make_{name}"] = each.default_factory
            default = "=_from_factory"
            value = f"_make_{name}() if {name} is _from_factory else {name}" if each.init else f"_make_{name}()"
        if each.init:
            (by_name if each.kw_only else by_place).append(name + default)
        if each.init or each.default_factory is not MISSING:
            lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    parameters = ", ".join([*by_place, *(["*", *by_name] if by_name else [])])
    exec("\n".join([f"def __init__({parameters}):", *lines, " return"]), names)
    init: Callable[..., None] = names["__init__"]
    init.__module__, init.__qualname__ = cls.__module__, f"{cls.__qualname__}.__init__"
    init.__annotations__ = {each.name: each.type for each in fields(cls) if each.init} | {"return": None}
    return init


def _repr(self: Any) -> str:
    values = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: Any) -> Any:
    return self.__compared__(self) == self.__compared__(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _setattr(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _delattr(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
