"""A frozen dataclass that is made late is what the standard library's would be, to whoever uses it."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import field
from typing import Any

import pytest

from pitchey_cli import values

Made = Any


def _of(dataclass: Any) -> Made:
    @dataclass(frozen=True)
    class Base:
        """What all have."""

        name: str
        size: int = 3

        @property
        def double(self) -> int:
            return self.size * 2

    @dataclass(frozen=True)
    class Thing(Base):
        """A field of each kind."""

        tags: tuple[str, ...] = field(default=(), metadata={"doc": "words"})
        parts: Mapping[str, int] = field(default_factory=dict, compare=False)
        secret: str = field(default="", repr=False, kw_only=True)
        length: int = field(init=False, default=0)

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.name))

    return Thing


LATE, STANDARD = _of(values.dataclass), _of(dataclasses.dataclass)
CALLS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("a",), {}),
    (("a", 4, ("x", "y")), {}),
    (("a",), {"parts": {"p": 1}, "secret": "s"}),
    ((), {"name": "abc", "tags": ("x",)}),
    ((), {}),
    (("a", 4, (), {}, "secret"), {}),
    (("a",), {"nme": 1}),
    (("a",), {"length": 1}),
]


def _told(thing: Made, positional: tuple[Any, ...], named: dict[str, Any]) -> Any:
    try:
        made = thing(*positional, **named)
    except TypeError as error:
        return str(error).replace("Base", "Thing")
    changed = dataclasses.replace(made, size=9)
    return repr(made), dataclasses.asdict(made), changed.double, dataclasses.astuple(changed), made.length


@pytest.mark.parametrize(("positional", "named"), CALLS)
def test_it_is_made_shown_and_changed_like_the_standard_one_with_the_same_complaints(positional, named):
    assert _told(LATE, positional, named) == _told(STANDARD, positional, named)


@pytest.mark.parametrize("other", [("a",), ("b",), ("a", 4), ("a", 3, ("x",)), ("a", 3, (), {"p": 1})])
def test_two_are_equal_when_the_fields_that_count_are_and_then_have_one_hash(other):
    one, two = LATE("a"), LATE(*other)
    assert (one == two) is (STANDARD("a") == STANDARD(*other))
    assert len({one, two}) == (1 if one == two else 2)
    assert one != STANDARD("a")


def test_nobody_changes_one():
    made = LATE("a")
    for change in (lambda: setattr(made, "name", "b"), lambda: setattr(made, "new", 1), lambda: delattr(made, "name")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()
    assert made.name == "a"


def test_each_gets_a_new_value_from_a_factory():
    assert LATE("a").parts is not LATE("a").parts


def test_its_fields_are_known_before_one_is_made():
    late, standard = _of(values.dataclass), _of(dataclasses.dataclass)
    facts = [[(each.name, each.type, each.metadata) for each in dataclasses.fields(each)] for each in (late, standard)]
    assert facts[0] == facts[1]
    assert late.__match_args__ == standard.__match_args__


@values.dataclass(frozen=True)
class Kept:
    """Of a module, so that a pickle can name it."""

    name: str


def test_a_copy_is_equal_and_frozen_also_where_no_other_was_made():
    text = pickle.dumps(Kept("a"))
    program = f"import pickle; kept = pickle.loads({text!r}); assert kept == kept and hash(kept); print(kept)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "Kept(name='a')\n"
    assert copy.deepcopy(Kept("a")) == pickle.loads(text) == Kept("a")


def test_threads_that_make_the_first_ones_at_once_all_get_theirs():
    for _ in range(20):
        thing, gate = _of(values.dataclass), threading.Barrier(4)
        made: list[Any] = []

        def make(thing: Any = thing, gate: threading.Barrier = gate, made: list[Any] = made) -> None:
            gate.wait()
            made.append(thing("abc", parts={"p": 1}))

        threads = [threading.Thread(target=make) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert [(each.length, each.parts) for each in made] == [(3, {"p": 1})] * 4


def test_what_it_does_not_know_is_the_standard_librarys():
    @values.dataclass(frozen=True, slots=True, order=True)
    class Slotted:
        """With slots."""

        size: int

    @values.dataclass(frozen=True)
    class Own:
        """With a text of its own."""

        size: int

        def __repr__(self) -> str:
            return f"{self.size} m"

    assert Slotted(1) < Slotted(2) and not hasattr(Slotted(1), "__dict__")
    assert (repr(Own(3)), Own(3) == Own(3)) == ("3 m", True)
