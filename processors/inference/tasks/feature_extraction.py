"""Feature extraction: a text as a vector, to be compared with others by their product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.model import Model
from processors.inference.tasks.task import Asked, Task
from processors.inference.vectors import embed


def _embed(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    del asked
    return list(embed(model, texts))


def vector_line(answer: Any) -> str:
    """The numbers, with blanks between."""
    return " ".join(f"{value:.6g}" for value in np.asarray(answer).tolist())


def stacked(answers: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """[inputs, dimensions]."""
    return {"embeddings": np.stack(answers).astype(np.float32, copy=False)}


TASK = Task("text", _embed, vector_line, as_tensors=stacked, is_always_list=True, is_by_itself=True, chunk=64)
