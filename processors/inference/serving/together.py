"""Which requests to one model may be run at once, how they become one, and how its answer becomes theirs. Pure.

Requests are alike when they ask for the same outputs and have the same tensors but for their rows. Of a model that
takes tokens they may also differ in length, up to the ends of the manifest's buckets: the shorter ones get tokens that
their masks hide, as within one job (tokens.py).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.frameworks.port import Tensors
from processors.inference.manifest import MASK, Batching, Manifest, Tokens


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model's manifest says of how its tensors lie."""

    is_padded: bool = False  #: it has a mask, so what is added at the end of a text changes nothing
    with_lengths: frozenset[str] = frozenset()  #: outputs that are as long as the inputs, [rows, length, ...]

    @classmethod
    def of(cls, manifest: Manifest) -> Shape:
        """By its inputs and outputs."""
        long = {each.name for each in manifest.outputs if len(each.shape) > 1 and each.shape[1] == -1}
        # Without outputs nothing is known of what would have to be cut again; what has no mask takes what is added for
        # a part of the text.
        is_padded = isinstance(manifest.preprocessing, Tokens) and bool(manifest.outputs) and manifest.has_mask
        return cls(is_padded, frozenset(long))


@dataclass(frozen=True, slots=True)
class Request:
    """What one caller wants."""

    tensors: Tensors
    outputs: tuple[str, ...]
    likeness: Hashable  #: those with the same one may be run at once
    rows: int
    length: int | None = None  #: in tokens, where it may be padded
    at: float = 0.0  #: when it came, in seconds
    may_wait: bool = True  #: others were there when it came, so more may come


def rows_of(manifest: Manifest, tensors: Tensors) -> int | None:
    """How many rows a request has; None where it cannot be run with others."""
    if any(not each.shape or each.shape[0] != -1 for each in manifest.inputs):
        return None  # a model for one input at a time
    counts = {value.shape[0] if value.ndim else None for value in tensors.values()}
    return counts.pop() if len(counts) == 1 else None


def length_of(shape: Shape, tensors: Tensors) -> int | None:
    """How many tokens a request has; None where its length has to stay."""
    sizes = {value.shape for value in tensors.values()}
    if not shape.is_padded or MASK not in tensors or len(sizes) != 1:
        return None
    (size,) = sizes
    return size[1] if len(size) == 2 else None


def likeness(tensors: Tensors, outputs: Sequence[str], length: int | None, buckets: Sequence[int]) -> Hashable:
    """What two requests must have in common to be run at once."""
    bucket = length if length is None else next((end for end in sorted(buckets) if length <= end), length)
    parts = ((name, value.dtype.str, value.shape[1:] if length is None else None) for name, value in tensors.items())
    return (tuple(sorted(parts, key=lambda part: part[0])), tuple(outputs), bucket)


def chosen(waiting: Sequence[Request], batching: Batching, *, now: float) -> list[Request] | float:
    """Which of those that wait are run next, when the model is free; or the seconds to wait for more.

    Who came first is always among them, so nobody is passed over for ever. Those like it are added in the order in
    which they came, until one does not fit.

    Args:
        waiting: at least one, in the order in which they came.
    """
    first = waiting[0]
    found: list[Request] = []
    rows, is_full = 0, False
    for each in waiting:
        if each.likeness != first.likeness:
            continue
        if found and rows + each.rows > batching.max_size:
            is_full = True
            break
        found.append(each)
        rows += each.rows
    left = first.at + batching.max_delay_ms / 1000 - now
    if is_full or rows >= batching.max_size or not first.may_wait or left <= 0:
        return found
    return left


def joined(requests: Sequence[Request]) -> Tensors:
    """The tensors of several requests that are alike, one below the other."""
    if len(requests) == 1:
        return requests[0].tensors
    longest = max((each.length or 0 for each in requests), default=0)
    names = requests[0].tensors
    return {name: np.concatenate([_padded(each.tensors[name], each.length, longest) for each in requests])
            for name in names}  # fmt: skip


def parted(
    outputs: dict[str, NDArray[Any]], requests: Sequence[Request], shape: Shape
) -> list[dict[str, NDArray[Any]]] | None:
    """To each request what is its own; None where an output does not have a row for each of theirs."""
    total = sum(each.rows for each in requests)
    if any(value.ndim == 0 or value.shape[0] != total for value in outputs.values()):
        return None
    found: list[dict[str, NDArray[Any]]] = []
    start = 0
    for each in requests:
        own = {name: value[start : start + each.rows] for name, value in outputs.items()}
        if each.length is not None:
            own = {name: value[:, : each.length] if name in shape.with_lengths else value
                   for name, value in own.items()}  # fmt: skip
        found.append(own)
        start += each.rows
    return found


def _padded(value: NDArray[Any], length: int | None, longest: int) -> NDArray[Any]:
    if length is None or length == longest:
        return value
    return np.pad(value, ((0, 0), (0, longest - length)))
