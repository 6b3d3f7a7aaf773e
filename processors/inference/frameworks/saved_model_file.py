"""Looks into a SavedModel without loading it: whether it is whole, what goes in and out, and what it could do.

A SavedModel is a program: its operators can read and write files, and call Python. Field numbers are those of
saved_model.proto, meta_graph.proto and graph.proto of TensorFlow 2.21.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from pathlib import Path

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.protobuf import NotWhole, numbers, parts, text
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import Dtype, TensorShape

NAME = "saved_model.pb"
SERVING = "serving_default"  #: the signature that is run

_META_GRAPHS = 2  # of SavedModel
_GRAPH, _SIGNATURES = 2, 5  # of MetaGraphDef
_NODES, _LIBRARY = 1, 2  # of GraphDef
_DTYPES: dict[int, Dtype] = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 6: "int8", 7: "string", 9: "int64", 10: "bool", 19: "float16",
}  # fmt: skip
_MOST_LENGTH = 1 << 40
# Files of all kinds, datasets (which are read from files), whatever runs Python, and what writes logs or calls others.
_FORBIDDEN = re.compile(r"File(?!name)|Reader|Dataset|PyFunc|Print|Debug|Summary|Remote|Rpc")
# What TensorFlow would load instead of the file that is looked at here, or beside it.
_OTHER_FORMS = ("saved_model.cpb", "saved_model.pbtxt")


def refuse_unsafe(folder: Path, what: str) -> Signature:
    """Refuse a folder that is no SavedModel, or whose operators reach beyond it; give what goes in and out.

    Args:
        what: the model, for the message.
    """
    file = folder / NAME
    if other := next((each for each in _OTHER_FORMS if (folder / each).exists()), None):
        raise UnsafeModel("unsafe_model", f"{what} has {other} as well, which is not looked into.", "Export it again.")
    try:
        if not file.is_file() or file.stat().st_size == 0:
            raise NotWhole(f"it has no {NAME}")
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if operator := next((each for each in _operators(data) if _FORBIDDEN.search(each)), None):
                message = (
                    f"{what} has the operator {operator}, which reaches beyond the model: files, programs or logs."
                )
                raise UnsafeModel("unsafe_model", message, "Export it without: what it reads can go in as an input.")
            return _signature(data)
    except NotWhole as error:
        hint = "Export or download it again."
        raise UnsafeModel("not_saved_model", f"{what} is no whole SavedModel: {error}.", hint) from error


def _graphs(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    found = list(parts(data, 0, len(data), _META_GRAPHS))
    if not found:
        raise NotWhole("it has no graph")
    yield from found


def _operators(data: mmap.mmap) -> Iterator[str]:
    """Of the graph, and of the functions in its library."""
    for meta in _graphs(data):
        for graph in parts(data, *meta, _GRAPH):
            yield from _operators_of(data, *graph, _NODES)
            for library in parts(data, *graph, _LIBRARY):
                for function in parts(data, *library, 1):
                    yield from _operators_of(data, *function, 3)


def _operators_of(data: mmap.mmap, start: int, end: int, field: int) -> Iterator[str]:
    for node in parts(data, start, end, field):
        for operator in parts(data, *node, 2):
            yield text(data, *operator)


def _signature(data: mmap.mmap) -> Signature:
    for meta in _graphs(data):
        for name, value in _entries(data, *meta, _SIGNATURES):
            if name == SERVING:
                return Signature(_tensors(data, *value, 1), _tensors(data, *value, 2))
    raise NotWhole(f"it has no signature {SERVING!r}")


def _entries(data: mmap.mmap, start: int, end: int, field: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """The pairs of a map."""
    for entry in parts(data, start, end, field):
        for value in parts(data, *entry, 2):
            yield "".join(text(data, *key) for key in parts(data, *entry, 1)), value


def _tensors(data: mmap.mmap, start: int, end: int, field: int) -> tuple[TensorShape, ...]:
    found: list[TensorShape] = []
    for name, info in _entries(data, start, end, field):
        dtype = next((_DTYPES.get(each) for each in numbers(data, *info, 2)), None)
        if dtype is None:
            continue
        lengths = [
            next(numbers(data, *size, 1), 0) for shape in parts(data, *info, 3) for size in parts(data, *shape, 2)
        ]
        shape = [each if 0 < each < _MOST_LENGTH else -1 for each in lengths]
        found.append(TensorShape(name=name, dtype=dtype, shape=shape))
    return tuple(sorted(found, key=lambda each: each.name))
