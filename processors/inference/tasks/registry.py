"""Which module does which task; imported when first needed."""

from __future__ import annotations

import importlib

from processors.inference.manifest import TaskName
from processors.inference.tasks.task import Task

#: `module:name` below this package
_TASKS: dict[TaskName, str] = {
    "text-classification": "text_classification:TASK",
    "text-moderation": "text_classification:MODERATION",
    "zero-shot-classification": "zero_shot_classification:TASK",
    "token-classification": "token_classification:TASK",
    "summarization": "summarization:TASK",
    "text-generation": "text_generation:TASK",
    "feature-extraction": "feature_extraction:TASK",
    "image-classification": "image_classification:TASK",
    "image-moderation": "image_classification:MODERATION",
    "image-feature-extraction": "image_feature_extraction:TASK",
    "object-detection": "object_detection:TASK",
    "recommendation": "recommendation:TASK",
    "recommendation-fit": "recommendation:FIT",
    "tensors": "tensors:TASK",
}


def served() -> list[str]:
    """The tasks that there are."""
    return list(_TASKS)


def task_named(name: str) -> Task | None:
    """The task of a name; None where it is not served."""
    place = _TASKS.get(name)  # type: ignore[call-overload]  # any name may be asked for
    if place is None:
        return None
    module, _, attribute = place.partition(":")
    task: Task = getattr(importlib.import_module(f"processors.inference.tasks.{module}"), attribute)
    return task
