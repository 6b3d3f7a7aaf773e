"""Object detection: what is in a picture, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processors.inference.manifest import Boxes, Picture, Yolo
from processors.inference.model import Model
from processors.inference.pictures import shown, tensor
from processors.inference.tasks import boxes
from processors.inference.tasks.scoring import rounded
from processors.inference.tasks.task import Asked, Task

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def _detect(model: Model, pictures: Sequence[Image.Image], asked: Asked) -> list[Any]:
    before, after = model.runs.manifest.preprocessing, model.manifest.postprocessing
    if not isinstance(before, Picture) or not isinstance(after, Boxes | Yolo):
        raise model.bad("a detector has the preprocessing picture and the postprocessing boxes or yolo.")
    # One at a time: many detectors are made for that, and a picture has its own number of objects.
    return [_objects(model, picture, before, after, asked) for picture in pictures]


def _objects(
    model: Model, picture: Image.Image, before: Picture, after: Boxes | Yolo, asked: Asked
) -> list[dict[str, Any]]:
    outputs = model.run({before.input: tensor([picture], before)}, boxes.outputs_of(after))
    read = boxes.read(model, outputs, after)
    scores, classes = read.scores, read.classes
    least = after.threshold if asked.parameters.threshold is None else asked.parameters.threshold
    sure = np.flatnonzero(scores >= least)
    order = sure[np.argsort(-scores[sure], kind="stable")]
    corners = _in_pixels(model.finite(read.boxes[order], "the boxes that it is sure of"), picture, before, after)
    # What lies in the border alone, or is inside out, is nowhere in the picture.
    seen = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    order, corners = order[seen], corners[seen]
    most = asked.parameters.top_k or len(order)
    kept = range(len(order)) if after.overlap is None else _apart(corners, classes[order], after.overlap, most)
    found = [(order[place], corners[place]) for place in kept]
    return [
        {
            "label": _label(model, int(classes[row])),
            "score": rounded(scores[row]),
            "box": {side: round(float(value)) for side, value in zip(_SIDES, box, strict=True)},
        }
        for row, box in found[: asked.parameters.top_k]
    ]


def _label(model: Model, place: int) -> str:
    if not 0 <= place < len(model.labels):
        raise model.bad(f"it gives the class {place}, and there are {len(model.labels)} labels.")
    return model.labels[place]


def _in_pixels(given: NDArray[Any], picture: Image.Image, before: Picture, after: Boxes | Yolo) -> NDArray[Any]:
    """Corners in pixels of the picture, and none of them beyond its edges."""
    corners = given.copy()
    if after.form != "xyxy":
        corners[:, 2:] += given[:, :2]
    if after.form == "cxcywh":
        corners -= np.tile(given[:, 2:] / 2, 2)
    if after.unit == "pixels":
        corners /= np.array([before.width, before.height] * 2)
    left, top, width, height = shown(picture.width, picture.height, before)
    corners = corners * np.array([width, height] * 2) + np.array([left, top] * 2)
    edges: NDArray[Any] = np.clip(corners, 0, np.array([picture.width, picture.height] * 2))
    return edges


def _apart(corners: NDArray[Any], classes: NDArray[Any], share: float, most: int) -> list[int]:
    """The boxes that no surer one of their class covers, so many at most. They come in order, the surest first."""
    kept: list[int] = []
    left = np.arange(len(corners))
    while len(left) and len(kept) < most:
        first, left = int(left[0]), left[1:]
        kept.append(first)
        left = left[(classes[left] != classes[first]) | (_overlap(corners[first], corners[left]) <= share)]
    return kept


def _overlap(box: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """What two boxes share, as a share of what they cover together."""
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.clip(sides, 0, None).prod(axis=1)
    areas = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1)
    shares: NDArray[Any] = both / np.maximum(areas - both, np.finfo(np.float64).tiny)
    return shares


def _line(answer: Any) -> str:
    return "\n".join(_row(each) for each in answer) or "nothing"


def _row(found: Any) -> str:
    box = found["box"]
    corner, size = f"{box['xmin']},{box['ymin']}", f"{box['xmax'] - box['xmin']}x{box['ymax'] - box['ymin']}"
    return f"{found['label']} {found['score']:.3f} at {corner}, {size}"


TASK = Task("picture", _detect, _line, chunk=1)
