"""From a spec to its answers: which model, which task, how its inputs go in, and what is said of the run."""

from __future__ import annotations

import json
import time
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from processors.inference.errors import ModelError, NotFinite
from processors.inference.inputs import Inputs, inputs_of
from processors.inference.manifest import Manifest
from processors.inference.model import Model, open_model
from processors.inference.outputs import as_text, write_lines, write_tensors
from processors.inference.repository import Repository
from processors.inference.serving.remote import Companion
from processors.inference.steering import problem_with
from processors.inference.tasks.registry import served, task_named
from processors.inference.tasks.task import Asked, Task
from processors.protocol import AttemptRequest, Result
from processors.specs import InferenceSpec
from processors.worker.context import Context, Rejected

_TEXT = ("inputData", "input_data")  # the field of a spec, in both its spellings


def result(context: Context[InferenceSpec], repository: Repository, companion: Companion) -> Result:
    """Do the work with a companion, and say what came of it.

    Raises:
        Rejected: the model, its input or its parameters can never work.
    """
    with _said_as_rejections():
        return perform(context, repository, companion)


@contextmanager
def _said_as_rejections() -> Iterator[None]:
    try:
        yield
    except ModelError as error:
        raise Rejected(error.code, error.message, error.hint) from error


def perform(context: Context[InferenceSpec], repository: Repository, companion: Companion) -> Result:
    """Do the work with a companion.

    Raises:
        ModelError: the model can never work.
        Rejected: its input or its parameters cannot.
    """
    started = time.monotonic()
    spec = context.spec
    context.progress("load", 0.0)
    model = open_model(repository, companion, spec.model)
    if spec.measure:
        return _measured(model.runs.manifest, companion)
    task = _task_of(model)
    if problem := problem_with(spec.model, model.manifest.task, spec.parameters):
        raise Rejected(*problem)
    inputs = inputs_of(context, task.takes)
    parts = _answers(context, model, task, inputs)
    if inputs.is_bulk and spec.output_format != "binary":
        context.out.mkdir(parents=True, exist_ok=True)
        name, media_type = write_lines(context.out, spec.output_format, task, parts)
        envelope = _envelope(model, companion, inputs, time.monotonic() - started)
        output = context.output(name, media_type=media_type, role="answer", details={"format": spec.output_format})
        found = Result(outputs=[output], details=envelope)
    else:
        answers = [answer for _, some in parts for answer in some]
        envelope = _envelope(model, companion, inputs, time.monotonic() - started)
        found = _told(context, task, inputs, answers, envelope)
    context.progress("done", 1.0)
    return found


def likeness(request: AttemptRequest) -> Hashable:
    """What two short attempts have in common that may be done at once: all that they ask but their texts."""
    return json.dumps({name: each for name, each in request.spec.items() if name not in _TEXT}, sort_keys=True)


def length(request: AttemptRequest) -> int:
    """Of a short attempt's text, in characters: those of about one length go into a model with little between."""
    return max(len(str(request.spec.get(name) or "")) for name in _TEXT)


def gains_by_company(request: AttemptRequest, repository: Repository, companion: Companion) -> bool:
    """Whether attempts that are like it are quicker at once; not where nothing is known of its model."""
    try:
        model = open_model(repository, companion, str(request.spec.get("model")))
    except ModelError:
        return False
    return _is_for_several(model)


def _is_for_several(model: Model) -> bool:
    task = task_named(model.manifest.task)
    return task is not None and task.is_by_itself and model.gains_by_company


def perform_together(
    contexts: Sequence[Context[InferenceSpec]], repository: Repository, companion: Companion
) -> list[Result] | None:
    """Do attempts at once whose specs differ in nothing but their texts; None where each is to be done by itself.

    Raises:
        Rejected: one of them, or the model, can never work.
    """
    with _said_as_rejections():
        return _performed_together(contexts, repository, companion)


