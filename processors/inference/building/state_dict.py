"""Reads the weights that PyTorch has saved, without PyTorch, and without running what a pickle may hold.

The format is that of versions before 1.6: five pickles in a row (a magic number, the version, facts about the machine,
the dictionary, the keys of the storages), then each storage as its length and its numbers. Only the four names that a
dictionary of tensors needs are known to the unpickler.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C  # of torch.save, before it wrote zip files
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class NotWeights(ValueError):
    """The file holds something else than a dictionary of tensors."""


class _Tensor:
    """A tensor whose numbers come later in the file."""

    def __init__(
        self, storage: tuple[str, np.dtype[Any]], offset: int, size: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride


def read(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors in a file, by name.

    Raises:
        NotWeights: it is another format, or holds anything but tensors.
    """
    with path.open("rb") as file:
        try:
            if _Weights(file).load() != _MAGIC:
                raise NotWeights(f"{path.name} is not what torch.save wrote before 1.6")
            _, _, found, keys = (_Weights(file).load() for _ in range(4))
        except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError) as error:
            raise NotWeights(f"{path.name}: {error}") from error
        dtypes = {each.storage[0]: each.storage[1] for each in found.values()}
        storages = {}
        for key in keys:
            count = int.from_bytes(file.read(8), "little")
            storages[key] = np.frombuffer(file.read(count * dtypes[key].itemsize), dtypes[key])
    return {name: _filled(each, storages) for name, each in found.items()}


def _filled(tensor: _Tensor, storages: dict[str, NDArray[Any]]) -> NDArray[Any]:
    values = storages[tensor.storage[0]]
    last = tensor.offset + sum((length - 1) * step for length, step in zip(tensor.size, tensor.stride, strict=True))
    if min((tensor.offset, *tensor.stride)) < 0 or last >= len(values):
        raise NotWeights("a tensor reaches beyond its numbers")
    strides = [step * values.itemsize for step in tensor.stride]
    view = np.lib.stride_tricks.as_strided(values[tensor.offset :], tensor.size, strides, writeable=False)
    return np.ascontiguousarray(view).reshape(tensor.size)


def _rebuild(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *rest: Any) -> _Tensor:
    del rest
    return _Tensor(storage, offset, size, stride)


class _Weights(pickle.Unpickler):
    """Knows dictionaries and tensors, and nothing that could do harm."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"it wants {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        kind, dtype, key, *_ = pid
        if kind != "storage":
            raise pickle.UnpicklingError(f"it wants a {kind}")
        return key, dtype
