"""Looks into a TFLite file without loading it: whether it is whole, what goes in and out, and which operators it has.

It is a FlatBuffer: tables whose fields are found through a table of offsets. Field numbers are those of
schema.fbs 3 (github.com/google-ai-edge/LiteRT). An offset that leads out of the file means that it is cut.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import Dtype, TensorShape

MAGIC = b"TFL3"  #: at byte 4

_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _SIGNATURES = 1, 2, 4, 7  # of Model
_CUSTOM_CODE = 1  # of OperatorCode
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2  # of SubGraph
_SHAPE, _TYPE, _NAME, _OPEN_SHAPE = 0, 1, 3, 7  # of Tensor
_DATA, _OFFSET, _SIZE = 0, 1, 2  # of Buffer
_DTYPES: dict[int, Dtype] = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "string", 6: "bool", 9: "int8", 10: "float64",
}  # fmt: skip
_MOST = 1_000_000  # entries of a vector of tables
_MOST_DIMENSIONS = 16
_TEXT_BYTES = 1 << 16
_TENSORFLOW_OPERATOR = "Flex"  # the prefix of TensorFlow's own operators


class NotTflite(ValueError):
    """The file is not TFLite, or not all of it."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a file says of itself."""

    signature: Signature
    places: dict[str, int]  #: of each input and output: the number of its tensor
    custom_operators: tuple[str, ...]


def look(path: Path) -> Looked:
    """Read what a file says of itself.

    Raises:
        NotTflite: says what is wrong.
    """
    if path.stat().st_size < 16:
        raise NotTflite("it is too short")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[4:8] != MAGIC:
            raise NotTflite("it does not begin as one")
        try:
            return _look(data)
        except struct.error as error:
            raise NotTflite("it ends in the middle") from error


def refuse_unsafe(path: Path, what: str) -> Looked:
    """Refuse a file that is not TFLite, or has operators that are none of TFLite's; give what it says of itself.

    Args:
        what: the model, for the message.
    """
    try:
        found = look(path)
    except NotTflite as error:
        hint = "Export or download it again."
        raise UnsafeModel("not_tflite", f"{what} is no whole TFLite file: {error}.", hint) from error
    if foreign := next((each for each in found.custom_operators if each.startswith(_TENSORFLOW_OPERATOR)), None):
        message = f"{what} wants TensorFlow's operator {foreign.removeprefix(_TENSORFLOW_OPERATOR)}"
        message += ", and TensorFlow's operators may read and write files."
        raise UnsafeModel("unsafe_model", message, "Convert it with TFLite's own operators alone.")
    return found


def _look(data: mmap.mmap) -> Looked:
    model = _Table(data, _offset(data, 0))
    for buffer in model.tables(_BUFFERS):
        buffer.refuse_cut()
    graph = next(model.tables(_SUBGRAPHS), None)
    if graph is None:
        raise NotTflite("it has no graph")
    tensors = list(graph.tables(_TENSORS))
    names = _signature_names(model)
    places: dict[str, int] = {}

    def shapes(field: int) -> tuple[TensorShape, ...]:
        found: list[TensorShape] = []
        for place in graph.numbers(field):
            if not 0 <= place < len(tensors):
                raise NotTflite(f"it names the tensor {place}, and has {len(tensors)}")
            table = tensors[place]
            dtype = _DTYPES.get(table.byte(_TYPE))
            if dtype is None:
                continue
            name = names.get(place) or table.text(_NAME) or f"tensor_{place}"
            shape = table.numbers(_OPEN_SHAPE) or table.numbers(_SHAPE)
            if len(shape) > _MOST_DIMENSIONS:
                raise NotTflite(f"it claims a tensor of {len(shape)} dimensions")
            places[name] = place
            found.append(TensorShape(name=name, dtype=dtype, shape=[size if size > 0 else -1 for size in shape]))
        return tuple(found)

    signature = Signature(shapes(_INPUTS), shapes(_OUTPUTS))
    custom = (each.text(_CUSTOM_CODE) for each in model.tables(_OPERATOR_CODES))
    return Looked(signature, places, tuple(name for name in custom if name))


def _signature_names(model: _Table) -> dict[int, str]:
    """What the tensors are called by whoever exported the model; where it has several signatures, that is not clear."""
    signatures = list(model.tables(_SIGNATURES))
    if len(signatures) != 1:
        return {}
    (only,) = signatures
    found: dict[int, str] = {}
    for field in (0, 1):  # its inputs and outputs: pairs of a name and a number
        for pair in only.tables(field):
            found.setdefault(pair.whole(1), pair.text(0))
    return found


class _Table:
    """One table of a FlatBuffer."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data = data
        self._at = at
        (back,) = struct.unpack_from("<i", data, at)
        self._fields = at - back
        if not 0 <= self._fields < len(data):
            raise NotTflite("it ends in the middle, or is something else")
        (self._fields_bytes,) = struct.unpack_from("<H", data, self._fields)

    def _place(self, field: int) -> int | None:
        at = 4 + 2 * field
        if at + 2 > self._fields_bytes:
            return None
        (offset,) = struct.unpack_from("<H", self._data, self._fields + at)
        return self._at + offset if offset else None

    def byte(self, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from("<b", self._data, place)[0])

    def whole(self, field: int) -> int:
        place = self._place(field)
        return 0 if place is None else int(struct.unpack_from("<I", self._data, place)[0])

    def _vector(self, field: int, item_bytes: int) -> tuple[int, int]:
        """Where its items begin, and how many there are."""
        place = self._place(field)
        if place is None:
            return 0, 0
        at = _offset(self._data, place)
        (count,) = struct.unpack_from("<I", self._data, at)
        if at + 4 + count * item_bytes > len(self._data):
            raise NotTflite("it ends in the middle")
        return at + 4, count

    def text(self, field: int) -> str:
        at, count = self._vector(field, 1)
        return self._data[at : at + min(count, _TEXT_BYTES)].decode("utf-8", "replace")

    def numbers(self, field: int) -> list[int]:
        at, count = self._vector(field, 4)
        return list(struct.unpack_from(f"<{min(count, _MOST)}i", self._data, at)) if count else []

    def tables(self, field: int) -> Iterator[_Table]:
        at, count = self._vector(field, 4)
        if count > _MOST:
            raise NotTflite(f"it claims {count} parts")
        for number in range(count):
            yield _Table(self._data, _offset(self._data, at + 4 * number))

    def refuse_cut(self) -> None:
        """Of a buffer: its data lie in the file, or behind the tables where a model is larger than 2 GB."""
        self._vector(_DATA, 1)
        places = [self._place(field) for field in (_OFFSET, _SIZE)]
        offset, size = (0 if at is None else int(struct.unpack_from("<Q", self._data, at)[0]) for at in places)
        if offset > 1 and offset + size > len(self._data):
            raise NotTflite("it ends in the middle")


def _offset(data: mmap.mmap, at: int) -> int:
    return at + int(struct.unpack_from("<I", data, at)[0])
