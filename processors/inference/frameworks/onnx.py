"""ONNX models, run by onnxruntime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from processors.inference.errors import ModelError
from processors.inference.frameworks.forms import Forms
from processors.inference.frameworks.graphics import refuse_other_device, wants_gpu
from processors.inference.frameworks.onnx_file import refuse_unsafe
from processors.inference.frameworks.port import Tensors
from processors.inference.frameworks.takes import Takes
from processors.inference.manifest import Dtype, TensorShape
from processors.inference.memory import give_back
from processors.inference.repository import Entry
from processors.worker.context import HandlerError

_DTYPES: dict[str, Dtype] = {
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
_GRAPHICS = ("CUDAExecutionProvider", "ROCMExecutionProvider")
_ERROR = 3  # of onnxruntime's severities: its warnings are for those who make models


def check(entry: Entry) -> None:
    """Refuse a file that is no ONNX or reads others'."""
    assert entry.file is not None
    refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")


def load(entry: Entry, threads: int, *, has_forms: bool = False) -> OnnxSession:
    """Load a model; the inputs and outputs that its manifest names must be there."""
    session = OnnxSession(entry, _loaded(entry, threads), has_forms=has_forms)
    refuse_other_device(entry, session.device)  # onnxruntime falls back to the processor without a word
    session.takes.refuse_misnamed(entry.manifest)
    return session


def _loaded(entry: Entry, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    # Threads that spin while they wait take the processors from the other models.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ERROR
    # Always as a path: that is when onnxruntime itself refuses data outside of the folder.
    there = onnxruntime.get_available_providers()
    wanted = [name for name in _GRAPHICS if name in there] if wants_gpu() else ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(str(entry.file), options, providers=wanted or ["CPUExecutionProvider"])


class OnnxSession:
    """A loaded ONNX model."""

    def __init__(self, entry: Entry, inner: onnxruntime.InferenceSession, *, has_forms: bool) -> None:
        self.device = _DEVICES.get(inner.get_providers()[0], inner.get_providers()[0])
        self._what = f"The model {entry.manifest.reference}"
        inputs = [_shape(self._what, each) for each in inner.get_inputs()]
        self.takes = Takes(self._what, inputs, [each.name for each in inner.get_outputs()])

        def narrow() -> onnxruntime.InferenceSession:
            entry.verify()  # time has passed since it was
            found = _loaded(entry, 1)
            give_back()
            return found

        self._forms = Forms(inner, narrow if has_forms else None)

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        names = self.takes.named(outputs)
        given = self.takes.fitting(tensors)
        try:
            with self._forms.fitting() as inner:
                values = inner.run(names, given)
        except Exception as error:  # onnxruntime has no base class for its errors
            message = str(error).splitlines()[0]
            raise HandlerError("model_failed", f"{self._what} failed: {message}.", retryable=False) from error
        return {name: np.asarray(value) for name, value in zip(names, values, strict=True)}

    def close(self) -> None:
        """Let go of its memory."""
        del self._forms


def _shape(what: str, argument: onnxruntime.NodeArg) -> TensorShape:
    if (dtype := _DTYPES.get(argument.type)) is None:
        message = f"{what}: its input {argument.name!r} is {argument.type}, which no job can give."
        raise ModelError("input_not_served", message)
    return TensorShape(
        name=argument.name, dtype=dtype, shape=[size if isinstance(size, int) else -1 for size in argument.shape]
    )
