"""The models that are loaded: within a budget of memory, the least recently used makes room."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from processors.inference.errors import ModelError
from processors.inference.frameworks.port import Loaded
from processors.inference.repository import Entry

_FILE_FACTOR = 1.5  # what a loaded model takes beside its file, where its manifest does not say: measured 1.1 to 1.6
_MIB = 1 << 20


@dataclass(slots=True)
class Place:
    """A model on the shelf."""

    entry: Entry
    memory_bytes: int
    loaded: Loaded | None = None  #: None while it is being loaded
    users: int = 0
    used_at: float = 0.0
    load_seconds: float = 0.0
    ready: threading.Event = field(default_factory=threading.Event)
    error: ModelError | None = None


class Shelf:
    """Loaded models. Safe to use from several threads."""

    def __init__(
        self,
        budget_bytes: int,
        load: Callable[[Entry], Loaded],
        on_change: Callable[[list[str]], None] = lambda _: None,
    ) -> None:
        """Begin with none.

        Args:
            budget_bytes: what all models together may take.
            on_change: is told which are there, the most recently loaded last.
        """
        self.budget_bytes = budget_bytes
        self._load = load
        self._on_change = on_change
        self._places: dict[str, Place] = {}
        self._changed = threading.Condition()

    @contextmanager
    def borrow(self, entry: Entry) -> Iterator[tuple[Loaded, float]]:
        """Have a model loaded, and keep it so while it is in use; with the seconds that this one waited for it.

        Raises:
            ModelError: it is larger than the budget, or cannot be loaded.
        """
        started = time.monotonic()
        place, is_mine = self._take(entry)
        try:
            if is_mine:
                self._fill(place)
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
                self._changed.notify_all()

    def names(self) -> list[str]:
        """What is loaded, the most recently loaded last."""
        with self._changed:
            return [name for name, place in self._places.items() if place.loaded is not None]

    def _take(self, entry: Entry) -> tuple[Place, bool]:
        """The place of a model; True: it is new, and whoever got it loads the model."""
        reference = entry.manifest.reference
        with self._changed:
            if reference in self._places:
                place = self._places[reference]
                place.users += 1
                return place, False
            need = memory_of(entry)
            if need > self.budget_bytes:
                message = f"The model {reference} takes {_mib(need)} of memory"
                message += f", and this instance has {_mib(self.budget_bytes)} for models."
                raise ModelError("model_too_large", message, "Give the service a larger instance type.")
            while (short := self._taken() + need - self.budget_bytes) > 0:
                idle = [place for place in self._places.values() if not place.users and place.loaded is not None]
                if not idle:
                    self._changed.wait()
                    if reference in self._places:
                        place = self._places[reference]
                        place.users += 1
                        return place, False
                    continue
                del short
                self._drop(min(idle, key=lambda place: place.used_at))
            place = self._places[reference] = Place(entry, need, users=1)
            return place, True

    def _taken(self) -> int:
        return sum(place.memory_bytes for place in self._places.values())

    def _drop(self, place: Place) -> None:
        del self._places[place.entry.manifest.reference]
        if place.loaded is not None:
            place.loaded.close()
        self._on_change([name for name, each in self._places.items() if each.loaded is not None])

    def _fill(self, place: Place) -> None:
        started = time.monotonic()
        try:
            place.loaded = self._load(place.entry)
        except ModelError as error:
            place.error = error
        except Exception as error:
            message = f"The model {place.entry.manifest.reference} cannot be loaded: {type(error).__name__}: {error}"
            place.error = ModelError("model_not_loaded", message)
        with self._changed:
            place.load_seconds = time.monotonic() - started
            if place.error is not None:
                del self._places[place.entry.manifest.reference]
            place.ready.set()
            self._changed.notify_all()
        self._on_change(self.names())


def memory_of(entry: Entry) -> int:
    """What a model takes when it is loaded: as its manifest says, else by the size of its files."""
    return entry.manifest.resources.memory_bytes or int(entry.manifest.size * _FILE_FACTOR)


def _mib(size: int) -> str:
    return f"{-(-size // _MIB)} MiB"
