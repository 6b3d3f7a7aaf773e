"""Text classification, and moderation of texts: which label a text has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Embedded, Scores, Strings, Tokens, Words
from processors.inference.model import Model
from processors.inference.tasks.scoring import (
    best_line,
    chosen,
    labelled,
    moderated,
    scores_of,
    verdict_line,
    with_neutral,
)
from processors.inference.tasks.task import Asked, Task
from processors.inference.tokens import batches
from processors.inference.vectors import embed
from processors.inference.words import counts, vocabulary


def _classify(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    scores, how = _scores(model, texts)
    return [chosen(with_neutral(labelled(model.labels, row), how), asked.parameters, usual=None) for row in scores]


def _moderate(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    scores, how = _scores(model, texts)
    return [moderated(model, labelled(model.labels, row), how, asked.parameters) for row in scores]


def _scores(model: Model, texts: Sequence[str]) -> tuple[NDArray[Any], Scores]:
    match model.manifest.preprocessing:
        case Embedded(input=name) if model.used is not None:
            return scores_of(model, model.run({name: embed(model.used, texts)}))
        case Strings(input=name):
            given = np.empty((len(texts), 1), dtype=object)
            given[:, 0] = texts
            return scores_of(model, model.run({name: given}))
        case Words(input=name) as how:
            return scores_of(model, model.run({name: counts(texts, how, vocabulary(model.entry, how))}))
        case Tokens() as how:
            rows: list[NDArray[Any]] = [np.zeros(0)] * len(texts)
            for places, tensors in batches(model, how, texts):
                values, wanted = scores_of(model, model.run(tensors))
                for place, row in zip(places, values, strict=True):
                    rows[place] = row
            return np.stack(rows), wanted
        case _:
            raise model.bad("a classifier of texts has the preprocessing tokens, words, strings or embedding.")


TASK = Task("text", _classify, best_line, is_by_itself=True, chunk=64)
MODERATION = Task("text", _moderate, verdict_line, is_by_itself=True, chunk=64)
