"""Recommendation, as two kinds of job: one fits tables to interactions, the other asks them what a user may like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.model import Model
from processors.inference.recommending.als import alternating
from processors.inference.recommending.fitting import Factorise, fit
from processors.inference.recommending.interactions import Interactions, read
from processors.inference.tasks.scoring import rounded
from processors.inference.tasks.task import Asked, Task

_USUAL = 10  # items


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit has made."""

    tensors: Mapping[str, NDArray[Any]]
    users: int
    items: int
    interactions: int
    described: int  #: items of which something is said


def _fit(model: Model, inputs: Sequence[list[tuple[str, Path]]], asked: Asked) -> list[Fitted]:
    del model
    factorise = alternating if asked.parameters.method == "als" else None
    return [_fitted(read(files), factorise) for files in inputs]


def _fitted(found: Interactions, factorise: Factorise | None) -> Fitted:
    tensors = fit(found, factorise=factorise)
    return Fitted(tensors, len(found.users), len(found.items), len(found.rows), len(found.texts))


def _document(fitted: Fitted) -> dict[str, Any]:
    return {
        "users": fitted.users,
        "items": fitted.items,
        "interactions": fitted.interactions,
        "describedItems": fitted.described,
    }


def _fit_line(fitted: Fitted) -> str:
    return f"{fitted.users} users, {fitted.items} items, {fitted.interactions} interactions"


def _tables(answers: Sequence[Fitted]) -> Mapping[str, NDArray[Any]]:
    return answers[0].tensors


def _recommend(model: Model, users: Sequence[str], asked: Asked) -> list[Any]:
    wanted = asked.parameters
    tensors: dict[str, NDArray[Any]] = {
        "users": np.array([user.strip() for user in users], object),
        "count": np.array(wanted.top_k or _USUAL, np.int64),
    }
    if wanted.liked:
        tensors["liked"] = np.array(wanted.liked, object)
    outputs = model.run(tensors)
    least = wanted.threshold or 0.0
    return [
        [{"item": item, "score": rounded(score)} for item, score in zip(*row, strict=True) if item and score >= least]
        for row in zip(outputs["items"].tolist(), outputs["scores"].tolist(), strict=True)
    ]


def _line(answer: Any) -> str:
    return "; ".join(f"{each['item']} {each['score']:.3f}" for each in answer) or "nothing"


FIT = Task("files", _fit, _fit_line, as_tensors=_tables, as_document=_document, chunk=1)
TASK = Task("text", _recommend, _line, chunk=64)
