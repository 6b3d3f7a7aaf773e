"""The models that are loaded: within a budget of memory, the least recently used makes room.

A model is known by its reference and by the digest of its manifest: a version that was removed and added again is
another model, and what is loaded of the first goes when nobody uses it.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from processors.inference.errors import ModelError, is_shortage
from processors.inference.frameworks.forms import has_forms
from processors.inference.frameworks.port import Loaded
from processors.inference.repository import Entry
from processors.worker.context import HandlerError

_FILE_FACTOR = 1.5  # what a loaded model takes beside its file, where its manifest does not say: measured 1.1 to 1.6
_MIB = 1 << 20

Load = Callable[[Entry], Loaded]


class _Key(NamedTuple):
    reference: str
    digest: str
    alone: int = 0  #: which of those that somebody has for himself; 0: it is everybody's


@dataclass(slots=True)
class Place:
    """A model on the shelf."""

    key: _Key
    entry: Entry
    memory_bytes: int
    loaded: Loaded | None = None  #: None while it is being loaded
    users: int = 0
    used_at: float = 0.0
    load_seconds: float = 0.0
    is_past: bool = False  #: another has its name now, or whoever had it for himself is done: it goes when it is idle
    ready: threading.Event = field(default_factory=threading.Event)
    error: ModelError | HandlerError | None = None


class Shelf:
    """Loaded models. Safe to use from several threads."""

    def __init__(
        self,
        budget_bytes: int,
        load: Load,
        on_change: Callable[[dict[str, int]], None] = lambda _: None,
        *,
        threads: int = 1,
    ) -> None:
        """Begin with none.

        Args:
            budget_bytes: what all models together may take.
            load: makes the forms for which `may_have_forms` has room, of everybody's models.
            on_change: is told what `loaded` says.
            threads: that a model has.
        """
        self.budget_bytes = budget_bytes
        self._load = load
        self._on_change = on_change
        self._threads = threads
        self._places: dict[_Key, Place] = {}
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    @contextmanager
    def borrow(self, entry: Entry) -> Iterator[tuple[Loaded, float]]:
        """Have a model loaded, and keep it so while it is in use; with the seconds that this one waited for it.

        Raises:
            ModelError: it is larger than the budget, or cannot be loaded.
            HandlerError: the system is short of something for the moment.
        """
        with self._borrowed(_Key(entry.manifest.reference, entry.manifest.digest), entry, self._load) as found:
            yield found

    @contextmanager
    def borrow_alone(self, entry: Entry, load: Load) -> Iterator[tuple[Loaded, float]]:
        """Have a model loaded once more, for oneself: it takes the room of one form, and goes at the end.

        Raises:
            ModelError, HandlerError: as of `borrow`.
        """
        key = _Key(entry.manifest.reference, entry.manifest.digest, next(self._numbers))
        with self._borrowed(key, entry, load) as found:
            yield found

    @contextmanager
    def _borrowed(self, key: _Key, entry: Entry, load: Load) -> Iterator[tuple[Loaded, float]]:
        started = time.monotonic()
        place, is_mine = self._take(key, entry)
        try:
            if is_mine:
                self._fill(place, load)
            place.ready.wait()
            if place.error is not None:
                raise place.error
            assert place.loaded is not None
            waited = time.monotonic() - started
            yield place.loaded, waited
        finally:
            with self._changed:
                place.users -= 1
                place.used_at = time.monotonic()
                place.is_past |= bool(key.alone)
                self._clear()
                self._changed.notify_all()

    def names(self) -> list[str]:
        """What is loaded for everybody, the most recently loaded last."""
        return [*self.loaded()]

    def loaded(self) -> dict[str, int]:
        """The same, with the bytes of memory that each counts for."""
        with self._changed:
            return self._listed()

    def _listed(self) -> dict[str, int]:
        places = [place for place in self._places.values() if place.loaded is not None]
        return {each.key.reference: each.memory_bytes for each in places if not (each.is_past or each.key.alone)}

    def _take(self, key: _Key, entry: Entry) -> tuple[Place, bool]:
        """The place of a model; True: it is new, and whoever got it loads the model."""
        reference = key.reference
        with self._changed:
            if not key.alone:
                for each in self._places.values():
                    if each.key.reference == reference and not each.key.alone:
                        each.is_past = each.key != key
                self._clear()
            if key in self._places:
                return self._shared(key), False
            need = memory_of(entry)
            if not key.alone and may_have_forms(entry, self._threads, self.budget_bytes):
                need *= 2
            if need > self.budget_bytes:
                message = f"The model {reference} takes {_mib(need)} of memory"
                message += f", and this instance has {_mib(self.budget_bytes)} for models."
                raise ModelError("model_too_large", message, "Give the service a larger instance type.")
            while (short := self._taken() + need - self.budget_bytes) > 0:
                idle = [place for place in self._places.values() if not place.users and place.loaded is not None]
                if not idle:
                    self._changed.wait()
                    if key in self._places:
                        return self._shared(key), False
                    continue
                del short
                self._drop(min(idle, key=lambda place: place.used_at))
            place = self._places[key] = Place(key, entry, need, users=1)
            return place, True

    def _shared(self, key: _Key) -> Place:
        place = self._places[key]
        place.users += 1
        return place

    def _clear(self) -> None:
        """Let go of what nobody wants any more."""
        for place in [each for each in self._places.values() if each.is_past and not each.users]:
            self._drop(place)

    def _taken(self) -> int:
        return sum(place.memory_bytes for place in self._places.values())

    def _drop(self, place: Place) -> None:
        del self._places[place.key]
        if place.loaded is not None:
            place.loaded.close()
        self._on_change(self._listed())

    def _fill(self, place: Place, load: Load) -> None:
        started = time.monotonic()
        try:
            place.loaded = load(place.entry)
        except (ModelError, HandlerError) as error:
            place.error = error
        except Exception as error:
            message = f"The model {place.key.reference} cannot be loaded: {type(error).__name__}: {error}"
            kind = HandlerError if is_shortage(error) else ModelError
            place.error = kind("model_not_loaded", message)
        with self._changed:
            place.load_seconds = time.monotonic() - started
            if place.error is not None:
                del self._places[place.key]
            place.ready.set()
            self._changed.notify_all()
        self._on_change(self.loaded())


def memory_of(entry: Entry) -> int:
    """What one form of a model takes, as its manifest says, else by the size of its files."""
    return entry.manifest.resources.memory_bytes or int(entry.manifest.size * _FILE_FACTOR)


def may_have_forms(entry: Entry, threads: int, budget_bytes: int) -> bool:
    """Whether a model has two forms here, and counts for both: it gains by them, and there can be room for them."""
    return has_forms(entry.manifest, threads) and 2 * memory_of(entry) <= budget_bytes


def _mib(size: int) -> str:
    return f"{-(-size // _MIB)} MiB"
