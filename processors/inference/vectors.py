"""Texts as vectors whose directions say what the texts are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import MASK, Pooling, Tokens
from processors.inference.model import Model
from processors.inference.tokens import batches
from processors.worker.context import Rejected

_SHOWN = 40  # characters of a text, in a message
_MOST_WINDOWS = 64  # of one text: 16,000 tokens of a model that takes 256


def embed(model: Model, texts: Sequence[str]) -> NDArray[Any]:
    """float32 [texts, dimensions]; of length 1 where the manifest says so. A long text is the mean of its pieces.

    Raises:
        ModelError: the model is none that makes vectors of texts.
    """
    runs = model.runs
    how, pooling = runs.manifest.preprocessing, runs.manifest.postprocessing
    if not isinstance(how, Tokens) or not isinstance(pooling, Pooling):
        raise model.bad("it makes no vectors of texts: preprocessing is to be tokens, and postprocessing pooling.")
    sums: list[Any] = [0.0] * len(texts)
    weights = np.zeros(len(texts), np.float32)
    for places, tensors in batches(runs, how, texts, most_windows=_MOST_WINDOWS):
        outputs = runs.session.run(tensors, [pooling.output] if pooling.output else [])
        hidden = next(iter(outputs.values())).astype(np.float32, copy=False)
        mask = tensors[MASK][..., None].astype(np.float32)
        counts = np.maximum(mask.sum(1), 1e-9)
        vectors = hidden if hidden.ndim == 2 else (hidden * mask).sum(1) / counts
        for place, vector, count in zip(places, vectors, counts, strict=True):
            sums[place] = sums[place] + vector * count  # the windows of a long text count by how much is in them
            weights[place] += float(count[0])
    if (empty := np.flatnonzero(weights == 0)).size:
        message = f"The text {texts[empty[0]][:_SHOWN]!r} has nothing in it that {runs.manifest.name} knows."
        raise Rejected("empty_text", message)
    found = np.stack(sums) / weights[:, None] if len(texts) else np.zeros((0, 0))
    runs.finite(found, "its vectors")
    if pooling.normalise:
        found = found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-12)
    return found.astype(np.float32, copy=False)
