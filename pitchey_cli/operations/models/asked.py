"""Whether the host knows of a reason why jobs of the inference service cannot be as they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.drafts import Draft
from pitchey_cli.operations.models.listing import found
from processors.inference.manifest import TaskName
from processors.inference.steering import problem_with
from processors.specs import InferenceSpec


def refuse_impossible(store: ModelStore, drafts: Sequence[Draft]) -> None:
    """Refuse jobs whose model is not there, or which steer it as it cannot be steered.

    Raises:
        UsageError: names the model, and offers the nearest one, or the parameters that it takes.
    """

    @cache
    def task_of(model: str) -> TaskName | None:
        try:
            listed = found(store, model)
        except InputNotFound as error:
            raise UsageError(str(error), hint=error.hint) from error
        said = listed.manifest or listed.default
        return None if said is None else said.task  # of a damaged manifest an instance says what is wrong

    for each in drafts:
        spec = each.checked
        if not isinstance(spec, InferenceSpec):
            continue
        with each.blamed():
            task = task_of(spec.model)
            if task is None or spec.measure:
                continue
            if problem := problem_with(spec.model, task, spec.parameters):
                raise UsageError(problem.message, hint=problem.hint)
