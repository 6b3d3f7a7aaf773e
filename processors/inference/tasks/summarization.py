"""Summaries: the sentences of a text that say most of it, or new ones that a language model writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.frameworks.port import Prompt
from processors.inference.model import Model
from processors.inference.sentences import statements
from processors.inference.tasks.task import Asked, Task
from processors.inference.tasks.text_generation import write
from processors.inference.vectors import embed
from processors.worker.context import Rejected

_USUAL_SENTENCES = 3
_USUAL_TOKENS = 120
_RELEVANCE = 0.7  # against novelty; J. Carbonell, J. Goldstein, "The Use of MMR" (1998), who found 0.7 for short ones
_LEAD = 0.25  # what the first sentence is worth more: reports begin with what matters; half of it for the second, ...
_ORDER = "Summarize the following text in {} short sentences. Use only what the text says.\n\n{}"


def _summarise(model: Model, texts: Sequence[str], asked: Asked) -> list[Any]:
    wanted = asked.parameters
    if wanted.style == "abstractive":
        return [_written(model, text, asked) for text in texts]
    unused = [name for name in ("temperature", "max_tokens", "seed") if getattr(wanted, name) is not None]
    if unused:
        message = (
            f"{wanted.spelled(unused[0])} steers the writing of sentences, and this summary takes those of the text."
        )
        raise Rejected("unknown_parameter", message, "--style abstractive writes new ones.")
    return [_taken(model, text, wanted.sentences or _USUAL_SENTENCES) for text in texts]


def _taken(model: Model, text: str, count: int) -> dict[str, Any]:
    parts = statements(text)
    if len(parts) <= count:
        return {"summary_text": " ".join(parts)}
    vectors = embed(model.used or model, parts)
    places = sorted(most_telling(vectors, count))
    return {"summary_text": " ".join(parts[place] for place in places)}


def most_telling(vectors: NDArray[Any], count: int) -> list[int]:
    """The places of the vectors that are nearest to the middle of all, and not near to each other.

    Args:
        vectors: [sentences, dimensions], each of length 1.
    """
    middle = vectors.mean(0)
    relevance = vectors @ (middle / max(float(np.linalg.norm(middle)), 1e-9))
    relevance = relevance + _LEAD / (1 + np.arange(len(vectors)))
    places: list[int] = []
    told: NDArray[Any] = np.zeros(len(vectors))  # how near each is to the nearest of those that are chosen
    while len(places) < min(count, len(vectors)):
        worth = _RELEVANCE * relevance - (1 - _RELEVANCE) * told
        worth[places] = -np.inf
        places.append(int(np.argmax(worth)))
        near = vectors @ vectors[places[-1]]
        told = near if len(places) == 1 else np.maximum(told, near)
    return places


def _written(model: Model, text: str, asked: Asked) -> dict[str, Any]:
    if model.writer is None:
        raise model.bad("it names nothing in writesWith, so it takes sentences and writes none.")
    wanted = asked.parameters
    prompt = Prompt(
        messages=[{"role": "user", "content": _ORDER.format(wanted.sentences or _USUAL_SENTENCES, text.strip())}],
        max_tokens=wanted.max_tokens or _USUAL_TOKENS,
        temperature=wanted.temperature or 0.0,
        seed=wanted.seed,
    )
    return {"summary_text": write(model.writer, prompt, asked)[0].strip()}


def _text(answer: Any) -> str:
    return str(answer["summary_text"])


TASK = Task("text", _summarise, _text, chunk=1)
