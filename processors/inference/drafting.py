"""What a manifest says where nobody has said it: read out of the shapes of the model. Pure.

What is guessed is what most models do: pictures are numbers from 0 to 1, scores are logits. `pitchey models show`
prints it, and whoever knows better says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from processors.inference.errors import ModelError
from processors.inference.fitting import described
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import TaskName, TensorShape

_TOKEN_INPUT = "input_ids"
_WHITE = 255  # of a picture's bytes
_COLOURS = (1, 3)
_COORDINATES = 4
_PICTURE_TASKS = ("image-classification", "image-moderation", "image-feature-extraction", "object-detection")


def preprocessing_of(task: TaskName, signature: Signature, *, has_tokenizer: bool) -> dict[str, Any] | None:
    """How an input of the task becomes what an ONNX model takes; None where nothing is done.

    Raises:
        ModelError: its shapes do not say enough, or are none of this task; the hint names the option that helps.
    """
    if task == "tensors":
        return None
    return _picture(signature) if task in _PICTURE_TASKS else _text(signature, has_tokenizer)


def postprocessing_of(task: TaskName, signature: Signature) -> dict[str, Any] | None:
    """How what an ONNX model gives becomes an answer of the task; None where nothing is done. Raises as above."""
    match task:
        case "object-detection":
            return _boxes(signature)
        case "image-classification" | "image-moderation" | "text-classification" | "text-moderation":
            return _scores(signature)
        case "feature-extraction":
            return {"kind": "pooling"}
        case "image-feature-extraction":
            return {"kind": "vector"}
        case _:
            return None


def _picture(signature: Signature) -> dict[str, Any]:
    found = [each for each in signature.inputs if len(each.shape) == 4]
    if len(found) != 1 or len(signature.inputs) != 1:
        raise _unclear("picture", signature.inputs, "takes", "preprocessing")
    (tensor,) = found
    _, second, third, last = tensor.shape
    is_nchw = second in _COLOURS or last not in _COLOURS
    height, width, channels = (third, last, second) if is_nchw else (second, third, last)
    said: dict[str, Any] = {
        "kind": "picture",
        "input": tensor.name,
        "layout": "nchw" if is_nchw else "nhwc",
        "channels": "gray" if channels == 1 else "rgb",
    }
    said |= {"width": width} if width > 0 else {}
    said |= {"height": height} if height > 0 else {}
    return said | ({"dtype": "uint8"} if tensor.dtype == "uint8" else {"divideBy": _WHITE})


def _text(signature: Signature, has_tokenizer: bool) -> dict[str, Any]:
    names = [each.name for each in signature.inputs]
    if _TOKEN_INPUT in names:
        if not has_tokenizer:
            message = f"The model takes {_TOKEN_INPUT}, and there is no tokenizer.json beside it."
            raise ModelError("incomplete_model", message, "Add the folder that has both.")
        return {"kind": "tokens"}
    if len(signature.inputs) == 1 and signature.inputs[0].dtype == "string":
        return {"kind": "strings", "input": names[0]}
    raise _unclear("text", signature.inputs, "takes", "preprocessing")


def _scores(signature: Signature) -> dict[str, Any]:
    flat = [each for each in signature.outputs if len(each.shape) == 2 and each.dtype.startswith("float")]
    chosen = flat if len(signature.outputs) > 1 else list(signature.outputs)
    if len(chosen) != 1:
        raise _unclear("scores", signature.outputs, "gives", "postprocessing")
    return {"kind": "scores", "output": chosen[0].name}


def _boxes(signature: Signature) -> dict[str, Any]:
    if len(signature.outputs) == 1 and len(shape := signature.outputs[0].shape) == 3 and min(shape[1:]) > _COORDINATES:
        # One table, which has many boxes and few numbers for each.
        layout = "columns" if shape[1] < shape[2] else "rows"
        return {"kind": "yolo", "output": signature.outputs[0].name, "layout": layout}
    boxes = [each for each in signature.outputs if len(each.shape) == 3 and each.shape[-1] == 4]
    if len(boxes) != 1:
        raise _unclear("boxes", signature.outputs, "gives", "postprocessing")
    rest = [each for each in signature.outputs if each is not boxes[0]]
    scores = [each for each in rest if "score" in each.name.lower() or "conf" in each.name.lower()]
    if len(scores) != 1:
        raise _unclear("scores of the boxes", signature.outputs, "gives", "postprocessing")
    said = {"kind": "boxes", "boxes": boxes[0].name, "scores": scores[0].name}
    classes = [
        each for each in rest if each is not scores[0] and any(word in each.name.lower() for word in ("class", "label"))
    ]
    if len(scores[0].shape) == 2 and len(classes) != 1:
        raise _unclear("classes of the boxes", signature.outputs, "gives", "postprocessing")
    return said | ({"classes": classes[0].name} if len(scores[0].shape) == 2 else {})


def _unclear(what: str, tensors: Sequence[TensorShape], verb: str, option: str) -> ModelError:
    has = ", ".join(map(described, tensors)) or "nothing"
    message = f"The shapes do not say what is the {what}: the model {verb} {has}."
    return ModelError("unclear_shapes", message, f"--{option} says it as JSON, or --manifest as a file.")
