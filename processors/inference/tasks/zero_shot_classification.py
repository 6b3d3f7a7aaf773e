"""Zero-shot classification: which of the labels that the job names a text is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from processors.inference.model import Model
from processors.inference.tasks.scoring import best_line, chosen, labelled, sigmoid
from processors.inference.tasks.task import Asked, Task
from processors.inference.vectors import embed

_TEMPLATE = "This text is about {}."
#: Cosines of a sentence encoder lie close together; these make shares of them. Chosen on sentences of six topics.
_SPREAD = 0.05
_RELATED = 0.25  # the cosine from which on a label rather fits than not, where several may


def _classify(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    wanted = asked.parameters
    labels = list(dict.fromkeys(wanted.labels or ()))
    template = wanted.template or _TEMPLATE
    source = model.used or model
    vectors = embed(source, [template.replace("{}", label) for label in labels])
    cosines = embed(source, texts) @ vectors.T
    if wanted.multi_label:
        scores = sigmoid((cosines - _RELATED) / _SPREAD)
    else:
        scores = np.exp((cosines - cosines.max(1, keepdims=True)) / _SPREAD)
        scores /= scores.sum(1, keepdims=True)
    return [chosen(labelled(labels, row), wanted, usual=None) for row in scores]


TASK = Task("text", _classify, best_line, chunk=64)