def _performed_together(
    contexts: Sequence[Context[InferenceSpec]], repository: Repository, companion: Companion
) -> list[Result] | None:
    started = time.monotonic()
    spec = contexts[0].spec
    model = open_model(repository, companion, spec.model)
    if not _is_for_several(model) or problem_with(spec.model, model.manifest.task, spec.parameters):
        return None
    task = _task_of(model)
    inputs = [inputs_of(context, task.takes) for context in contexts]
    answers = task.answer(model, [each.values[0] for each in inputs], Asked(spec.parameters))
    seconds = time.monotonic() - started
    return [
        _told(context, task, its, [answer], _envelope(model, companion, its, seconds, place))
        for place, (context, its, answer) in enumerate(zip(contexts, inputs, answers, strict=True))
    ]


def _told(
    context: Context[InferenceSpec],
    task: Task,
    inputs: Inputs,
    answers: Sequence[Any],
    envelope: Mapping[str, Any],
) -> Result:
    """Answers as the output that was asked for."""
    form = context.spec.output_format
    if form == "binary":
        name, media_type = write_tensors(context.out, task, answers, envelope)
        output = context.output(name, media_type=media_type, role="answer", details={"format": form})
    else:
        name, media_type, text = as_text(form, task, inputs, answers, envelope)
        output = context.write(name, text, media_type=media_type, role="answer", details={"format": form})
    return Result(outputs=[output], details=dict(envelope))


def _measured(manifest: Manifest, companion: Companion) -> Result:
    found = None if manifest.file is None else companion.session(manifest.reference).measure()
    if found is None:
        message = f"How {manifest.reference} is to be batched cannot be measured."
        raise Rejected("not_measured", message, "It makes text, has no file, or its manifest does not name its inputs.")
    return Result(details={"model": manifest.reference, **found})


def _answers(
    context: Context[InferenceSpec], model: Model, task: Task, inputs: Inputs
) -> Iterator[tuple[Sequence[str], Sequence[Any]]]:
    """What some inputs are called, and the answers to them; and so on with all."""

    def tell(piece: str) -> None:
        if piece:
            context.answer(piece)
        else:  # the question is still being read: this ends an attempt that nobody waits for any more
            context.progress("run", done / inputs.count)

    asked = Asked(context.spec.parameters, on_text=tell)
    done = 0
    for names, values in inputs.parts(task.chunk, task.takes):
        yield names, _answered(model, task, asked, names, values)
        done += len(values)
        context.progress("run", done / inputs.count)


def _answered(model: Model, task: Task, asked: Asked, names: Sequence[str], values: Sequence[Any]) -> Sequence[Any]:
    """The answers to some inputs at once; where the numbers are none, the input that is to blame is named."""
    try:
        return task.answer(model, values, asked)
    except NotFinite as error:
        if len(values) == 1:
            raise Rejected(error.code, f"{names[0]}: {error.message}", error.hint) from error
        for name, value in zip(names, values, strict=True):
            _answered(model, task, asked, [name], [value])
        raise  # it is none of them by itself


def _envelope(
    model: Model, companion: Companion, inputs: Inputs, seconds: float, place: int | None = None
) -> dict[str, Any]:
    """What is said beside the answers.

    Args:
        place: of the text that they are about, where there were others.
    """
    into, out = model.all_tokens(place)
    tokens = {"tokens": into} if into else {}
    tokens |= {"generatedTokens": out} if out else {}
    timings = companion.timings
    parts = {"total": seconds, "load": timings.load, "run": timings.run}
    notes = model.notes(place)
    return {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "task": model.manifest.task,
        "usage": {"inputs": inputs.count, **tokens},
        "timings": {f"{name}Seconds": round(value, 6) for name, value in parts.items()},
        "device": "+".join(sorted(companion.devices)) or "cpu",
        **({"notes": notes} if notes else {}),
    }


def _task_of(model: Model) -> Task:
    task = task_named(model.manifest.task)
    if task is None:
        message = f"The model {model.manifest.reference} is for {model.manifest.task}, which is not served here."
        raise Rejected("task_not_served", message, f"There is {', '.join(served())}.")
    return task
