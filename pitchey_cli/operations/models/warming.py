"""The job that has a model loaded: it works on something that means nothing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.models.listing import found
from pitchey_cli.operations.requests import Request
from processors.inference.manifest import WITHOUT_MODEL, Manifest, TaskName
from processors.vocabulary import Service

_OF_PICTURES = ("image-classification", "image-moderation", "image-feature-extraction", "object-detection")
_SIDE = 64  # pixels
_TEXT = "Nothing is meant by this."
_MOST_ZEROS = 16 << 20  # numbers, of tensors
_PARAMETERS: dict[TaskName, dict[str, Any]] = {
    "text-generation": {"max_tokens": 1},
    "zero-shot-classification": {"labels": ["this", "that"]},
}


def request(store: ModelStore, reference: str, folder: Path) -> Request:
    """What a model is asked.

    Args:
        folder: where a picture may be put; it has to be there until the job is staged.

    Raises:
        InputNotFound: there is no such model.
        UsageError: it has nothing to load, or nobody but its user knows what it takes.
    """
    model = found(store, reference)
    said = model.manifest or model.default
    if said is None or said.task in WITHOUT_MODEL:
        raise _unknown(model.reference)
    fields = {"model": model.reference, "parameters": _PARAMETERS.get(said.task, {})}
    if said.task == "tensors":
        zeros = None if model.manifest is None else _zeros(folder, model.manifest)
        if zeros is None:
            raise _unknown(model.reference)
        return Request(Service.INFERENCE, (str(zeros),), fields)
    if said.task not in _OF_PICTURES:
        return Request(Service.INFERENCE, (), {**fields, "input_data": _TEXT})
    return Request(Service.INFERENCE, (str(_picture(folder)),), fields)


def _unknown(reference: str) -> UsageError:
    return UsageError(f"What {reference} could work on is not known here.", hint="A job of yours loads it.")


def _zeros(folder: Path, manifest: Manifest) -> Path | None:
    """A file with a tensor of one row for each input; None where the manifest leaves open what they are like."""
    import numpy as np  # late, as it takes longer to load than most verbs to run

    sizes = {each.name: [1 if place == 0 and size < 0 else size for place, size in enumerate(each.shape)]
             for each in manifest.inputs}  # fmt: skip
    is_open = any(size < 0 for each in sizes.values() for size in each)
    is_large = any(math.prod(each) > _MOST_ZEROS for each in sizes.values())
    if not sizes or is_open or is_large or any(each.dtype == "string" for each in manifest.inputs):
        return None
    path = folder / f"{manifest.name}-{manifest.version}.npz"
    tensors = {each.name: np.zeros(sizes[each.name], each.dtype) for each in manifest.inputs}
    np.savez_compressed(path, allow_pickle=False, **tensors)
    return path


def _picture(folder: Path) -> Path:
    from PIL import Image  # late: of all verbs only this one needs it

    path = folder / "grey.png"
    if not path.exists():
        Image.new("RGB", (_SIDE, _SIDE), "grey").save(path)
    return path
