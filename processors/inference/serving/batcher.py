"""A Session around a Session that runs what several jobs want of a model at once.

Every job's thread calls `run` and waits there; one of them runs the model for all that are alike. Who is alone is run
at once. While the model is busy the others gather, and when it is free, those that came first go, with all that are
like them; who has waited less than the manifest's delay by then waits for more to come. What may be run at once is
decided in together.py.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from processors.inference.frameworks.port import Session, Tensors
from processors.inference.manifest import Manifest
from processors.inference.serving.together import (
    Request,
    Shape,
    chosen,
    joined,
    length_of,
    likeness,
    parted,
    rows_of,
)
from processors.worker.beside import MOST_AT_ONCE

Outputs = dict[str, NDArray[Any]]


@dataclass(slots=True)
class _Ending:
    """What a request has come to."""

    outputs: Outputs | None = None
    error: BaseException | None = None


class Batcher:
    """Runs what several callers want at once."""

    def __init__(self, inner: Session, manifest: Manifest, clock: Callable[[], float] = time.monotonic) -> None:
        self.device = inner.device
        self._inner = inner
        self._manifest = manifest
        self._batching = manifest.batching
        self._shape = Shape.of(manifest)
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: list[Request] = []
        self._endings: dict[int, _Ending] = {}  # by the id of the request
        self._is_running = False
        self._is_apart = False  # its outputs have shown that it cannot take several at once

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> Outputs:
        """Compute outputs, perhaps together with others'; not of who brings most of the gain along."""
        rows = rows_of(self._manifest, tensors)
        most = min(self._batching.max_size, MOST_AT_ONCE)  # larger ones come from bulk alone
        if self._is_apart or not rows or (rows > 1 and 2 * rows >= most):
            return self._inner.run(tensors, outputs)
        length = length_of(self._shape, tensors)
        like = likeness(tensors, outputs, length, self._batching.buckets)
        with self._changed:
            has_company = self._is_running or bool(self._waiting)
            request = Request(tensors, tuple(outputs), like, rows, length, self._clock(), may_wait=has_company)
            self._waiting.append(request)
            self._changed.notify_all()  # whoever waits for more may have it now
            together = self._turn(request)
        if together is not None:
            self._run_all(together)
        with self._changed:
            ending = self._endings.pop(id(request))
        if ending.error is not None:
            raise ending.error
        assert ending.outputs is not None
        return ending.outputs

    def close(self) -> None:
        """Let go of the model's memory."""
        self._inner.close()

    def _turn(self, request: Request) -> list[Request] | None:
        """Wait until a request is done, or until its caller is to run it, with those that come along."""
        while id(request) not in self._endings:
            seconds: float | None = None
            if not self._is_running and self._waiting:
                found = chosen(self._waiting, self._batching, now=self._clock())
                if isinstance(found, float):
                    seconds = found
                elif any(each is request for each in found):
                    taken = {id(each) for each in found}
                    self._waiting = [each for each in self._waiting if id(each) not in taken]
                    self._is_running = True
                    return found
            self._changed.wait(seconds)
        return None

    def _run_all(self, requests: list[Request]) -> None:
        """Run requests at once; each by itself where that does not go, so that none fails for another."""
        endings: list[_Ending] | None = None
        try:
            if len(requests) > 1:
                endings = self._at_once(requests)
            if endings is None:
                endings = [self._alone(each) for each in requests]
        finally:
            with self._changed:
                self._is_running = False
                lost = _Ending(error=RuntimeError("the run of a batch was broken off"))
                for number, each in enumerate(requests):
                    self._endings[id(each)] = lost if endings is None else endings[number]
                self._changed.notify_all()

    def _at_once(self, requests: list[Request]) -> list[_Ending] | None:
        try:
            outputs = self._inner.run(joined(requests), requests[0].outputs)
        except Exception:  # one of them is to blame, or all together are too large
            return None
        parts = parted(outputs, requests, self._shape)
        if parts is None:
            self._is_apart = True
            return None
        return [_Ending(each) for each in parts]

    def _alone(self, request: Request) -> _Ending:
        try:
            return _Ending(self._inner.run(request.tensors, request.outputs))
        except Exception as error:
            return _Ending(error=error)
