"""ONNX models, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from processors.inference.errors import ModelError
from processors.inference.frameworks.onnx_file import refuse_unsafe
from processors.inference.frameworks.port import Tensors
from processors.inference.repository import Entry
from processors.worker.context import HandlerError, Rejected

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(bool)": "bool",
    "tensor(string)": "string",
}
_DEVICES = {"CPUExecutionProvider": "cpu", "CUDAExecutionProvider": "cuda", "ROCMExecutionProvider": "rocm"}
_ERROR = 3  # of onnxruntime's severities: its warnings are for those who make models


def check(entry: Entry) -> None:
    """Refuse a file that is no ONNX or reads others'."""
    assert entry.file is not None
    refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")


def load(entry: Entry, threads: int) -> OnnxSession:
    """Load a model; the inputs and outputs that its manifest names must be there."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Threads that spin while they wait take the processors from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERROR
    # Always as a path: that is when onnxruntime itself refuses data outside of the folder.
    inner = onnxruntime.InferenceSession(str(entry.file), options, providers=["CPUExecutionProvider"])
    session = OnnxSession(entry, inner)
    _agree(entry, session)
    return session


class OnnxSession:
    """A loaded ONNX model."""

    def __init__(self, entry: Entry, inner: onnxruntime.InferenceSession) -> None:
        self.device = _DEVICES.get(inner.get_providers()[0], inner.get_providers()[0])
        self.inputs = {each.name: each for each in inner.get_inputs()}
        self.outputs = [each.name for each in inner.get_outputs()]
        self._what = f"The model {entry.manifest.reference}"
        self._inner = inner

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        names = list(outputs) or self.outputs
        given = {name: self._fitting(name, value) for name, value in tensors.items() if name in self.inputs}
        if missing := sorted(self.inputs.keys() - given.keys()):
            raise Rejected(
                "input_missing", f"{self._what} needs the input {missing[0]!r}.", f"It takes {self.takes()}."
            )
        if wrong := [name for name in names if name not in self.outputs]:
            raise Rejected(
                "no_such_output", f"{self._what} has no output {wrong[0]!r}: it has {', '.join(self.outputs)}."
            )
        try:
            values = self._inner.run(names, given)
        except Exception as error:  # onnxruntime has no base class for its errors
            message = str(error).splitlines()[0]
            raise HandlerError("model_failed", f"{self._what} failed: {message}.", retryable=False) from error
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    def takes(self) -> str:
        """Its inputs, in words."""
        return ", ".join(
            f"{name} {_DTYPES.get(each.type, each.type)}{_sizes(each)}" for name, each in self.inputs.items()
        )

    def close(self) -> None:
        """Let go of its memory."""
        del self._inner

    def _fitting(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        wanted = self.inputs[name]
        dtype = _DTYPES.get(wanted.type)
        if dtype is None:
            raise Rejected(
                "input_not_served", f"{self._what}: its input {name!r} is {wanted.type}, which no job can give."
            )
        fits = len(wanted.shape) == value.ndim and all(
            not isinstance(size, int) or size == have for size, have in zip(wanted.shape, value.shape, strict=True)
        )
        if not fits:
            shape = "x".join(map(str, value.shape))
            raise Rejected(
                "wrong_shape", f"{self._what} does not take {name!r} of {shape}.", f"It takes {self.takes()}."
            )
        is_text, wants_text = value.dtype.kind in "OUS", dtype == "string"
        if is_text is not wants_text:
            raise Rejected(
                "wrong_type", f"{self._what} does not take {name!r} as {value.dtype}.", f"It takes {self.takes()}."
            )
        return value.astype(object if wants_text else dtype, copy=False)


def _sizes(argument: onnxruntime.NodeArg) -> str:
    return f"[{', '.join(str(size) if isinstance(size, int) else '?' for size in argument.shape)}]"


def _agree(entry: Entry, session: OnnxSession) -> None:
    """Refuse a manifest that names what the model does not have."""
    for kind, said, has in (
        ("input", entry.manifest.inputs, list(session.inputs)),
        ("output", entry.manifest.outputs, session.outputs),
    ):
        if wrong := next((each.name for each in said if each.name not in has), None):
            message = (
                f"The manifest of {entry.manifest.reference} names the {kind} {wrong!r}, which the model does not have."
            )
            raise ModelError("manifest_disagrees", message, f"It has {', '.join(has)}.")
