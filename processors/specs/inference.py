"""What a job may ask of the inference service."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from processors.specs.base import Part, Spec


class InferenceParameters(Part):
    """What steers a model."""

    temperature: float | None = Field(default=None, ge=0, le=2)
    max_tokens: int | None = Field(default=None, ge=1)
    threshold: float | None = Field(default=None, ge=0, le=1)


class InferenceSpec(Spec):
    """Run a model over some input."""

    model: str = Field(min_length=1)
    input_data: Any
    parameters: InferenceParameters = Field(default_factory=InferenceParameters)
    output_format: Literal["json", "text", "binary"] = "json"

    def kind(self) -> str:
        """The model."""
        return self.model
