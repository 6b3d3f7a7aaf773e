"""Which parameters of a job steer which task. Pure: the host says before the queue what an instance says after it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from processors.inference.manifest import TaskName
from processors.specs.inference import InferenceParameters

_WRITING = frozenset({"temperature", "max_tokens", "seed"})

#: in snake_case; a task that is not here takes none
STEERED_BY: Mapping[TaskName, frozenset[str]] = {
    "text-classification": frozenset({"threshold", "top_k"}),
    "text-moderation": frozenset({"threshold"}),
    "zero-shot-classification": frozenset({"labels", "template", "multi_label", "threshold", "top_k"}),
    "token-classification": frozenset({"threshold"}),
    "summarization": frozenset({"sentences", "style"}) | _WRITING,
    "text-generation": frozenset({"top_k", "top_p", "stop", "system"}) | _WRITING,
    "image-classification": frozenset({"threshold", "top_k"}),
    "image-moderation": frozenset({"threshold"}),
    "object-detection": frozenset({"threshold", "top_k"}),
    "recommendation": frozenset({"top_k", "threshold", "liked"}),
    "recommendation-fit": frozenset({"method"}),
}


class Problem(NamedTuple):
    """Why a job of a task cannot be done as it is asked for."""

    code: str
    message: str
    hint: str


def problem_with(model: str, task: TaskName, parameters: InferenceParameters) -> Problem | None:
    """What is wrong with parameters for a model of a task: it has no use for one, or lacks one; None: nothing.

    Args:
        model: as the job calls it.
    """
    takes = STEERED_BY.get(task, frozenset())
    fields = type(parameters).model_fields.items()
    given = [name for name, field in fields if getattr(parameters, name) != field.default]
    if wrong := next((name for name in given if name not in takes), None):
        every = ", ".join(parameters.spelled(name) for name in sorted(takes))
        message = f"{model} has no use for the parameter {parameters.spelled(wrong)}."
        return Problem("unknown_parameter", message, f"It takes {every}." if takes else "It takes no parameters.")
    if task == "zero-shot-classification" and not parameters.labels:
        return Problem(
            "labels_missing", f"{model} needs labels to choose between.", "--labels sports,politics names two."
        )
    return None
