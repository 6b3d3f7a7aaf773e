"""Whether models are to run on a graphics card here, and what one is refused for that does not."""

from __future__ import annotations

import os

from processors.inference.errors import ModelError
from processors.inference.repository import Entry
from processors.vocabulary import GPU_VARIABLE

CPU = "cpu"


def wants_gpu() -> bool:
    """Whether this instance was given the graphics cards."""
    return os.environ.get(GPU_VARIABLE) == "1"


def refuse_other_device(entry: Entry, device: str) -> None:
    """Refuse a model that has been loaded onto the processor where it was to run on a card.

    Args:
        device: what the library says, when asked, that the model runs on.
    """
    if wants_gpu() and device == CPU:
        message = f"The model {entry.manifest.reference} would run on the processor, and a graphics card is asked for."
        hint = f"The {entry.manifest.framework} library of this instance knows no card that is here: "
        raise ModelError("no_gpu", message, hint + "`pitchey config set inference.gpu false`.")
