"""SavedModels, run by TensorFlow: of a variant of the image."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before it is imported: what it says is for its makers

import tensorflow as tf
from numpy.typing import NDArray

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.graphics import refuse_other_device
from processors.inference.frameworks.port import Tensors
from processors.inference.frameworks.saved_model_file import SERVING, refuse_unsafe
from processors.inference.frameworks.signature import Signature
from processors.inference.frameworks.takes import Takes
from processors.inference.repository import Entry
from processors.worker.context import HandlerError

_BESIDE = ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb")
_FOLDERS = ("variables/", "assets/")
_threads = threading.Lock()


def check(entry: Entry) -> None:
    """Refuse a folder that is no SavedModel, whose operators reach beyond it, or that holds what is none of it."""
    assert entry.file is not None
    what = f"The model {entry.manifest.reference}"
    refuse_unsafe(entry.file, what)
    below = f"{entry.manifest.file}/"
    own = [path.removeprefix(below) for path in entry.manifest.files if path.startswith(below)]
    if foreign := next((path for path in own if path not in _BESIDE and not path.startswith(_FOLDERS)), None):
        raise UnsafeModel("unsafe_model", f"{what} holds {foreign}, which is no part of a SavedModel.")


def load(entry: Entry, threads: int) -> SavedModelSession:
    """Load a model; the inputs and outputs that its manifest names must be there."""
    assert entry.file is not None
    with _threads:
        if tf.config.threading.get_intra_op_parallelism_threads() != threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    signature = refuse_unsafe(entry.file, f"The model {entry.manifest.reference}")
    session = SavedModelSession(entry, tf.saved_model.load(str(entry.file)), signature)
    session.takes.refuse_misnamed(entry.manifest)
    refuse_other_device(entry, session.device)
    return session


class SavedModelSession:
    """A loaded SavedModel."""

    def __init__(self, entry: Entry, loaded: Any, signature: Signature) -> None:
        self._what = f"The model {entry.manifest.reference}"
        self.takes = Takes(self._what, signature.inputs, [each.name for each in signature.outputs])
        self.device = "cuda" if tf.config.list_logical_devices("GPU") else "cpu"
        self._loaded = loaded  # the function alone does not keep its variables
        self._function = loaded.signatures[SERVING]

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        names = self.takes.named(outputs)
        given = self.takes.fitting(tensors)
        try:
            values = self._function(**{name: tf.constant(value) for name, value in given.items()})
        except (tf.errors.OpError, ValueError, TypeError) as error:
            message = str(error).splitlines()[0]
            raise HandlerError("model_failed", f"{self._what} failed: {message}.", retryable=False) from error
        return {name: values[name].numpy() for name in names}

    def close(self) -> None:
        """Let go of its memory."""
        del self._function, self._loaded
