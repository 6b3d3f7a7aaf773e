"""Whether a manifest fits the model beside it: names, types, shapes and labels, before anything is loaded. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from processors.inference.errors import ModelError
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import Boxes, Embedded, Manifest, Picture, Scores, Strings, TensorShape, Words, Yolo

_ANY = -1
_SCORED = ("text-classification", "text-moderation", "image-classification", "image-moderation")
_MODERATED = ("text-moderation", "image-moderation")
_COORDINATES = 4
_SHOWN = 5  # labels, in a message


def refuse_misfit(manifest: Manifest, signature: Signature, labels: Sequence[str]) -> None:
    """Compare what a manifest says with what the model has.

    Raises:
        ModelError: names the field, what it says, and what the model has.
    """
    fit = _Fit(manifest, signature)
    fit.declared("input", manifest.inputs, signature.inputs)
    fit.declared("output", manifest.outputs, signature.outputs)
    fit.preprocessing()
    match manifest.postprocessing:
        case Boxes() as boxes:
            fit.boxes(boxes, labels)
        case Yolo() as yolo:
            fit.yolo(yolo, labels)
        case Scores() as scores:
            fit.scores(scores, labels)
        case None if manifest.task in (*_SCORED, "object-detection"):
            fit.refuse("it has no postprocessing, which says how its numbers become an answer")
        case None:
            pass
        case other:
            fit.output("postprocessing.output", other.output)


def described(shape: TensorShape) -> str:
    """`image float32[?, 3, 8, 8]`."""
    sizes = ", ".join("?" if size == _ANY else str(size) for size in shape.shape)
    return f"{shape.name} {shape.dtype}[{sizes}]"


class _Fit:
    def __init__(self, manifest: Manifest, signature: Signature) -> None:
        self._manifest = manifest
        self._signature = signature

    def refuse(self, why: str) -> None:
        inputs = ", ".join(map(described, self._signature.inputs)) or "nothing"
        outputs = ", ".join(map(described, self._signature.outputs)) or "nothing"
        message = f"The manifest of {self._manifest.reference} does not fit its model: {why}."
        raise ModelError("manifest_disagrees", message, f"The model takes {inputs}, and gives {outputs}.")

    def declared(self, kind: str, said: Sequence[TensorShape], has: Sequence[TensorShape]) -> None:
        for each in said:
            found = next((other for other in has if other.name == each.name), None)
            if found is None:
                self.refuse(f"it names the {kind} {each.name!r}, which is not there")
            elif each.dtype != found.dtype or (each.shape and not _agree(each.shape, found.shape)):
                self.refuse(f"it says {described(each)}, and the {kind} is {described(found)}")

    def output(self, field: str, name: str | None) -> TensorShape | None:
        found = self._signature.output(name)
        if found is None:
            self.refuse(f"{field} is {name!r}, which is no output of it")
        return found

    def preprocessing(self) -> None:
        how = self._manifest.preprocessing
        match how:
            case Picture():
                self._picture(how)
            case Strings() | Words() | Embedded():
                self._input(how.input)
            case _:
                pass

    def _input(self, name: str) -> TensorShape | None:
        found = self._signature.input(name)
        if found is None:
            self.refuse(f"preprocessing.input is {name!r}, which is no input of it")
        return found

    def _picture(self, how: Picture) -> None:
        found = self._input(how.input)
        if found is None:
            return
        sides = [how.height, how.width]
        given = [_ANY, how.colours, *sides] if how.layout == "nchw" else [_ANY, *sides, how.colours]
        if found.shape and not _agree(given, found.shape):
            made = described(TensorShape(name=how.input, dtype=how.dtype, shape=given))
            self.refuse(f"preprocessing makes {made}, and the input is {described(found)}")
        if found.dtype == "uint8" and how.dtype != "uint8":
            self.refuse(f"preprocessing.dtype is {how.dtype}, and the input is {described(found)}")

    def scores(self, how: Scores, labels: Sequence[str]) -> None:
        if not labels:
            self.refuse("it has no labels")
        if self._manifest.task in _MODERATED:
            self._flag(how, labels)
        found = self.output("postprocessing.output", how.output)
        if found is None or not found.shape or _ANY in found.shape[1:]:
            return
        count = 1
        for size in found.shape[1:]:
            count *= size
        is_pair = count == 1 and len(labels) == 2 and how.activation == "sigmoid"
        if count != len(labels) and not is_pair:
            self.refuse(f"the model gives {count} scores, and there are {len(labels)} labels")

    def _flag(self, how: Scores, labels: Sequence[str]) -> None:
        """Without one of them nothing would ever be objected to."""
        if not how.flag:
            words = ", ".join(labels[:_SHOWN])
            self.refuse(f"postprocessing.flag does not say which of {words} are a reason to object")
        if unknown := next((label for label in how.flag if label not in labels), None):
            self.refuse(f"postprocessing.flag has {unknown!r}, which is none of its labels")

    def boxes(self, how: Boxes, labels: Sequence[str]) -> None:
        if not labels:
            self.refuse("it has no labels")
        boxes = self.output("postprocessing.boxes", how.boxes)
        if boxes is not None and boxes.shape and boxes.shape[-1] not in (_ANY, _COORDINATES):
            self.refuse(f"postprocessing.boxes is {described(boxes)}, and a box has {_COORDINATES} numbers")
        scores = self.output("postprocessing.scores", how.scores)
        if how.classes is not None:
            self.output("postprocessing.classes", how.classes)
        elif scores is not None and len(scores.shape) == 3 and scores.shape[-1] not in (_ANY, len(labels)):
            self.refuse(f"the model gives {scores.shape[-1]} scores for each box, and there are {len(labels)} labels")

    def yolo(self, how: Yolo, labels: Sequence[str]) -> None:
        if not labels:
            self.refuse("it has no labels")
        found = self.output("postprocessing.output", how.output)
        if found is None or not found.shape:
            return
        if len(found.shape) not in (2, 3):
            self.refuse(f"postprocessing yolo reads a table, and the output is {described(found)}")
        has, wanted = found.shape[-2 if how.layout == "columns" else -1], how.wanted(len(labels))
        if has not in (_ANY, wanted):
            words = f"{how.numbers} with {len(labels)} labels are {wanted}"
            self.refuse(f"of {how.layout} the output has {has} numbers for each box, and {words}")


def _agree(one: Sequence[int], other: Sequence[int]) -> bool:
    if len(one) != len(other):
        return False
    return all(_ANY in (a, b) or a == b for a, b in zip(one, other, strict=True))
