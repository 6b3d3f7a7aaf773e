"""Token classification: the names of people, places, amounts and the like in a text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from processors.inference.model import Model
from processors.inference.sentences import parts
from processors.inference.tasks.scoring import rounded
from processors.inference.tasks.task import Asked, Task

#: characters that are looked at together. spaCy takes a million at most, and its memory grows with them; between two
#: such parts others have their turn, and it is noticed when nobody waits any more
_PART_CHARS = 20_000
_AT_ONCE = 8  # parts in one request


def _find(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    least = asked.parameters.threshold or 0
    places = [(number, *part) for number, text in enumerate(texts) for part in parts(text, _PART_CHARS)]
    answers: list[list[dict[str, Any]]] = [[] for _ in texts]
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        for (number, begin, _), entities in zip(some, _entities(model, texts, some), strict=True):
            answers[number] += [
                {
                    **each,
                    "score": rounded(each["score"]),
                    "start": begin + each["start"],
                    "end": begin + each["end"],
                }
                for each in entities
                if each["score"] >= least
            ]
    return answers


def _entities(model: Model, texts: Sequence[str], places: Sequence[tuple[int, int, int]]) -> list[Any]:
    """Those of parts of texts: which text, and from where to where."""
    given = np.empty(len(places), dtype=object)
    given[:] = [texts[number][begin:end] for number, begin, end in places]
    found = model.run({"text": given}).get("entities")
    if found is None:
        raise model.bad("it gives no entities.")
    return [json.loads(each) for each in found.tolist()]


def _line(answer: Any) -> str:
    return "; ".join(f"{each['word']} {each['entity_group']}" for each in answer) or "nothing"


TASK = Task("text", _find, _line, chunk=16)
