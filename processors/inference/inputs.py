"""What a job works on, as the inputs of its task: from the spec itself, from a file, from many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from processors.inference.pictures import opened
from processors.inference.tasks.task import Takes
from processors.inference.tensor_files import from_file, from_json
from processors.specs import InferenceSpec
from processors.worker.context import Context, Rejected

BULK_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_LINE_FIELDS = ("text", "inputs", "inputData")  # of a line of JSON Lines: which one is the text
_TEXT_BYTES = 16 * 1024 * 1024  # of one text
_MOST_TEXTS = 100_000  # in the spec itself


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of one job."""

    names: list[str]  #: what each is called, in messages and where there are many
    is_many: bool  #: a list was given, so a list is the answer
    is_bulk: bool  #: a file with one on each line: so is the answer
    values: list[Any]  #: texts, or the files of pictures

    def at(self, start: int, count: int, takes: Takes) -> list[Any]:
        """Some of them, read."""
        part = self.values[start : start + count]
        if takes != "picture":
            return part
        return [opened(path, name) for path, name in zip(part, self.names[start : start + count], strict=True)]


def inputs_of(context: Context[InferenceSpec], takes: Takes) -> Inputs:
    """Find what the job works on.

    Raises:
        Rejected: it is not what the task takes, or cannot be read.
    """
    spec = context.spec
    if spec.input_data is not None:
        return _inline(spec, takes)
    files = [(context.inputs / each.path, each.name) for each in context.request.inputs]
    if not files:
        raise Rejected("input_missing", "The job names no file.")
    if takes == "files":
        return Inputs(["the files"], False, False, [[(name, path) for path, name in files]])
    if takes == "picture":
        names = [name for _, name in files]
        return Inputs(names, spec.input_files is not None, False, [path for path, _ in files])
    if takes == "text" and spec.input_files is None and PurePosixPath(files[0][1]).suffix.lower() in BULK_SUFFIXES:
        texts = list(_lines(*files[0]))
        return Inputs([name for name, _ in texts], True, True, [text for _, text in texts])
    if takes == "tensors":
        path, name = files[0]
        return Inputs([name], False, False, [from_file(path, name)])
    values = [_text(path, name) for path, name in files]
    return Inputs([name for _, name in files], spec.input_files is not None, False, values)


def _inline(spec: InferenceSpec, takes: Takes) -> Inputs:
    data = spec.input_data
    if takes == "picture":
        said = f" {data[:80]!r}" if isinstance(data, str) else ""
        raise Rejected(
            "not_a_picture", f"{spec.model} takes pictures, and{said or ' inputData'} is no file.",
            "Name a file or a URL; is the path right?",
        )  # fmt: skip
    if takes == "files":
        raise Rejected(
            "not_a_file",
            f"{spec.model} takes files, and inputData is none.",
            "Name a file or a URL; is the path right?",
        )
    if takes == "tensors":
        return Inputs(["the tensors"], False, False, [from_json(data, spec.model)])
    texts = [data] if isinstance(data, str) else data
    if not isinstance(texts, list) or not texts or not all(isinstance(each, str) for each in texts):
        raise Rejected("wrong_input", f"{spec.model} takes a text, or a list of texts.")
    if len(texts) > _MOST_TEXTS:
        raise Rejected(
            "too_many_inputs", f"{len(texts)} texts are more than {_MOST_TEXTS}.", "A .jsonl file may hold more."
        )
    is_many = not isinstance(data, str)
    names = [f"text {number}" for number in range(1, len(texts) + 1)] if is_many else ["the text"]
    for name, text in zip(names, texts, strict=True):
        _refuse_blank(text, name)
    return Inputs(names, is_many, False, list(texts))


def _text(path: Path, name: str) -> str:
    data = _read(path, name)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is no UTF-8 text: byte {error.start} is 0x{data[error.start]:02x}."
        raise Rejected("not_a_text", message, "This model takes texts.") from error
    _refuse_blank(text, name)
    return text


def _read(path: Path, name: str) -> bytes:
    if path.stat().st_size > _TEXT_BYTES:
        raise Rejected(
            "text_too_long", f"{name} has more than {_TEXT_BYTES >> 20} MiB.", "A .jsonl file holds many texts."
        )
    return path.read_bytes()


def _refuse_blank(text: str, name: str) -> None:
    if not text.strip():
        raise Rejected("empty_text", f"{name[:1].upper()}{name[1:]} holds nothing but blanks.")


def _lines(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Each line's name and text."""
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{name}, line {number}"
            if not line.strip():
                continue
            if len(line) > _TEXT_BYTES:
                raise Rejected("text_too_long", f"{where}, has more than {_TEXT_BYTES >> 20} MiB.")
            try:
                value = json.loads(line)
            except ValueError as error:
                raise Rejected(
                    "not_json_lines",
                    f"{where}, is not JSON.",
                    "A line is a text in quotes, or an object with the field text.",
                ) from error
            called = str(value["id"]) if isinstance(value, Mapping) and "id" in value else str(number)
            if isinstance(value, Mapping):
                value = next((value[field] for field in _LINE_FIELDS if field in value), None)
            if not isinstance(value, str):
                raise Rejected(
                    "not_json_lines",
                    f"{where}, has no text.",
                    "A line is a text in quotes, or an object with the field text.",
                )
            _refuse_blank(value, where)
            count += 1
            yield called, value
    if not count:
        raise Rejected("empty_input", f"{name} holds no line.")
