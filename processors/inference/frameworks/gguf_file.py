"""Looks into a GGUF file without loading it: whether it is one and whole, and what it says of itself.

The format: magic, version, counts; then keys with typed values; then of each tensor its name, shape, type and place.
github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO, Any

from processors.inference.errors import UnsafeModel

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_SCALARS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _ARRAY = 8, 9
_MOST_KEYS = 10_000
_MOST_TENSORS = 100_000
_MOST_ITEMS = 5_000_000  # of one array; vocabularies have some hundred thousand
_TEXT_BYTES = 16 << 20
_DIMENSIONS = 8


class NotGguf(ValueError):
    """The file is not GGUF, or not all of it."""


def facts_of(path: Path) -> dict[str, Any]:
    """What a file says of itself, but for its arrays.

    Raises:
        NotGguf: says what is wrong.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise NotGguf("it does not begin as one")
        version, tensors, keys = _Reader(file).header()
        if version not in _VERSIONS:
            raise NotGguf(f"it has version {version}, and {' and '.join(map(str, _VERSIONS))} are read")
        if keys > _MOST_KEYS or tensors > _MOST_TENSORS:
            raise NotGguf(f"it claims {keys} keys and {tensors} tensors")
        reader = _Reader(file)
        facts: dict[str, Any] = {}
        for _ in range(keys):
            name = reader.text()
            value = reader.value(reader.number("<I"))
            if value is not None:
                facts[name] = value
        last = 0
        for _ in range(tensors):
            last = max(last, reader.tensor())
        begin = file.tell()
    if tensors and begin + last >= size:
        raise NotGguf(f"it ends in the middle: its last tensor begins at {begin + last}, and it has {size} bytes")
    return facts


def refuse_unsafe(path: Path, what: str) -> dict[str, Any]:
    """Refuse a file that is not GGUF; give what it says of itself.

    Args:
        what: the model, for the message.
    """
    try:
        return facts_of(path)
    except (NotGguf, struct.error, UnicodeDecodeError) as error:
        words = "it ends in the middle" if isinstance(error, struct.error) else str(error)
        raise UnsafeModel("not_gguf", f"{what} is no whole GGUF file: {words}.", "Download it again.") from error


class _Reader:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def header(self) -> tuple[int, int, int]:
        version, tensors, keys = struct.unpack("<IQQ", self._file.read(20))
        return version, tensors, keys

    def number(self, form: str) -> Any:
        (value,) = struct.unpack(form, self._file.read(struct.calcsize(form)))
        return value

    def text(self) -> str:
        length = self.number("<Q")
        if length > _TEXT_BYTES:
            raise NotGguf(f"it claims a text of {length} bytes")
        data = self._file.read(length)
        if len(data) < length:
            raise NotGguf("it ends in the middle")
        return data.decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        """A value; None of an array, which is passed over."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise NotGguf(f"it has a value of the unknown type {kind}")
        inner, count = self.number("<I"), self.number("<Q")
        if count > _MOST_ITEMS or inner == _ARRAY:
            raise NotGguf(f"it claims an array of {count} values")
        if inner in _SCALARS:
            self._file.seek(count * struct.calcsize(_SCALARS[inner]), 1)
        else:
            for _ in range(count):
                self.value(inner)
        return None

    def tensor(self) -> int:
        """Where a tensor begins, from the end of the head."""
        self.text()
        dimensions = self.number("<I")
        if dimensions > _DIMENSIONS:
            raise NotGguf(f"it claims a tensor of {dimensions} dimensions")
        self._file.seek(8 * dimensions + 4, 1)
        return int(self.number("<Q"))
