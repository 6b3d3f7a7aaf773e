"""Image classification, and moderation of pictures: which label a picture has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from processors.inference.manifest import Picture, Scores
from processors.inference.model import Model
from processors.inference.pictures import tensor
from processors.inference.tasks.scoring import chosen, labelled, labels_line, moderated, scores_of, verdict_line
from processors.inference.tasks.task import Asked, Task

_USUAL = 5  # labels, as Hugging Face's pipeline gives


def _classify(model: Model, pictures: Sequence[Image.Image], asked: Asked) -> list[Any]:
    scores, _ = _scores(model, pictures)
    return [chosen(labelled(model.labels, row), asked.parameters, usual=_USUAL) for row in scores]


def _moderate(model: Model, pictures: Sequence[Image.Image], asked: Asked) -> list[Any]:
    scores, how = _scores(model, pictures)
    return [moderated(model, labelled(model.labels, row), how, asked.parameters) for row in scores]


def _scores(model: Model, pictures: Sequence[Image.Image]) -> tuple[NDArray[Any], Scores]:
    how = model.runs.manifest.preprocessing
    if not isinstance(how, Picture):
        raise model.bad("a classifier of pictures has the preprocessing picture.")
    return scores_of(model, model.run({how.input: tensor(pictures, how)}))


TASK = Task("picture", _classify, labels_line, chunk=4)
MODERATION = Task("picture", _moderate, verdict_line, chunk=4)
