"""How models are to be batched: asked of a job that measures it, and written into the manifests of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.models import warming
from pitchey_cli.operations.models.listing import found
from pitchey_cli.operations.models.manifests import written
from pitchey_cli.operations.requests import Request
from processors.inference.manifest import Batching


@dataclass(frozen=True, slots=True)
class Bench:
    """What was measured of one model."""

    reference: str  #: of the model whose file is run: of one that is another use, that one's
    seconds: Mapping[int, float]  #: of one run, by how many inputs are in it
    batching: Batching
    is_written: bool = False


def request(store: ModelStore, reference: str, folder: Path) -> Request:
    """The job that measures a model. Arguments and errors as those of `warming.request`."""
    asked = warming.request(store, reference, folder)
    return Request(asked.service, asked.inputs, {**asked.fields, "parameters": {}, "measure": True})


def kept(store: ModelStore, details: Mapping[str, Any]) -> Bench:
    """Take what a job has measured, and write it down where the model is this machine's.

    Args:
        details: of the job.
    """
    batching = Batching.model_validate(details["batching"])
    seconds = {int(size): float(took) for size, took in details["runSeconds"].items()}
    bench = Bench(details["model"], seconds, batching)
    model = found(store, bench.reference)
    if model.manifest is None:
        return bench
    changed = model.manifest.model_copy(update={"batching": batching})
    store.rewrite(model.name, model.version, written(changed))
    return Bench(bench.reference, seconds, batching, is_written=True)
