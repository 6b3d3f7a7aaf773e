"""Answers as the file that a job leaves: JSON, JSON Lines, text, or tensors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.inputs import Inputs
from processors.inference.tasks.task import Task
from processors.worker.context import Rejected

_SAFE_DTYPES = {
    "float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "int32": "I32", "int16": "I16", "int8": "I8",
    "uint8": "U8", "bool": "BOOL",
}  # fmt: skip
_ALIGNMENT = 8
_TEXT = ("inference.txt", "text/plain; charset=utf-8")
_LINES = ("inference.jsonl", "application/x-ndjson")
_DOCUMENT = ("inference.json", "application/json")


def as_text(
    form: str, task: Task, inputs: Inputs, answers: Sequence[Any], envelope: Mapping[str, Any]
) -> tuple[str, str, str]:
    """Answers as one text.

    Args:
        envelope: what is said of the run beside its output.

    Returns:
        The name of the file that it makes, its media type, and the text.
    """
    if form == "text":
        return *_TEXT, "".join(f"{task.as_text(answer)}\n" for answer in answers)
    documents = [task.as_document(answer) for answer in answers]
    output = documents if inputs.is_many or task.is_always_list else documents[0]
    ordered = {key: envelope[key] for key in ("model", "version", "task")}
    document = {**ordered, "output": output, **{key: envelope[key] for key in envelope if key not in ordered}}
    return *_DOCUMENT, _json(document) + "\n"


def write_lines(
    out: Path, form: str, task: Task, answered: Iterable[tuple[Sequence[str], Sequence[Any]]]
) -> tuple[str, str]:
    """Write answers as they come, one on each line: as text, or as JSON with what its input is called.

    Args:
        answered: names of inputs, and the answers to them; nothing is kept of those that are written.
    """
    name, media_type = _TEXT if form == "text" else _LINES
    with (out / name).open("w", encoding="utf-8") as file:
        for names, answers in answered:
            for called, answer in zip(names, answers, strict=True):
                document = None if form == "text" else {"id": called, "output": task.as_document(answer)}
                file.write((task.as_text(answer) if document is None else _json(document)) + "\n")
    return name, media_type


def write_tensors(out: Path, task: Task, answers: Sequence[Any], envelope: Mapping[str, Any]) -> tuple[str, str]:
    """Write answers as tensors; the file's name, and its media type.

    Raises:
        Rejected: the task has no tensors to give.
    """
    out.mkdir(parents=True, exist_ok=True)
    if task.as_tensors is None:
        message = f"{envelope['model']} answers with words: there are no tensors for outputFormat binary."
        raise Rejected("no_tensors", message, "Ask for json or text.")
    tensors = task.as_tensors(answers)
    if len(tensors) == 1:
        with (out / "inference.npy").open("wb") as file:
            np.save(file, next(iter(tensors.values())), allow_pickle=False)
        return "inference.npy", "application/octet-stream"
    (out / "inference.safetensors").write_bytes(safetensors(tensors))
    return "inference.safetensors", "application/octet-stream"


def safetensors(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Tensors in the format of the library safetensors: the length of a JSON head, the head, the bytes of all.

    Raises:
        Rejected: one has a type that the format does not have.
    """
    head: dict[str, Any] = {}
    bodies: list[bytes] = []
    at = 0
    for name, value in tensors.items():
        if value.dtype.name not in _SAFE_DTYPES:
            raise Rejected("no_tensors", f"The output {name!r} is {value.dtype}, which safetensors cannot hold.")
        body = np.ascontiguousarray(value).tobytes()
        offsets = [at, at + len(body)]
        head[name] = {"dtype": _SAFE_DTYPES[value.dtype.name], "shape": list(value.shape), "data_offsets": offsets}
        bodies.append(body)
        at += len(body)
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text + b"".join(bodies)


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError as error:  # the only one that these values can have
        message = "The answer has NaN or infinite numbers, which JSON cannot say."
        raise Rejected("not_finite", message, "Of tensors outputFormat binary can.") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no JSON")
