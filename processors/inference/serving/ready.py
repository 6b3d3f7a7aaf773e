"""What is done with a model between its loading and its first job: it is run once, and made to take several at once."""

from __future__ import annotations

import contextlib

from processors.inference.errors import ModelError
from processors.inference.frameworks.port import Generator, Loaded
from processors.inference.manifest import Manifest
from processors.inference.serving.batcher import Batcher
from processors.inference.serving.samples import sample
from processors.worker.context import HandlerError


def made_ready(loaded: Loaded, manifest: Manifest) -> Loaded:
    """A model that has been run, and runs what several jobs want at once where its manifest says so.

    The first run takes longer than the others: memory is taken, and some libraries choose how to compute. What writes
    text has had that at its load.
    """
    if isinstance(loaded, Generator):
        return loaded
    if (tensors := sample(manifest)) is not None:
        # Where the manifest's shapes are wrong, jobs are told so with what they give.
        with contextlib.suppress(HandlerError, ModelError):
            loaded.run(tensors)
    return Batcher(loaded, manifest) if manifest.batching.max_size > 1 else loaded
