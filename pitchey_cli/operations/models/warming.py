"""The job that has a model loaded: it works on something that means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.models.store import ModelStore
from pitchey_cli.operations.models.listing import found
from pitchey_cli.operations.requests import Request
from processors.inference.manifest import WITHOUT_MODEL, TaskName
from processors.vocabulary import Service

_OF_PICTURES = ("image-classification", "image-moderation", "image-feature-extraction", "object-detection")
_SIDE = 64  # pixels
_TEXT = "Nothing is meant by this."
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
    if said is None or said.task in WITHOUT_MODEL or said.task == "tensors":
        raise UsageError(f"What {model.reference} could work on is not known here.", hint="A job of yours loads it.")
    fields = {"model": model.reference, "parameters": _PARAMETERS.get(said.task, {})}
    if said.task not in _OF_PICTURES:
        return Request(Service.INFERENCE, (), {**fields, "input_data": _TEXT})
    return Request(Service.INFERENCE, (str(_picture(folder)),), fields)


def _picture(folder: Path) -> Path:
    from PIL import Image  # late: of all verbs only this one needs it

    path = folder / "grey.png"
    if not path.exists():
        Image.new("RGB", (_SIDE, _SIDE), "grey").save(path)
    return path
