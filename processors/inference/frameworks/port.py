"""What every framework is to the rest: it loads a model, and the model runs.

A Session maps named tensors to named tensors, whatever runs it; a Generator continues a conversation. `run` and
`generate` may be called from several threads at once. What waits for more work to do at once (a batcher) is a Session
around a Session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from processors.inference.repository import Entry

Tensors = Mapping[str, NDArray[Any]]  #: by name; texts are arrays of dtype object


class Session(Protocol):
    """A loaded model."""

    @property
    def device(self) -> str:
        """What it truly runs on: cpu, cuda, ..."""

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Compute outputs: those that are named, or all.

        Raises:
            Rejected: an input is missing, or has the wrong type or shape; names it, and what it should be.
        """

    def close(self) -> None:
        """Let go of its memory."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a text is generated from."""

    messages: Sequence[Mapping[str, str]]  #: each with a role (system, user, assistant) and its content
    max_tokens: int
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Generated:
    """How a generation ended."""

    finish_reason: str  #: length, stop or eos_token, as Hugging Face has them
    prompt_tokens: int
    generated_tokens: int
    room_tokens: int  #: that the model has for an answer beside this question


@runtime_checkable
class Generator(Protocol):
    """A loaded language model."""

    @property
    def device(self) -> str:
        """What it truly runs on."""

    def generate(self, prompt: Prompt, say: Callable[[str], bool]) -> Generated:
        """Continue a conversation.

        Args:
            say: is given each piece of the answer as it comes, and an empty one now and then while the question is
                read; when it returns False nobody listens any more, and the generation ends with that.

        Raises:
            Rejected: the question does not fit into the context.
        """

    def close(self) -> None:
        """Let go of its memory."""


Loaded = Session | Generator
Load = Callable[[Entry, int], Loaded]  #: given the threads that it may use
Check = Callable[[Entry], None]  #: raises Rejected when the file is not what it should be, or is not safe


def as_array(value: Any, dtype: str) -> NDArray[Any]:
    """An array of a type as manifests call them."""
    return np.asarray(value, dtype=object if dtype == "string" else dtype)
