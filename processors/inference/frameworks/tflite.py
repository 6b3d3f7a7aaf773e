"""TFLite models, run by LiteRT. Quantised ones take and give what their whole numbers stand for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from processors.inference.frameworks.port import Tensors
from processors.inference.frameworks.takes import Takes
from processors.inference.frameworks.tflite_file import Looked, refuse_unsafe
from processors.inference.repository import Entry
from processors.worker.context import HandlerError, Rejected


def check(entry: Entry) -> None:
    """Refuse a file that is no TFLite, or that wants TensorFlow's operators."""
    assert entry.file is not None
    refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")


def load(entry: Entry, threads: int) -> TfliteSession:
    """Load a model; the inputs and outputs that its manifest names must be there."""
    assert entry.file is not None
    looked = refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")
    interpreter = Interpreter(model_path=str(entry.file), num_threads=threads)
    interpreter.allocate_tensors()
    session = TfliteSession(entry, interpreter, looked)
    session.takes.refuse_misnamed(entry.manifest)
    return session


class TfliteSession:
    """A loaded TFLite model."""

    device = "cpu"

    def __init__(self, entry: Entry, interpreter: Interpreter, looked: Looked) -> None:
        self._what = f"The model {entry.manifest.reference}"
        signature = looked.signature
        # A model for one row is given row by row, so a fixed first length of 1 is any.
        open_inputs = [
            each.model_copy(update={"shape": [-1, *each.shape[1:]]}) if each.shape[:1] == [1] else each
            for each in signature.inputs
        ]
        self.takes = Takes(self._what, open_inputs, [each.name for each in signature.outputs])
        self._is_for_one_row = all(each.shape[:1] == [1] for each in signature.inputs)
        self._interpreter = interpreter
        self._places = looked.places
        details = (*interpreter.get_input_details(), *interpreter.get_output_details())
        self._quantised = {each["index"]: each["quantization"] for each in details if each["quantization"][0]}
        self._dtypes = {each["index"]: each["dtype"] for each in details}
        self._one_at_a_time = threading.Lock()

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        names = self.takes.named(outputs)
        given = self.takes.fitting({name: self._quantise(name, value) for name, value in tensors.items()})
        rows = {value.shape[0] for value in given.values() if value.ndim}
        if self._is_for_one_row and (len(rows) != 1 or rows == {0}):
            counts = ", ".join(f"{name} has {len(value)}" for name, value in given.items())
            raise Rejected("wrong_shape", f"{self._what} takes as many rows of each input, one at least: {counts}.")
        with self._one_at_a_time:
            try:
                if not self._is_for_one_row or rows == {1}:
                    return self._invoke(given, names)
                answers = [
                    self._invoke({name: value[row : row + 1] for name, value in given.items()}, names)
                    for row in range(rows.pop())
                ]
            except (RuntimeError, ValueError) as error:
                message = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise HandlerError("model_failed", f"{self._what} failed: {message}.", retryable=False) from error
        return {name: np.concatenate([each[name] for each in answers]) for name in names}

    def close(self) -> None:
        """Let go of its memory."""
        del self._interpreter

    def _invoke(self, given: dict[str, NDArray[Any]], names: Sequence[str]) -> dict[str, NDArray[Any]]:
        interpreter = self._interpreter
        sizes = {each["index"]: tuple(each["shape"]) for each in interpreter.get_input_details()}
        changed = [name for name, value in given.items() if sizes[self._places[name]] != value.shape]
        for name in changed:
            interpreter.resize_tensor_input(self._places[name], given[name].shape)
        if changed:
            interpreter.allocate_tensors()
        for name, value in given.items():
            interpreter.set_tensor(self._places[name], value)
        interpreter.invoke()
        return {name: self._meant(name, interpreter.get_tensor(self._places[name])) for name in names}

    def _quantise(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        """The whole numbers that stand for fractions; whole numbers are taken as they are."""
        place = self._places.get(name, -1)
        if place not in self._quantised or value.dtype.kind != "f":
            return value
        scale, zero = self._quantised[place]
        bounds = np.iinfo(self._dtypes[place])
        whole: NDArray[Any] = np.clip(np.rint(value / scale) + zero, bounds.min, bounds.max)
        return whole.astype(self._dtypes[place])

    def _meant(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        place = self._places[name]
        if place not in self._quantised:
            return value
        scale, zero = self._quantised[place]
        meant: NDArray[Any] = (value.astype(np.float32) - zero) * np.float32(scale)
        return meant
