"""The inference service's handler. Light, so that an instance is ready early: its libraries take their time to load."""

from __future__ import annotations

import importlib.util
import os
import socket
from pathlib import Path

from processors.protocol import AttemptRequest, Result
from processors.specs import InferenceSpec
from processors.worker import companion
from processors.worker.beside import Host
from processors.worker.context import Context

BAKED = Path("/opt/pitchey/models")  #: what the image has
_SHARED_CHARS = 8192  # of a text; longer ones have a process, whose end ends the work on them

_roots: list[Path] = [BAKED]


def use_models(directory: Path) -> None:
    """Models of this machine; the image's come after them."""
    _roots[:] = [directory, BAKED]


def check() -> None:
    """Find out before the first attempt what every attempt would fail for."""
    for module, package in (("onnxruntime", "onnxruntime"), ("PIL", "pillow"), ("tokenizers", "tokenizers")):
        if importlib.util.find_spec(module) is None:
            raise SystemExit(f"the Python package {package} cannot be found; pip install {package}")


def warm() -> None:
    """Load what every attempt needs, but no model: those are the companion's."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # else numpy starts threads, and every attempt is a fork
    from processors.inference.errors import ModelError
    from processors.inference.manifest import Tokens
    from processors.inference.rehearsal import rehearse
    from processors.inference.repository import Repository
    from processors.inference.tasks.registry import served, task_named
    from processors.inference.tokens import tokenizer

    for name in served():
        task_named(name)
    repository = Repository(_roots)
    for name in repository.names():
        try:
            entry = repository.find(name)
        except ModelError:  # whoever asks for it is told
            continue
        if isinstance(how := entry.manifest.preprocessing, Tokens) and (entry.folder / how.tokenizer).is_file():
            tokenizer(entry, how)
    rehearse(repository)


def beside(listening: socket.socket, worker: Host) -> None:
    """Have the models loaded, for all attempts, and do there what may be shared."""
    from processors.inference.repository import Repository
    from processors.inference.serving import host

    host.serve(listening, Repository(_roots), worker)


def may_share(request: AttemptRequest) -> bool:
    """Whether an attempt is about one text that stands in its spec, and not long."""
    spec = request.spec
    text = spec.get("inputData", spec.get("input_data"))
    return isinstance(text, str) and len(text) <= _SHARED_CHARS and not request.inputs and not spec.get("measure")


def handle(context: Context[InferenceSpec]) -> Result:
    """Do what the spec asks for."""
    from processors.inference.repository import Repository
    from processors.inference.serving.remote import Companion
    from processors.inference.work import result

    return result(context, Repository(_roots), Companion(companion.address()))
