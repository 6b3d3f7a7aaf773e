"""What a loaded model takes: whether what a job gives is that, and made what it is where it nearly is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.errors import ModelError
from processors.inference.frameworks.port import Tensors
from processors.inference.manifest import Manifest, TensorShape
from processors.worker.context import Rejected


class Takes:
    """The inputs and outputs of a model, by name."""

    def __init__(self, what: str, inputs: Sequence[TensorShape], outputs: Sequence[str]) -> None:
        """Begin.

        Args:
            what: the model, for messages.
        """
        self.outputs = list(outputs)
        self._what = what
        self._inputs = {each.name: each for each in inputs}

    def fitting(self, tensors: Tensors) -> dict[str, NDArray[Any]]:
        """What goes in.

        Raises:
            Rejected: an input is missing, or has another shape or type; says what the model takes.
        """
        given = {name: self._fit(name, value) for name, value in tensors.items() if name in self._inputs}
        if missing := next((name for name in self._inputs if name not in given), None):
            raise Rejected("input_missing", f"{self._what} needs the input {missing!r}.", f"It takes {self}.")
        return given

    def named(self, outputs: Sequence[str]) -> list[str]:
        """The outputs that are asked for; all where none is.

        Raises:
            Rejected: it has no such output.
        """
        if wrong := next((name for name in outputs if name not in self.outputs), None):
            message = f"{self._what} has no output {wrong!r}: it has {', '.join(self.outputs)}."
            raise Rejected("no_such_output", message)
        return list(outputs) or self.outputs

    def refuse_misnamed(self, manifest: Manifest) -> None:
        """Refuse a manifest that names what the model does not have."""
        for kind, said, has in (
            ("input", manifest.inputs, list(self._inputs)),
            ("output", manifest.outputs, self.outputs),
        ):
            if wrong := next((each.name for each in said if each.name not in has), None):
                message = (
                    f"The manifest of {manifest.reference} names the {kind} {wrong!r}, which the model does not have."
                )
                raise ModelError("manifest_disagrees", message, f"It has {', '.join(has)}.")

    def __str__(self) -> str:
        return ", ".join(f"{name} {each.dtype}{_sizes(each.shape)}" for name, each in self._inputs.items())

    def _fit(self, name: str, value: NDArray[Any]) -> NDArray[Any]:
        wanted = self._inputs[name]
        # A shape that nobody has said is any.
        fits = not wanted.shape or (
            len(wanted.shape) == value.ndim
            and all(size in (-1, have) for size, have in zip(wanted.shape, value.shape, strict=True))
        )
        if not fits:
            shape = "x".join(map(str, value.shape))
            raise Rejected("wrong_shape", f"{self._what} does not take {name!r} of {shape}.", f"It takes {self}.")
        is_text, wants_text = value.dtype.kind in "OUS", wanted.dtype == "string"
        if is_text is not wants_text:
            raise Rejected("wrong_type", f"{self._what} does not take {name!r} as {value.dtype}.", f"It takes {self}.")
        if wants_text:
            return value.astype(object, copy=False)
        with np.errstate(invalid="ignore", over="ignore"):
            found = value.astype(wanted.dtype, copy=False)
        if (lost := _lost(value, found)) is not None:
            raise Rejected("wrong_type", f"{self._what} does not take {name!r} with {lost}.", f"It takes {self}.")
        return found


def _lost(value: NDArray[Any], found: NDArray[Any]) -> Any:
    """The first number that became another one when it took the type of a model; None: there is none.

    Of whole numbers that become fractions, and of fractions that become shorter ones, digits may go, but no more.
    """
    if found.dtype == value.dtype or not value.size:
        return None
    if found.dtype.kind == "f":
        wrong = np.isinf(found) & np.isfinite(value) if value.dtype.kind == "f" else np.isinf(found)
    else:
        wrong = found != value
    return value[wrong].flat[0] if wrong.any() else None


def _sizes(shape: Sequence[int]) -> str:
    return f"[{', '.join('?' if size == -1 else str(size) for size in shape)}]"
