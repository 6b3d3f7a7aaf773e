"""Texts as vectors whose directions say what the texts are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Pooling, Tokens
from processors.inference.model import Model
from processors.inference.tokens import batches


def embed(model: Model, texts: Sequence[str]) -> NDArray[Any]:
    """float32 [texts, dimensions]; of length 1 where the manifest says so.

    Raises:
        ModelError: the model is none that makes vectors of texts.
    """
    runs = model.runs
    how, pooling = runs.manifest.preprocessing, runs.manifest.postprocessing
    if not isinstance(how, Tokens) or not isinstance(pooling, Pooling):
        raise model.bad("it makes no vectors of texts: preprocessing is to be tokens, and postprocessing pooling.")
    found: list[NDArray[Any] | None] = [None] * len(texts)
    for places, tensors in batches(runs, how, texts):
        outputs = runs.session.run(tensors, [pooling.output] if pooling.output else [])
        hidden = next(iter(outputs.values())).astype(np.float32, copy=False)
        mask = tensors["attention_mask"][..., None].astype(np.float32)
        vectors = hidden if hidden.ndim == 2 else (hidden * mask).sum(1) / np.maximum(mask.sum(1), 1e-9)
        if pooling.normalise:
            vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
        for place, vector in zip(places, vectors, strict=True):
            found[place] = vector
    return np.stack([each for each in found if each is not None]) if texts else np.zeros((0, 0), np.float32)
