"""Looks into an ONNX file without loading it: whether it is one and whole, and which other files it names.

ONNX is a protocol buffer. Only the fields are read that lead to tensors with data elsewhere.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.protobuf import NotWhole, fields

_IR_VERSION, _GRAPH, _FUNCTIONS = 1, 7, 25  # of ModelProto, onnx.proto 1.17
_TO_TENSORS: dict[str, dict[int, str]] = {
    "model": {_GRAPH: "graph", _FUNCTIONS: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "external"},
}
_MOST_NESTED = 64


def external_files(path: Path) -> set[str]:
    """The files that hold tensors of this one, as it names them.

    Raises:
        NotWhole: says what is wrong.
    """
    if path.stat().st_size == 0:
        raise NotWhole("it is empty")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        numbers = {number for number, *_ in fields(data, 0, len(data))}
        if not {_IR_VERSION, _GRAPH} <= numbers:
            raise NotWhole("it has no graph")
        return set(_locations(data, 0, len(data), "model", 0))


def refuse_unsafe(path: Path, what: str) -> None:
    """Refuse a file that is not ONNX, or that reads files outside of its own folder.

    Args:
        what: the model, for the message.
    """
    try:
        named = external_files(path)
    except NotWhole as error:
        raise UnsafeModel(
            "not_onnx", f"{what} is no whole ONNX file: {error}.", "Export or download it again."
        ) from error
    folder = path.parent.resolve()
    for location in sorted(named):
        parts = PurePosixPath(location).parts
        if location.startswith("/") or ".." in parts or not (folder / location).resolve().is_relative_to(folder):
            message = f"{what} wants to read {location!r}, which is outside of its folder."
            raise UnsafeModel("unsafe_model", message, "Save it with its data inside, or beside it.")
        if not (folder / location).is_file():
            raise UnsafeModel("incomplete_model", f"{what} has data in {location!r}, which is not there.")


def _locations(data: mmap.mmap, start: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if depth > _MOST_NESTED:
        raise NotWhole("it is nested too deep")
    for number, wire, at, stop in fields(data, start, end):
        inner = _TO_TENSORS[kind].get(number)
        if inner is None or wire != 2:
            continue
        if inner != "external":
            yield from _locations(data, at, stop, inner, depth + 1)
            continue
        pair = {each: data[a:b] for each, w, a, b in fields(data, at, stop) if w == 2}
        if pair.get(1) == b"location":
            yield pair.get(2, b"").decode("utf-8", "replace")
