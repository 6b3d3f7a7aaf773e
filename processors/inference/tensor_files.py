"""Tensors that a job gives: in the spec itself, or as .npy, .npz or safetensors. No pickle is read."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.unpacking import UNPACKING
from processors.worker.context import Rejected

Tensors = dict[str, NDArray[Any]]

ONLY = ""  #: the name of a tensor in a file that has but one

MOST_BYTES = 1 << 30  #: of the tensors in a file, unpacked
_HEAD_BYTES = 16 << 20
#: as the Open Inference Protocol, version 2, calls them
DATATYPES = {
    "FP64": "float64", "FP32": "float32", "FP16": "float16", "INT64": "int64", "INT32": "int32", "INT16": "int16",
    "INT8": "int8", "UINT8": "uint8", "BOOL": "bool", "BYTES": "object",
}  # fmt: skip
_SAFE = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1",
    "BOOL": "?",
}  # fmt: skip


def from_file(path: Path, name: str, *, most_bytes: int = MOST_BYTES) -> Tensors:
    """The tensors in a file, by the suffix of what the user calls it.

    Args:
        most_bytes: of all of them, unpacked.

    Raises:
        Rejected: it is not what it is called, is broken, or unpacks to too much.
    """
    suffix = PurePosixPath(name).suffix.lower()
    readers = {".npy": _npy, ".npz": _npz, ".safetensors": _safetensors}
    if suffix not in readers:
        raise Rejected("not_tensors", f"{name} is no file of tensors.", f"Those are {', '.join(readers)}.")
    try:
        return readers[suffix](path, name, most_bytes)
    except (*UNPACKING, KeyError, TypeError, AttributeError) as error:
        message = f"{name} cannot be read as tensors: {str(error).splitlines()[0] if str(error) else 'it is broken'}."
        raise Rejected("damaged_tensors", message) from error


def from_json(said: Any, model: str) -> Tensors:
    """Tensors as a spec has them: by name, lists of numbers, or objects with datatype, shape and data.

    Raises:
        Rejected: they are neither.
    """
    hint = 'As {"input": [[1, 2]]}, or {"input": {"datatype": "FP32", "shape": [1, 2], "data": [1, 2]}}.'
    if not isinstance(said, Mapping) or not said:
        raise Rejected("not_tensors", f"{model} takes tensors by name.", hint)
    found: Tensors = {}
    for name, value in said.items():
        try:
            if isinstance(value, Mapping):
                found[str(name)] = _said(value["data"], DATATYPES[value.get("datatype", "FP32")], value["shape"])
            else:
                found[str(name)] = _plain(value)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise Rejected("not_tensors", f"The tensor {name!r} makes no sense: {error}.", hint) from error
    return found


def as_json(name: str, value: NDArray[Any]) -> dict[str, Any]:
    """A tensor as the Open Inference Protocol has it."""
    datatype = next((said for said, dtype in DATATYPES.items() if dtype == value.dtype.name), "BYTES")
    return {"name": name, "datatype": datatype, "shape": list(value.shape), "data": value.ravel().tolist()}


def _said(data: Any, dtype: str, shape: Any) -> NDArray[Any]:
    """Numbers that are what the datatype says: 1.5 is no whole number, and 300 no byte."""
    given = np.array(data)
    found = np.array(data, dtype=dtype)
    if found.dtype.kind in "biu" and given.size and not (given.dtype.kind in "biuf" and (found == given).all()):
        wrong = next((each for each, kept in zip(given.ravel().tolist(), found.ravel().tolist(), strict=True)
                      if each != kept), data)  # fmt: skip
        raise ValueError(f"{wrong!r} is no {dtype}")
    return found.reshape(shape)


def _plain(value: Any) -> NDArray[Any]:
    array = np.array(value)
    if array.dtype.kind not in "biufOUS":
        raise ValueError("it is neither numbers nor texts")
    return array.astype(object) if array.dtype.kind in "US" else array


def _npy(path: Path, name: str, most_bytes: int) -> Tensors:
    with path.open("rb") as file:
        return {ONLY: _array(file, name, most_bytes)}


def _npz(path: Path, name: str, most_bytes: int) -> Tensors:
    with zipfile.ZipFile(path) as archive:
        _refuse_large(sum(each.file_size for each in archive.infolist()), name, most_bytes)
        found: Tensors = {}
        for each in archive.infolist():
            with archive.open(each) as file:
                found[each.filename.removesuffix(".npy")] = _array(file, name, most_bytes)
    return found


def _array(file: Any, name: str, most_bytes: int) -> NDArray[Any]:
    version = np.lib.format.read_magic(file)
    header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, dtype = header(file)
    if dtype.hasobject:
        raise Rejected("unsafe_tensors", f"{name} holds pickled objects, which could run code.", "Save plain numbers.")
    size = math.prod(shape) * dtype.itemsize
    _refuse_large(size, name, most_bytes)
    data = file.read(size)
    if len(data) < size:
        raise ValueError("it ends in the middle")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if is_fortran else "C")


def _safetensors(path: Path, name: str, most_bytes: int) -> Tensors:
    _refuse_large(path.stat().st_size, name, most_bytes)
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    if length > min(_HEAD_BYTES, len(data) - 8):
        raise ValueError("it ends in the middle")
    head = json.loads(data[8 : 8 + length])
    if not isinstance(head, dict) or not all(isinstance(each, dict) for each in head.values()):
        raise ValueError("its head does not say what is in it")
    body = memoryview(data)[8 + length :]
    found: Tensors = {}
    for key, said in head.items():
        if key == "__metadata__":
            continue
        begin, end = said["data_offsets"]
        if (kind := str(said["dtype"])) not in _SAFE:
            raise ValueError(f"its tensor {key!r} is {kind}, and what is read is {', '.join(_SAFE)}")
        dtype = np.dtype(_SAFE[kind])
        if not 0 <= begin <= end <= len(body) or end - begin != math.prod(said["shape"]) * dtype.itemsize:
            raise ValueError(f"its tensor {key!r} does not lie in it")
        found[key] = np.frombuffer(body[begin:end], dtype).reshape(said["shape"])
    return found


def _refuse_large(size: int, name: str, most_bytes: int) -> None:
    if size > most_bytes:
        message = f"{name} unpacks to {size >> 20} MiB of tensors: more than {most_bytes >> 20} are not read."
        raise Rejected("tensors_too_large", message, "Part it, or give the service a larger instance type.")
