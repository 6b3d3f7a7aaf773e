"""Object detection: what is in a picture, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from processors.inference.manifest import Boxes, Picture
from processors.inference.model import Model
from processors.inference.pictures import shown, tensor
from processors.inference.tasks.scoring import rounded
from processors.inference.tasks.task import Asked, Task

_SIDES = ("xmin", "ymin", "xmax", "ymax")


def _detect(model: Model, pictures: Sequence[Image.Image], asked: Asked) -> list[Any]:
    before, after = model.runs.manifest.preprocessing, model.manifest.postprocessing
    if not isinstance(before, Picture) or not isinstance(after, Boxes):
        raise model.bad("a detector has the preprocessing picture and the postprocessing boxes.")
    # One at a time: many detectors are made for that, and a picture has its own number of objects.
    return [_objects(model, picture, before, after, asked) for picture in pictures]


def _objects(model: Model, picture: Image.Image, before: Picture, after: Boxes, asked: Asked) -> list[dict[str, Any]]:
    wanted = [each for each in (after.boxes, after.scores, after.classes) if each is not None]
    outputs = model.run({before.input: tensor([picture], before)}, wanted)
    boxes = outputs[after.boxes].reshape(-1, len(_SIDES)).astype(np.float64)
    scores, classes = _scored(model, outputs, after, len(boxes))
    model.finite(scores, f"the scores of its output {after.scores}")
    least = after.threshold if asked.parameters.threshold is None else asked.parameters.threshold
    sure = np.flatnonzero(scores >= least)
    order = sure[np.argsort(-scores[sure], kind="stable")]
    corners = _in_pixels(model.finite(boxes[order], f"the boxes of its output {after.boxes}"), picture, before, after)
    # What lies in the border alone, or is inside out, is nowhere in the picture.
    seen = (corners[:, 2:] > corners[:, :2]).all(axis=1)
    order, corners = order[seen], corners[seen]
    kept = range(len(order)) if after.overlap is None else _apart(corners, classes[order], after.overlap)
    found = [(order[place], corners[place]) for place in kept]
    return [
        {
            "label": _label(model, int(classes[row])),
            "score": rounded(scores[row]),
            "box": {side: round(float(value)) for side, value in zip(_SIDES, box, strict=True)},
        }
        for row, box in found[: asked.parameters.top_k]
    ]


def _scored(
    model: Model, outputs: dict[str, NDArray[Any]], after: Boxes, count: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The score of each box, and its class."""
    values = outputs[after.scores].astype(np.float32)
    if after.classes is not None:
        scores, classes = values.reshape(-1), outputs[after.classes].reshape(-1).astype(np.int64)
        if not len(scores) == len(classes) == count:
            raise model.bad(f"it gives {count} boxes, {len(scores)} scores and {len(classes)} classes.")
        return scores, classes
    if values.size != count * len(model.labels):
        raise model.bad(f"it gives {count} boxes and {values.size} scores, and there are {len(model.labels)} labels.")
    table = values.reshape(count, len(model.labels))
    return table.max(1, initial=0), table.argmax(1)


def _label(model: Model, place: int) -> str:
    if not 0 <= place < len(model.labels):
        raise model.bad(f"it gives the class {place}, and there are {len(model.labels)} labels.")
    return model.labels[place]


def _in_pixels(boxes: NDArray[Any], picture: Image.Image, before: Picture, after: Boxes) -> NDArray[Any]:
    """Corners in pixels of the picture, and none of them beyond its edges."""
    corners = boxes.copy()
    if after.form != "xyxy":
        corners[:, 2:] += boxes[:, :2]
    if after.form == "cxcywh":
        corners -= np.tile(boxes[:, 2:] / 2, 2)
    if after.unit == "pixels":
        corners /= np.array([before.width, before.height] * 2)
    left, top, width, height = shown(picture.width, picture.height, before)
    corners = corners * np.array([width, height] * 2) + np.array([left, top] * 2)
    edges: NDArray[Any] = np.clip(corners, 0, np.array([picture.width, picture.height] * 2))
    return edges


def _apart(boxes: NDArray[Any], classes: NDArray[Any], most: float) -> list[int]:
    """The boxes that no surer one of their class covers. They come in order, the surest first."""
    kept: list[int] = []
    for place in range(len(boxes)):
        rivals = [each for each in kept if classes[each] == classes[place]]
        if not rivals or _overlap(boxes[place], boxes[rivals]).max() <= most:
            kept.append(place)
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
