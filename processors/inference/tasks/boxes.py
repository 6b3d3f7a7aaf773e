"""What a detector gives, in whichever form: boxes, the best score of each, and its class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Boxes, Yolo
from processors.inference.model import Model
from processors.inference.tasks.scoring import sigmoid

_SIDES = 4


@dataclass(frozen=True, slots=True)
class Found:
    """Boxes as the model gives them; nothing is left out yet."""

    boxes: NDArray[Any]  #: float64 [boxes, 4]
    scores: NDArray[Any]  #: float32 [boxes]
    classes: NDArray[Any]  #: int64 [boxes]


def outputs_of(how: Boxes | Yolo) -> list[str]:
    """The outputs that are needed; none: all of them."""
    named = (how.boxes, how.scores, how.classes) if isinstance(how, Boxes) else (how.output,)
    return [each for each in named if each is not None]


def read(model: Model, outputs: dict[str, NDArray[Any]], how: Boxes | Yolo) -> Found:
    """Read the outputs of one picture.

    Raises:
        ModelError: they do not fit together, or with the labels.
        NotFinite: a score is none.
    """
    found = _apart(model, outputs, how) if isinstance(how, Boxes) else _in_one(model, outputs, how)
    where = how.scores if isinstance(how, Boxes) else how.output or next(iter(outputs))
    model.finite(found.scores, f"the scores of its output {where}")
    return found


def _apart(model: Model, outputs: dict[str, NDArray[Any]], how: Boxes) -> Found:
    """Boxes in one output, scores in another."""
    boxes = outputs[how.boxes].reshape(-1, _SIDES).astype(np.float64)
    scores, count = outputs[how.scores].astype(np.float32), len(boxes)
    if how.classes is not None:
        scores, classes = scores.reshape(-1), outputs[how.classes].reshape(-1).astype(np.int64)
        if not len(scores) == len(classes) == count:
            raise model.bad(f"it gives {count} boxes, {len(scores)} scores and {len(classes)} classes.")
        return Found(boxes, scores, classes)
    if scores.size != count * len(model.labels):
        raise model.bad(f"it gives {count} boxes and {scores.size} scores, and there are {len(model.labels)} labels.")
    return _best(boxes, scores.reshape(count, len(model.labels)))


def _in_one(model: Model, outputs: dict[str, NDArray[Any]], how: Yolo) -> Found:
    """A box with all that is said of it is a row, or a column, of one table."""
    table = outputs[how.output] if how.output else next(iter(outputs.values()))
    if table.ndim == 3 and len(table) == 1:
        table = table[0]
    if table.ndim != 2:
        raise model.bad(f"postprocessing yolo reads a table, and the output is one of {[*table.shape]}.")
    table = table.T if how.layout == "columns" else table
    wanted = how.wanted(len(model.labels))
    if table.shape[1] != wanted:
        raise model.bad(
            f"it gives {table.shape[1]} numbers for each box, and {how.numbers} with {len(model.labels)} labels are"
            f" {wanted}: postprocessing.numbers, layout or the labels are others."
        )
    boxes, rest = table[:, :_SIDES].astype(np.float64), table[:, _SIDES:].astype(np.float32)
    if how.numbers == "best-class":
        scores = rest[:, 0] if how.activation == "none" else sigmoid(rest[:, 0])
        return Found(boxes, scores, rest[:, 1].astype(np.int64))
    shares = rest if how.activation == "none" else sigmoid(rest)
    return _best(boxes, shares if how.numbers == "classes" else shares[:, :1] * shares[:, 1:])


def _best(boxes: NDArray[Any], scores: NDArray[Any]) -> Found:
    return Found(boxes, scores.max(1, initial=0), scores.argmax(1))
