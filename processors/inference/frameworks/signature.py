"""What goes into a model and what comes out, as its file says: see the modules that read it of each format."""

from __future__ import annotations

from dataclasses import dataclass

from processors.inference.manifest import TensorShape


@dataclass(frozen=True, slots=True)
class Signature:
    """The tensors of a model. What has a type that no job can give or get is not among them."""

    inputs: tuple[TensorShape, ...]
    outputs: tuple[TensorShape, ...]

    def input(self, name: str) -> TensorShape | None:
        """The input of a name."""
        return next((each for each in self.inputs if each.name == name), None)

    def output(self, name: str | None) -> TensorShape | None:
        """The output of a name; without one the first."""
        return next((each for each in self.outputs if name is None or each.name == name), None)
