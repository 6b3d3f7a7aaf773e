"""What a job may ask of the inference service."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from processors.specs.base import Part, Spec

#: `name`, or `name@version`; without a version it is the one that is pinned
MODEL_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}(@[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"

_FILES_BYTES = 512 * 1024**2  # of a process that reads a large picture

_Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]
_Label = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]


class InferenceParameters(Part):
    """What steers a model. Each task has some of them, and refuses the others."""

    temperature: float | None = Field(
        None, ge=0, le=2, description="How freely words are chosen: 0 always takes the likeliest."
    )
    max_tokens: int | None = Field(
        None, ge=1, description="The longest answer, in tokens; what is more than the model can is what it can."
    )
    threshold: float | None = Field(None, ge=0, le=1, description="Leave out what is less sure, from 0 to 1.")
    top_k: int | None = Field(
        None, ge=1, le=1000, description="So many answers, or words to choose from, the likeliest first."
    )
    top_p: float | None = Field(None, gt=0, le=1, description="Choose from the likeliest words up to this share.")
    seed: int | None = Field(None, ge=0, lt=2**32, description="The same seed gives the same text.")
    stop: list[_Stop] | None = Field(
        None, min_length=1, max_length=8, description="Texts at which an answer ends; repeatable."
    )
    labels: list[_Label] | None = Field(
        None, min_length=1, max_length=200, description="What is chosen between, with commas; repeatable."
    )
    liked: list[_Label] | None = Field(
        None, min_length=1, max_length=1000, description="Items that somebody likes, with commas; repeatable."
    )
    method: Literal["cosine", "als"] | None = Field(
        None, description="How recommend-fit learns: cosine of items, or als besides: factors of users and items."
    )
    template: str | None = Field(
        None, max_length=500, pattern=r"\{\}", description="A sentence about a label, as: This text is about {}."
    )
    multi_label: bool = Field(False, description="Several labels may be right at once.")
    sentences: int | None = Field(None, ge=1, le=100, description="How long a summary is.")
    style: Literal["extractive", "abstractive"] | None = Field(
        None, description="extractive takes whole sentences of the text, abstractive writes new ones."
    )
    system: str | None = Field(None, max_length=10_000, description="What the model is told to be, before the text.")


class InferenceSpec(Spec):
    """Run a model over some input."""

    input_fields = ("input_url",)
    attached_field = "input_files"
    inline_field = "input_data"
    piped_field = "input_data"
    named_first = "model"

    model: str = Field(pattern=MODEL_PATTERN, description="Which model, as sentiment or sentiment@1.")
    input_data: Any = Field(None, description="A text, a list of texts, or tensors; or the path or URL of a file.")
    input_url: str | None = Field(
        None, min_length=1, description="Path or URL of a picture, a text, tensors, or JSON Lines with many of them."
    )
    input_files: dict[str, str] | None = Field(
        None, min_length=1, max_length=1000, description="Several pictures, a path or URL by name."
    )
    parameters: InferenceParameters = Field(
        default_factory=lambda: InferenceParameters.model_validate({}), description="What steers the model."
    )
    measure: bool = Field(
        False, description="Find out how the model is to be batched, instead of answering; `pitchey models bench` asks."
    )
    output_format: Literal["json", "text", "binary"] = Field(
        "json", description="json, text, or binary: tensors as .npy or safetensors."
    )

    @model_validator(mode="after")
    def _works_on_one_thing(self) -> InferenceSpec:
        given = [self.input_data is not None, self.input_url is not None, self.input_files is not None]
        if sum(given) > 1:
            raise ValueError("inputData is a text or names files: a job has one of inputData, inputUrl and inputFiles")
        if not any(given):
            raise ValueError("inputData says what the model works on: a text, a list of texts, or a file")
        return self

    def memory_bytes(self) -> int | None:
        """Of a job with files, whose attempt has a process in which they are read; what texts need is little."""
        return None if self.input_data is not None else _FILES_BYTES

    def kind(self) -> str:
        """The model."""
        return self.model

    def output_paths(self) -> list[str]:
        """The one answer, where neither tensors nor a file with many inputs make it another kind of file."""
        if self.input_data is None or self.output_format == "binary":
            return []
        return ["inference.json" if self.output_format == "json" else "inference.txt"]
