"""The shelf of loaded models: a budget of memory, who has to go, and what waits."""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from processors.inference.errors import ModelError
from processors.inference.frameworks.port import Loaded, Tensors
from processors.inference.manifest import Manifest
from processors.inference.repository import Entry
from processors.inference.serving.shelf import Shelf
from processors.worker.context import HandlerError, Rejected

HASH = "0" * 64


class Nothing:
    """A model that takes room, and does no more."""

    device = "cpu"

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        del tensors, outputs
        return {}

    def close(self) -> None:
        pass


@dataclass
class Sized(Nothing):
    """One that is told from others by its size."""

    size: int


def entry(name: str, memory: int = 40) -> Entry:
    manifest = Manifest.model_validate(
        {
            "name": name,
            "version": "1",
            "task": "tensors",
            "framework": "onnx",
            "file": "m",
            "files": {"m": {"sha256": HASH, "size": 10}},
            "resources": {"memoryBytes": memory},
        }
    )
    return Entry(manifest, Path())


def use(shelf: Shelf, *names: str) -> None:
    for name in names:
        with shelf.borrow(entry(name)):
            pass


def test_a_model_is_loaded_once_and_stays() -> None:
    loads: list[str] = []

    def load(wanted: Entry) -> Loaded:
        loads.append(wanted.manifest.name)
        return Nothing()

    shelf = Shelf(100, load)
    use(shelf, "a", "b", "a", "b", "a")
    assert loads == ["a", "b"] and shelf.names() == ["a@1", "b@1"]


def test_the_least_recently_used_makes_room_and_the_others_are_told() -> None:
    told: list[dict[str, int]] = []
    shelf = Shelf(100, lambda _: Nothing(), told.append)
    use(shelf, "a", "b", "a", "c")
    assert shelf.names() == ["a@1", "c@1"]
    assert [[*each] for each in told] == [["a@1"], ["a@1", "b@1"], ["a@1"], ["a@1", "c@1"]]


def test_what_is_larger_than_the_budget_is_refused_with_both_numbers() -> None:
    shelf = Shelf(100 << 20, lambda _: Nothing())
    with (
        pytest.raises(ModelError, match="takes 200 MiB of memory, and this instance has 100 MiB") as refused,
        shelf.borrow(entry("huge", 200 << 20)),
    ):
        pass
    assert refused.value.code == "model_too_large"


def test_a_model_that_is_in_use_stays_and_the_next_waits_for_it() -> None:
    shelf = Shelf(50, lambda _: Nothing())
    order: list[str] = []

    def second() -> None:
        with shelf.borrow(entry("b")):
            order.append("b is loaded")

    with shelf.borrow(entry("a")):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.2)
        assert other.is_alive() and shelf.names() == ["a@1"]
        order.append("a is let go")
    other.join(10)
    assert order == ["a is let go", "b is loaded"] and shelf.names() == ["b@1"]


def test_many_that_want_one_model_load_it_once() -> None:
    loads: list[str] = []
    gate = threading.Event()

    def load(wanted: Entry) -> Loaded:
        loads.append(wanted.manifest.name)
        gate.wait(10)
        return Nothing()

    shelf = Shelf(100, load)
    threads = [threading.Thread(target=use, args=(shelf, "a")) for _ in range(8)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join(10)
    assert loads == ["a"]


def test_a_model_that_cannot_be_loaded_is_tried_anew_by_the_next() -> None:
    attempts: list[int] = []

    def load(wanted: Entry) -> Loaded:
        attempts.append(1)
        if len(attempts) == 1:
            raise ModelError("model_not_loaded", "broken")
        return Nothing()

    shelf = Shelf(100, load)
    with pytest.raises(ModelError, match="broken"):
        use(shelf, "a")
    assert shelf.names() == []
    use(shelf, "a")
    assert shelf.names() == ["a@1"]


def test_a_model_that_was_removed_and_added_again_is_loaded_anew() -> None:
    told: list[dict[str, int]] = []
    shelf = Shelf(100, lambda wanted: Sized(wanted.manifest.resources.memory_bytes), told.append)
    with shelf.borrow(entry("a", 10)) as (old, _):
        assert old == Sized(10)
        with shelf.borrow(entry("a", 20)) as (new, _):
            assert new == Sized(20)
        assert old == Sized(10), "who had it goes on with it"
        assert shelf.names() == ["a@1"]
    with shelf.borrow(entry("a", 20)) as (new, _):
        assert new == Sized(20)
    assert [[*each] for each in told] == [["a@1"], ["a@1"], ["a@1"]] and shelf.names() == ["a@1"]
    with shelf.borrow(entry("b", 80)):  # for which there is no room beside both
        assert shelf.names() == ["a@1", "b@1"]


@pytest.mark.parametrize("shortage", [MemoryError(), OSError(errno.EMFILE, "Too many open files")])
def test_who_meets_a_shortage_may_try_again(shortage: Exception) -> None:
    def load(wanted: Entry) -> Loaded:
        raise shortage

    with pytest.raises(HandlerError, match="The model a@1 cannot be loaded") as failed:
        use(Shelf(100, load), "a")
    assert failed.value.retryable and not isinstance(failed.value, Rejected)


def test_a_model_that_is_loaded_once_more_takes_its_room_and_goes() -> None:
    shelf = Shelf(100, lambda _: Nothing())
    use(shelf, "a", "b")
    with shelf.borrow_alone(entry("a"), lambda _: Sized(40)) as (loaded, _):
        assert loaded == Sized(40) and shelf.names() == ["b@1"]  # a made room: it was used least lately
    use(shelf, "c")
    assert shelf.names() == ["b@1", "c@1"], "its room is free again"
    with (
        pytest.raises(ModelError, match="takes 1 MiB of memory"),
        shelf.borrow_alone(entry("huge", 200), lambda _: Nothing()),
    ):
        pass
