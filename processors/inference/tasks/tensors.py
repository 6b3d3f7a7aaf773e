"""Tensors in, tensors out: of models for which there is no other task. Names as in the Open Inference Protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from processors.inference.model import Model
from processors.inference.tasks.task import Asked, Task
from processors.inference.tensor_files import ONLY, as_json


def _run(model: Model, inputs: Sequence[Any], asked: Asked) -> list[Any]:
    del asked
    answers: list[Any] = []
    for tensors in inputs:
        if ONLY in tensors:  # of a file without names
            names = [each.name for each in model.runs.manifest.inputs]
            if len(names) != 1:
                raise model.bad("a tensor without a name goes to its only input, and its manifest does not name one.")
            tensors = {names[0]: tensors[ONLY]}
        answers.append(model.run(tensors))
    return answers


def _line(answer: Any) -> str:
    shapes = {name: "x".join(map(str, value.shape)) for name, value in answer.items()}
    return "\n".join(f"{name} {shapes[name]}: {value.ravel().tolist()}" for name, value in answer.items())


def _document(answer: Any) -> Any:
    return {"outputs": [as_json(name, value) for name, value in answer.items()]}


def _first(answers: Sequence[Any]) -> Mapping[str, NDArray[Any]]:
    found: Mapping[str, NDArray[Any]] = answers[0]
    return found


TASK = Task("tensors", _run, _line, as_tensors=_first, as_document=_document, chunk=1)
