"""Numbers of a model as labels with scores, as classification of texts and of pictures have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Scores
from processors.inference.model import Model
from processors.specs.inference import InferenceParameters

_DIGITS = 6


def scores_of(model: Model, outputs: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], Scores]:
    """float32 [inputs, labels] from 0 to 1, and how the manifest wants them.

    Raises:
        ModelError: the model gives other numbers than the manifest has labels.
    """
    how = model.manifest.postprocessing
    if not isinstance(how, Scores):
        raise model.bad("a classifier has the postprocessing scores.")
    values = outputs[how.output] if how.output else next(iter(outputs.values()))
    values = values.reshape(len(values), -1).astype(np.float32)
    if len(model.labels) == 2 and values.shape[1] == 1 and how.activation == "sigmoid":
        values = model.finite(sigmoid(values), "its scores")
        return np.concatenate([1 - values, values], axis=1), how
    if values.shape[1] != len(model.labels):
        raise model.bad(f"it gives {values.shape[1]} scores, and there are {len(model.labels)} labels.")
    if how.activation == "softmax":
        values = np.exp(values - values.max(1, keepdims=True))
        values /= values.sum(1, keepdims=True)
    elif how.activation == "sigmoid":
        values = sigmoid(values)
    return model.finite(values, "its scores"), how


def sigmoid(values: NDArray[Any]) -> NDArray[Any]:
    """Each number as a share from 0 to 1; without an overflow on the way, however far from 0 it is."""
    shares: NDArray[Any] = np.exp(-np.logaddexp(0, -values))
    return shares


def labelled(labels: Sequence[str], scores: NDArray[Any]) -> list[dict[str, Any]]:
    """Labels with scores, the likeliest first."""
    order = np.argsort(-scores, kind="stable")
    return [{"label": labels[place], "score": rounded(scores[place])} for place in order]


def with_neutral(found: list[dict[str, Any]], how: Scores) -> list[dict[str, Any]]:
    """Add the label that says that none of the others is sure enough; of a manifest that has one.

    It is always there, so that answers have one shape: with 0 where the best is sure enough. Below that it comes first,
    with 1 for a best that is no better than chance, and a half for one that is nearly sure enough; the others share the
    rest, so that all scores still make what they made.
    """
    if how.neutral_below is None:
        return found
    best = found[0]["score"]
    if best >= how.neutral_below:
        return [*found, {"label": how.neutral_label, "score": 0.0}]
    chance = 1 / len(found) if how.neutral_below > 1 / len(found) else 0.0
    surety = max(0.0, best - chance) / (how.neutral_below - chance)
    undecided = rounded(1 - surety / 2)
    rest = [{**each, "score": rounded(each["score"] * (1 - undecided))} for each in found]
    return [{"label": how.neutral_label, "score": undecided}, *rest]


def chosen(found: list[dict[str, Any]], parameters: InferenceParameters, *, usual: int | None) -> list[dict[str, Any]]:
    """As many as were asked for, and as sure."""
    found = found[: parameters.top_k or usual]
    return [each for each in found if each["score"] >= (parameters.threshold or 0)]


def moderated(
    model: Model, found: list[dict[str, Any]], how: Scores, parameters: InferenceParameters
) -> dict[str, Any]:
    """Whether there is a reason to object, and how sure each label is.

    Raises:
        ModelError: the manifest names no label that is one, so nothing would ever be objected to.
    """
    if not how.flag:
        raise model.bad("postprocessing.flag does not say which of its labels are a reason to object.")
    least = how.flag_from if parameters.threshold is None else parameters.threshold
    flagged = any(each["label"] in how.flag and each["score"] >= least for each in found)
    return {"flagged": flagged, "categories": found}


def rounded(value: Any) -> float:
    """A score without digits that mean nothing."""
    return round(float(value), _DIGITS)


def labels_line(answer: Any) -> str:
    """`tabby 0.98; tiger cat 0.01`, the likeliest first."""
    return "; ".join(f"{each['label']} {each['score']:.3f}" for each in answer) or "nothing"


def best_line(answer: Any) -> str:
    """The likeliest alone."""
    return labels_line(answer[:1])


def verdict_line(answer: Any) -> str:
    """`flagged` or `fine`, with the scores."""
    scores = ", ".join(f"{each['label']} {each['score']:.3f}" for each in answer["categories"])
    return f"{'flagged' if answer['flagged'] else 'fine'} ({scores})"
