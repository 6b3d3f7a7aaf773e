"""A network in two forms: one with all threads, for who runs it alone, and one with a single thread, for many at once.

Threads that share a run wait for each other at each of its hundred steps. Of short texts and MiniLM that takes a sixth
of the processor's time: well spent by who is alone; runs that have company leave it to each other.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from processors.inference.frameworks.graphics import wants_gpu
from processors.inference.manifest import Manifest, Tokens

T = TypeVar("T")
_COMPANY_SECONDS = 0.1  # for so long after a run had company others are expected to have it
_MOST_BYTES = 128 << 20  # of a model's files: larger networks have larger steps, and their memory is worth more


def has_forms(manifest: Manifest, threads: int) -> bool:
    """Whether a model gains by both, for twice the memory: a small one of tokens, that several jobs ask at once.

    Args:
        threads: of the first form; with one, or on a graphics card, both would be the same.
    """
    if threads == 1 or wants_gpu():
        return False
    is_of_tokens = manifest.framework == "onnx" and isinstance(manifest.preprocessing, Tokens)
    return is_of_tokens and manifest.batching.max_size > 1 and manifest.size <= _MOST_BYTES


class Forms(Generic[T]):
    """Gives each run the form that fits it. Safe to use from several threads."""

    def __init__(
        self, wide: T, make_narrow: Callable[[], T] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with the one for who is alone.

        Args:
            make_narrow: makes the other, in the background, when runs have company for the first time; until then, and
                where that fails, they all have the wide one. None: there is no other.
        """
        self._wide = wide
        self._narrow: T | None = None
        self._make_narrow = make_narrow
        self._clock = clock
        self._changing = threading.Lock()
        self._running = 0
        self._company_until = 0.0

    @contextmanager
    def fitting(self) -> Iterator[T]:
        """The form for a run, which lasts as long as this."""
        with self._changing:
            self._running += 1
            form = self._chosen(self._clock())
        try:
            yield form
        finally:
            with self._changing:
                self._running -= 1

    def _chosen(self, now: float) -> T:
        if self._running > 1:
            self._company_until = now + _COMPANY_SECONDS
        if now >= self._company_until:
            return self._wide
        if (make := self._make_narrow) is not None:
            self._make_narrow = None
            threading.Thread(target=self._make, args=(make,), daemon=True).start()
        return self._wide if self._narrow is None else self._narrow

    def _make(self, make: Callable[[], T]) -> None:
        try:
            self._narrow = make()
        except Exception as error:  # it is for speed alone
            sys.stderr.write(f"A model goes on with one form: {error}\n")
