"""Token classification: the names of people, places, amounts and the like in a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from processors.inference.model import Model
from processors.inference.tasks.scoring import rounded
from processors.inference.tasks.task import Asked, Task


def _find(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    given = np.empty(len(texts), dtype=object)
    given[:] = texts
    found = model.run({"text": given}).get("entities")
    if found is None:
        raise model.bad("it gives no entities.")
    least = asked.parameters.threshold or 0
    answers = [json.loads(each) for each in found.tolist()]
    return [
        [{**each, "score": rounded(each["score"])} for each in entities if each["score"] >= least]
        for entities in answers
    ]


def _line(answer: Any) -> str:
    return "; ".join(f"{each['word']} {each['entity_group']}" for each in answer) or "nothing"


TASK = Task("text", _find, _line, chunk=16)
