"""What goes into an ONNX model and what comes out, read out of its file without loading it.

Field numbers are those of onnx.proto 1.17. Where the file does not say a length, it is -1: any.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from processors.inference.frameworks.protobuf import fields, numbers, parts, text
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import Dtype, TensorShape

_GRAPH = 7  # of ModelProto
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12  # of GraphProto
_TENSOR_NAME = 8  # of TensorProto
_DTYPES: dict[int, Dtype] = {
    1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 8: "string", 9: "bool", 10: "float16", 11: "float64",
}  # fmt: skip
_MOST_LENGTH = 1 << 40  # what is longer, or negative, is nobody's length


def signature_of(path: Path) -> Signature:
    """Read the names, types and shapes.

    Raises:
        NotWhole: the file is no ONNX, or not all of it; `refuse_unsafe` says it better.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found: dict[int, list[TensorShape]] = {_INPUT: [], _OUTPUT: []}
        constants: set[str] = set()
        for begin, end in parts(data, 0, len(data), _GRAPH):
            for number, wire, at, stop in fields(data, begin, end):
                if wire == 2 and number in found and (tensor := _tensor(data, at, stop)) is not None:
                    found[number].append(tensor)
                elif wire == 2 and number == _INITIALIZER:
                    constants |= {text(data, *part) for part in parts(data, at, stop, _TENSOR_NAME)}
        # Until IR version 3 the weights were among the inputs.
        inputs = tuple(each for each in found[_INPUT] if each.name not in constants)
        return Signature(inputs, tuple(found[_OUTPUT]))


def _tensor(data: mmap.mmap, start: int, end: int) -> TensorShape | None:
    """A ValueInfoProto: its name is field 1, its type field 2, and of that field 1 is that of a tensor."""
    name = "".join(text(data, *part) for part in parts(data, start, end, 1))
    for kind in parts(data, start, end, 2):
        for tensor in parts(data, *kind, 1):
            dtype = next((_DTYPES.get(value) for value in numbers(data, *tensor, 1)), None)
            if dtype is None:
                return None
            shape = [_length(data, *each) for whole in parts(data, *tensor, 2) for each in parts(data, *whole, 1)]
            return TensorShape(name=name, dtype=dtype, shape=shape)
    return None


def _length(data: mmap.mmap, start: int, end: int) -> int:
    value = next(numbers(data, start, end, 1), -1)
    return value if 0 < value < _MOST_LENGTH else -1
