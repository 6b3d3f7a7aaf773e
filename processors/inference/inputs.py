"""What a job works on, as the inputs of its task: from the spec itself, from a file, from many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from processors.inference.pictures import opened
from processors.inference.tasks.task import Takes
from processors.inference.tensor_files import MOST_BYTES, from_file, from_json
from processors.specs import InferenceSpec
from processors.worker.cgroup import read_usage
from processors.worker.context import Context, Rejected

BULK_SUFFIXES = frozenset({".jsonl", ".ndjson"})
_LINE_FIELDS = ("text", "inputs", "inputData")  # of a line of JSON Lines: which one is the text
_TEXT_BYTES = 16 * 1024 * 1024  # of one text
_TENSOR_SHARE = 1 / 8  # of the instance's memory, that the tensors of a job may take
_MOST_TEXTS = 100_000  # in the spec itself, and of one tensor


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of one job."""

    names: list[str]  #: what each is called, in messages and where there are many
    is_many: bool  #: a list was given, so a list is the answer
    is_bulk: bool  #: a file with one on each line: so is the answer
    values: list[Any]  #: texts, or the files of pictures; none of a file with many
    lines: Lines | None = None  #: that file

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.values) if self.lines is None else self.lines.count

    def parts(self, size: int, takes: Takes) -> Iterator[tuple[list[str], list[Any]]]:
        """All of them, some at a time, read: what they are called, and what they are."""
        each = iter(zip(self.names, self.values, strict=True)) if self.lines is None else iter(self.lines)
        while some := list(islice(each, size)):
            names = [name for name, _ in some]
            yield names, [opened(value, name) if takes == "picture" else value for name, value in some]


@dataclass(frozen=True, slots=True)
class Lines:
    """A file with a text on each line, which is read again for each pass: there may be more than memory holds."""

    path: Path
    name: str
    count: int

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return _lines(self.path, self.name)


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
        return _many(*files[0], is_binary=spec.output_format == "binary")
    if takes == "tensors":
        path, name = files[0]
        return Inputs([name], False, False, [from_file(path, name, most_bytes=_most_tensor_bytes())])
    values = [_text(path, name) for path, name in files]
    return Inputs([name for _, name in files], spec.input_files is not None, False, values)


def _most_tensor_bytes() -> int:
    """They are there several times: as read, on their way to the model and in it, and what it makes of them."""
    limit = read_usage().memory_limit_bytes
    return MOST_BYTES if limit is None else min(MOST_BYTES, int(limit * _TENSOR_SHARE))


def _many(path: Path, name: str, *, is_binary: bool) -> Inputs:
    """A file with many texts; each has been looked at, so a bad one is told before any is answered."""
    lines = Lines(path, name, sum(1 for _ in _lines(path, name)))
    if is_binary and lines.count > _MOST_TEXTS:
        message = f"{name} has {lines.count} texts, and one tensor is made of {_MOST_TEXTS} at most."
        raise Rejected("too_many_inputs", message, "Part the file, or ask for json, which is written line by line.")
    return Inputs([], True, True, [], lines)


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
    names = [f"Text {number}" for number in range(1, len(texts) + 1)] if is_many else ["The text"]
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
        raise Rejected("empty_text", f"{name} holds nothing but blanks.")


def _lines(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Each line's name and text."""
    count = 0
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_TEXT_BYTES + 1), b""), start=1):
            where = f"{name}, line {number}"
            if not line.strip():
                continue
            if len(line) > _TEXT_BYTES:
                raise Rejected("text_too_long", f"{where}, has more than {_TEXT_BYTES >> 20} MiB.")
            try:
                value = json.loads(line)
            except (ValueError, RecursionError) as error:
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
            _refuse_blank(value, f"{where},")
            count += 1
            yield called, value
    if not count:
        raise Rejected("empty_input", f"{name} holds no line.")
