"""What a task is to the rest of the service: what it takes, and how it answers. What steers it is in steering.py."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from processors.inference.model import Model
from processors.specs.inference import InferenceParameters

Takes = Literal["text", "picture", "tensors", "files"]  #: files: all of a job's are one input


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job asks beside its inputs."""

    parameters: InferenceParameters
    on_text: Callable[[str], None] = lambda _: (
        None
    )  #: is given generated text piece by piece, and before that empty ones
    name: str = "the input"  #: what the user calls it


#: one answer per input, in order; an answer is what JSON can say, with arrays where there are many numbers
Answer = Callable[[Model, Sequence[Any], Asked], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """One task. Its answers have the field names of the Hugging Face task of the same name."""

    takes: Takes
    answer: Answer
    as_text: Callable[[Any], str]  #: one answer as a person reads it
    as_tensors: Callable[[Sequence[Any]], Mapping[str, NDArray[Any]]] | None = None  #: for outputFormat binary
    as_document: Callable[[Any], Any] = lambda answer: answer  #: one answer as JSON has it
    is_always_list: bool = False  #: the answer to one input is a list of one, too
    is_by_itself: bool = False  #: each input is answered at its place, whatever the others are
    chunk: int = 32  #: inputs that are answered at once; between two of them there is progress
