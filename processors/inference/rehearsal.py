"""An attempt on a text before there is one, in the worker's own process: it leaves nothing but memory.

What a process does for the first time it writes down somewhere: what a library looks up, what a class prepares. In a
fork that is memory which is copied, and the next fork does it again. So it is done once before the first fork, as far
as it can be done without models, which are the companion's: the answers of this one's are zeros.
"""

from __future__ import annotations

import contextlib
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.errors import ModelError
from processors.inference.frameworks.port import Tensors
from processors.inference.manifest import Tokens
from processors.inference.repository import Repository
from processors.inference.serving.remote import Companion
from processors.inference.work import perform
from processors.protocol import AttemptRequest, Service
from processors.specs import InferenceSpec
from processors.worker.context import Context

_TEXT = "Everything is ready."
_MOST_NUMBERS = 1_000_000  # in one output


def rehearse(repository: Repository) -> None:
    """Do what attempts do: on the first model that takes tokens, and on one that is run after it."""
    for name in _models(repository):
        spec = InferenceSpec.model_validate({"model": name, "inputData": _TEXT})
        request = AttemptRequest(
            token="rehearsal.1", service=Service.INFERENCE, spec={}, timeout_seconds=1, output_limit_bytes=1
        )
        # Whatever a stranger's model brings about here, the worker lives: attempts say what is wrong with it.
        with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as directory:
            out = Path(directory)
            context = Context(spec=spec, request=request, inputs=out, out=out, emit=_forget)
            perform(context, repository, _Zeros(repository)).model_dump(mode="json")


def _forget(event: Mapping[str, Any]) -> None:
    json.dumps(event)


def _models(repository: Repository) -> list[str]:
    found: dict[str, str] = {}  # by the model that is run first
    for name in repository.names():
        with contextlib.suppress(ModelError):  # whoever asks for it is told
            manifest = repository.find(name).manifest
            if isinstance(manifest.preprocessing, Tokens):
                found.setdefault("tokens", name)
            elif manifest.uses is not None and manifest.file is not None:
                found.setdefault("used", name)
    return list(found.values())


class _Zeros(Companion):
    """Gives every output that a manifest names, and has no model."""

    def __init__(self, repository: Repository) -> None:
        super().__init__("")
        self._repository = repository

    def ask(
        self, head: Mapping[str, Any], tensors: Tensors | None = None, on_piece: Callable[[str], None] | None = None
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        first = next(iter((tensors or {}).values()), np.zeros((1, 1)))
        outputs: dict[str, NDArray[Any]] = {}
        for each in self._repository.find(head["model"]).manifest.outputs:
            open_sizes = [*first.shape, *[1] * len(each.shape)]
            size = [open_sizes[axis] if size == -1 else size for axis, size in enumerate(each.shape)]
            if math.prod(size) > _MOST_NUMBERS:
                raise ModelError("bad_manifest", f"{each.name} is too large to rehearse with.")
            outputs[each.name] = np.zeros(size, np.float32)
        return {}, outputs
