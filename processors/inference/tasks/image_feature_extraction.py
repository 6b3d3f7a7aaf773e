"""Image feature extraction: a picture as a vector, alike for pictures that show alike things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from processors.inference.manifest import Picture, Vector
from processors.inference.model import Model
from processors.inference.pictures import tensor
from processors.inference.tasks.feature_extraction import stacked, vector_line
from processors.inference.tasks.task import Asked, Task


def _extract(model: Model, pictures: Sequence[Image.Image], asked: Asked) -> list[Any]:
    del asked
    how, vector = model.runs.manifest.preprocessing, model.manifest.postprocessing
    if not isinstance(how, Picture) or not isinstance(vector, Vector):
        raise model.bad("it makes no vectors of pictures: preprocessing is to be picture, and postprocessing vector.")
    outputs = model.run({how.input: tensor(pictures, how)}, [vector.output] if vector.output else [])
    values = next(iter(outputs.values())).astype(np.float32, copy=False)
    return list(values.reshape(len(values), -1))


TASK = Task("picture", _extract, vector_line, as_tensors=stacked, is_always_list=True, chunk=4)
