"""Inputs that mean nothing but have the shape that a model's manifest says: to warm it up, and to measure it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Manifest, Picture, TensorShape, Tokens

_TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # as tokens.py makes them
_ONES = frozenset({"attention_mask"})  # zeros would hide the whole text


def sample(manifest: Manifest, *, rows: int = 1, tokens: int = 16, value: int = 0) -> dict[str, NDArray[Any]] | None:
    """Tensors for one run; None where the manifest does not say enough.

    Args:
        rows: of models that take several inputs at once.
        tokens: the length of each text.
        value: that all numbers have.
    """
    how = manifest.preprocessing
    shapes: Sequence[TensorShape] = manifest.inputs
    if not shapes and isinstance(how, Tokens):
        shapes = [TensorShape(name=name, dtype="int64", shape=[-1, -1]) for name in _TOKEN_INPUTS]
    if not shapes and isinstance(how, Picture):
        sides = [how.height, how.width]
        plane = [how.colours, *sides] if how.layout == "nchw" else [*sides, how.colours]
        shapes = [TensorShape(name=how.input, dtype=how.dtype, shape=[-1, *plane])]
    found: dict[str, NDArray[Any]] = {}
    for each in shapes:
        size = _size(each, rows, min(tokens, how.max_tokens) if isinstance(how, Tokens) else None)
        if size is None:
            return None
        if each.dtype == "string":
            found[each.name] = np.full(size, f"warm {value}", dtype=object)
        else:
            found[each.name] = np.full(size, 1 if each.name in _ONES else value, dtype=each.dtype)
    return found or None


def _size(shape: TensorShape, rows: int, length: int | None) -> list[int] | None:
    """Every length that is left open needs a number; None where there is none."""
    size: list[int] = []
    for axis, each in enumerate(shape.shape):
        if each == -1:
            if axis and length is None:
                return None
            size.append(rows if axis == 0 else length or 1)
        else:
            size.append(each)
    return size
