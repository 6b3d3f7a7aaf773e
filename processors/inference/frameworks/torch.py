"""PyTorch's models, run by it in a variant of the image: programs that torch.export wrote (.pt2), and TorchScript.

Neither names what goes in and out, so the manifest does, in their order. Weights that lie beside a program in a
safetensors file are laid over its own: a state dict alone is no model.
"""

from __future__ import annotations

import os
import threading
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", "/tmp/torch")  # else it asks for the name of a user that has none

import numpy as np
import torch
from numpy.typing import NDArray

from processors.inference.errors import ModelError, UnsafeModel
from processors.inference.frameworks.graphics import CPU, refuse_other_device, wants_gpu
from processors.inference.frameworks.port import Tensors
from processors.inference.frameworks.sniffing import framework_of
from processors.inference.frameworks.takes import Takes
from processors.inference.repository import Entry
from processors.inference.tensor_files import from_file
from processors.worker.context import HandlerError, Rejected

_NEWER_FORMAT = "archive_format"  # the file in it that PyTorch writes from 2.8 on
_loading = threading.Lock()  # torch.export.load fails now and then while another one is under way


def check(entry: Entry) -> None:
    """Refuse a file that is not what its manifest says."""
    assert entry.file is not None
    manifest = entry.manifest
    what = f"The model {manifest.reference}"
    if (found := framework_of(entry.file, what)) != manifest.framework:
        raise UnsafeModel("mislabelled_model", f"{what} is {found}, and its manifest says {manifest.framework}.")
    if not manifest.inputs:
        message = f"The manifest of {manifest.reference} does not name its inputs, and its file does not either."
        raise ModelError("bad_manifest", message, "inputs and outputs have a name, a dtype and a shape each, in order.")


def load(entry: Entry, threads: int) -> TorchSession:
    """Load a model, and lay the weights over it that lie beside it."""
    with _loading:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return _loaded(entry)


def _loaded(entry: Entry) -> TorchSession:
    assert entry.file is not None
    device = "cuda" if wants_gpu() and torch.cuda.is_available() else CPU
    refuse_other_device(entry, device)
    if entry.manifest.framework == "torchscript":
        module = torch.jit.load(str(entry.file), map_location="cpu").eval()
    else:
        module = _program(entry)
    if entry.manifest.weights is not None:
        _lay_over(module, entry)
    return TorchSession(entry, module.to(device), device)


class TorchSession:
    """A loaded model."""

    def __init__(self, entry: Entry, module: Any, device: str) -> None:
        manifest = entry.manifest
        self.device = device
        self._what = f"The model {manifest.reference}"
        self._order = [each.name for each in manifest.inputs]
        self.takes = Takes(self._what, manifest.inputs, [each.name for each in manifest.outputs] or ["output"])
        self._module = module

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all."""
        names = self.takes.named(outputs)
        given = self.takes.fitting(tensors)
        try:
            with torch.inference_mode():
                # A copy, because what comes over a socket may not be written to, and a program might.
                values = self._module(
                    *(torch.from_numpy(np.array(given[name])).to(self.device) for name in self._order)
                )
        except Exception as error:  # whatever the program raises
            message = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise HandlerError("model_failed", f"{self._what} failed: {message}.", retryable=False) from error
        found = self._by_name(values)
        return {name: found[name] for name in names}

    def close(self) -> None:
        """Let go of its memory."""
        del self._module

    def _by_name(self, values: Any) -> dict[str, NDArray[Any]]:
        wanted = self.takes.outputs
        if isinstance(values, Mapping):
            found = {str(name): value for name, value in values.items()}
        else:
            several = values if isinstance(values, (tuple, list)) else [values]
            found = dict(zip(wanted, several, strict=False))
        if wrong := next((name for name in wanted if not isinstance(found.get(name), torch.Tensor)), None):
            message = f"The manifest of {self._what.removeprefix('The model ')} names the output {wrong!r}"
            raise ModelError("manifest_disagrees", f"{message}, which the model does not give.")
        return {name: value.detach().cpu().numpy() for name, value in found.items() if isinstance(value, torch.Tensor)}


def _program(entry: Entry) -> Any:
    assert entry.file is not None
    try:
        return torch.export.load(str(entry.file)).module()
    except Exception as error:
        with zipfile.ZipFile(entry.file) as archive:
            is_newer = any(name.rpartition("/")[2] == _NEWER_FORMAT for name in archive.namelist())
        if not is_newer or tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 8):
            raise
        message = (
            f"The model {entry.manifest.reference} was written by a PyTorch that is newer than {torch.__version__}."
        )
        hint = "Save it as TorchScript, or give the image a newer one: "
        hint += "`pitchey images build inference-torch --wheelhouse DIR`."
        raise ModelError("model_not_loaded", message, hint) from error


def _lay_over(module: Any, entry: Entry) -> None:
    """Replace all of a model's own weights.

    Raises:
        ModelError: names a weight that is missing, is too many, or has another shape.
    """
    assert entry.manifest.weights is not None
    what = f"The model {entry.manifest.reference}"
    try:
        weights = from_file(entry.folder / entry.manifest.weights, entry.manifest.weights)
    except Rejected as error:
        raise UnsafeModel("damaged_model", f"{what}: {error.message}", error.hint) from error
    own = module.state_dict()
    for name in sorted(own.keys() ^ weights.keys()):
        where = "has no weight" if name in own else "has a weight that the network lacks:"
        raise ModelError("manifest_disagrees", f"{what}: {entry.manifest.weights} {where} {name!r}.")
    for name, value in weights.items():
        if tuple(own[name].shape) != value.shape:
            shapes = f"{'x'.join(map(str, value.shape))}, and the network wants {'x'.join(map(str, own[name].shape))}"
            raise ModelError("manifest_disagrees", f"{what}: {entry.manifest.weights} has {name!r} of {shapes}.")
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
