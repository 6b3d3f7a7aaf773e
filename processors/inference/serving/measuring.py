"""How a model is to be batched, found by running it: done when a model is registered, on inputs that mean nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.frameworks.port import Session, Tensors
from processors.inference.manifest import Batching, Manifest, Tokens
from processors.inference.serving.samples import sample
from processors.inference.serving.together import rows_of
from processors.worker.context import HandlerError

SIZES = (1, 2, 4, 8, 16, 32, 64)  #: inputs in one run
TOKENS = 32  #: length of the texts: two sentences

_RUNS = 5  # of each size; the fastest counts, because whatever else the machine does makes them slower
_ENOUGH_SECONDS = 0.5  # after which a size is not run again
_LONGEST_SECONDS = 2.0  # a run that takes longer keeps others waiting too long: no larger one is tried
_LEAST_GAIN = 1.1  # below that, several at once are not worth it
_AS_GOOD = 1.05  # a smaller size is taken that is so near to the best: it keeps nobody waiting
_DELAY_SHARE = 0.5  # of a single run, that the first waits for others
_LONGEST_DELAY_MS = 10.0
_FIRST_BUCKET = 16  # tokens; each is twice as long as the one before, so that less than half of a text is padding
_TOLERANCE = 0.05  # of the largest number: int8 weights move the last digits with what else is in the batch


@dataclass(frozen=True, slots=True)
class Measured:
    """What several inputs at once take, and what follows from it."""

    seconds: Mapping[int, float]  #: of one run, by how many inputs are in it
    batching: Batching


def measure(session: Session, manifest: Manifest, clock: Callable[[], float] = time.perf_counter) -> Measured | None:
    """Run a loaded model on several inputs at once, and choose the numbers of its manifest.

    It takes a few seconds, and the model for itself alone.

    Returns:
        None where the manifest does not say what the model's inputs look like.

    Raises:
        HandlerError: the model does not run on what its manifest says.
    """
    one = sample(manifest, tokens=TOKENS)
    if one is None:
        return None
    session.run(one)  # the first takes longer
    sizes = SIZES if rows_of(manifest, one) and _answers_row_by_row(session, manifest) else (1,)
    seconds: dict[int, float] = {}
    for size in sizes:
        tensors = sample(manifest, rows=size, tokens=TOKENS)
        assert tensors is not None
        seconds[size] = _fastest(session, tensors, clock)
        if seconds[size] > _LONGEST_SECONDS:
            break
    return Measured(seconds, decide(seconds, manifest))


def decide(seconds: Mapping[int, float], manifest: Manifest) -> Batching:
    """The numbers of a manifest, from what runs of several inputs take. Pure.

    Args:
        seconds: of one run, by how many inputs are in it; of one input at least.
    """
    each = {size: took / size for size, took in seconds.items()}
    best = min(each.values())
    size = min(size for size, took in each.items() if took <= best * _AS_GOOD)
    if each[1] < best * _LEAST_GAIN:
        size = 1
    if size == 1:
        return Batching.model_validate({})
    delay = min(_LONGEST_DELAY_MS, seconds[1] * 1000 * _DELAY_SHARE)
    return Batching(max_size=size, max_delay_ms=round(delay, 1), buckets=_buckets(manifest))


def _buckets(manifest: Manifest) -> list[int]:
    how = manifest.preprocessing
    if not isinstance(how, Tokens):
        return []
    ends = [_FIRST_BUCKET]
    while ends[-1] < how.max_tokens:
        ends.append(min(ends[-1] * 2, how.max_tokens))
    return ends


def _answers_row_by_row(session: Session, manifest: Manifest) -> bool:
    """Whether a model takes two inputs, and gives each what it would have got alone."""
    inputs = [sample(manifest, tokens=TOKENS, value=value) for value in (0, 1)]
    alone = [session.run(each) for each in inputs if each is not None]
    both = {name: np.concatenate([each[name] for each in inputs if each is not None]) for name in inputs[0] or {}}
    try:
        together = session.run(both)
    except HandlerError:
        return False
    return all(
        value.ndim > 0 and value.shape[0] == 2 and all(_agree(value[row], alone[row][name]) for row in (0, 1))
        for name, value in together.items()
    )


def _agree(value: NDArray[Any], wanted: NDArray[Any]) -> bool:
    if wanted.shape[:1] != (1,) or value.shape != wanted.shape[1:]:
        return False
    if value.dtype.kind not in "fiu":
        return bool((value == wanted[0]).all())
    most = float(np.abs(wanted).max(initial=0.0))
    return bool((np.abs(value.astype(np.float64) - wanted[0]) <= _TOLERANCE * most + 1e-6).all())


def _fastest(session: Session, tensors: Tensors, clock: Callable[[], float]) -> float:
    began = clock()
    fastest = float("inf")
    for _ in range(_RUNS):
        start = clock()
        session.run(tensors)
        end = clock()
        fastest = min(fastest, end - start)
        if end - began > _ENOUGH_SECONDS:
            break
    return fastest
