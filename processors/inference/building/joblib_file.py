"""Reads what scikit-learn has saved with joblib, without either of them, and without running what a pickle may hold.

Objects become `Thing`s: a class name and attributes. Arrays lie in the file right behind what describes them, aligned
to 16 bytes, with the number of padding bytes before the padding.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import IO, Any, ClassVar

import numpy as np

_FOLDERS = ("sklearn.", "joblib.")
_DTYPE = ("numpy", "dtype")
_NDARRAY = ("numpy", "ndarray")
_SCALAR = "scalar"
_LOAD_BUILD: Any = pickle._Unpickler.dispatch[pickle.BUILD[0]]


class NotPlain(ValueError):
    """The file holds something else than models of scikit-learn."""


class Thing:
    """An object of a class that is not here: its attributes, and nothing that it could do."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def read(path: Path) -> Any:
    """What is in a file.

    Raises:
        NotPlain: it wants something that could run code.
    """
    with path.open("rb") as file:
        try:
            return _Reader(file).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, IndexError, TypeError) as error:
            raise NotPlain(f"{path.name}: {error}") from error


class _Wrapper(Thing):
    """What joblib writes in place of an array."""


def _scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, dtype)[0]


class _Reader(pickle._Unpickler):  # the one in Python: arrays are read in between
    """Knows dictionaries, numbers and things."""

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self._source = file

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == _DTYPE:
            return np.dtype
        if (module, name) == _NDARRAY:
            return np.ndarray
        if module == "numpy" and name in ("float64", "float32", "int64"):
            return name
        if module.startswith("numpy.") and name == _SCALAR:
            return _scalar
        if name == "NumpyArrayWrapper":
            return _Wrapper
        if module.startswith(_FOLDERS):
            return type(name, (Thing,), {})
        raise pickle.UnpicklingError(f"it wants {module}.{name}")

    def _build(self) -> None:
        _LOAD_BUILD(self)
        if isinstance(wrapper := self.stack[-1], _Wrapper):
            self.stack[-1] = self._array(wrapper)

    dispatch[pickle.BUILD[0]] = _build

    def _array(self, wrapper: Any) -> Any:
        if wrapper.dtype.hasobject:
            raise pickle.UnpicklingError("it wants an array of objects")
        if getattr(wrapper, "numpy_array_alignment_bytes", None) is not None:
            self._source.read(self._source.read(1)[0])
        count = int(np.prod(wrapper.shape, dtype=np.int64))
        values = np.frombuffer(self._source.read(count * wrapper.dtype.itemsize), wrapper.dtype)
        return values.reshape(wrapper.shape, order=wrapper.order)
