"""What is written beside a model: what it is for, what goes in and out, and what its files must be.

Owns the words of `manifest.json`. Knows nothing of where models lie, nor of what runs them.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

MANIFEST_NAME = "manifest.json"
MASK = "attention_mask"  #: the tensor that says which tokens are the text, and which were added to make all as long
NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}$"
VERSION_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
REFERENCE_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,63}@[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"

TaskName = Literal[
    "text-classification",
    "zero-shot-classification",
    "token-classification",
    "feature-extraction",
    "summarization",
    "text-generation",
    "text-moderation",
    "image-classification",
    "image-moderation",
    "image-feature-extraction",
    "object-detection",
    "recommendation",
    "recommendation-fit",
    "tensors",
]
#: tasks that are a program, and make a model rather than run one
WITHOUT_MODEL: frozenset[TaskName] = frozenset({"recommendation-fit"})
Framework = Literal["onnx", "gguf", "spacy", "recommender", "tflite", "torch", "torchscript", "tensorflow"]
#: what loads these can run code that is in the file: an operator has to allow it
RUNS_CODE: frozenset[Framework] = frozenset({"torch", "torchscript", "tensorflow"})
Dtype = Literal["float32", "float16", "float64", "int64", "int32", "uint8", "int8", "bool", "string"]


def _stays_below(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\0" in path or "\\" in path:
        raise ValueError(f"{path!r} is no path inside the model's folder")
    return path


FilePath = Annotated[str, Field(max_length=500), AfterValidator(_stays_below)]


class _Part(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, allow_inf_nan=False
    )


class File(_Part):
    """One file of a model."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class TensorShape(_Part):
    """One input or output of a model."""

    name: str
    dtype: Dtype = "float32"
    shape: list[int] = []  #: -1 is any length; the first is the batch, where there is one


class Tokens(_Part):
    """Text becomes token ids; all inputs of the model that are called input_ids, attention_mask, token_type_ids."""

    kind: Literal["tokens"] = "tokens"
    tokenizer: FilePath = "tokenizer.json"  #: as the library tokenizers writes it
    max_tokens: int = Field(256, ge=1)  #: what is longer is cut


class Strings(_Part):
    """Text goes in as it is: the model takes strings."""

    kind: Literal["strings"] = "strings"
    input: str = "text"


class Words(_Part):
    """Text becomes how often each word of a vocabulary is in it."""

    kind: Literal["words"] = "words"
    input: str = "counts"
    vocabulary: FilePath = "vocabulary.txt"  #: one word on each line
    lowercase: bool = True
    least_letters: int = Field(2, ge=1)  #: of a word that counts


class Picture(_Part):
    """A picture becomes one tensor: resized, cropped, scaled."""

    kind: Literal["picture"] = "picture"
    input: str = "input"
    width: int = Field(224, ge=1, le=8192)
    height: int = Field(224, ge=1, le=8192)
    fit: Literal["stretch", "crop", "pad"] = "crop"  #: crop cuts the middle out, pad adds a border right and below
    pad_with: int = Field(0, ge=0, le=255)  #: how bright that border is
    crop_share: float = Field(1.0, gt=0, le=1)  #: of the shorter side that the middle has
    stretch_first: int | None = Field(None, ge=1, le=8192)  #: to a square of so many pixels; its middle is cut out
    resample: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    layout: Literal["nchw", "nhwc"] = "nchw"
    dtype: Literal["float32", "uint8"] = "float32"
    divide_by: float = Field(1.0, gt=0)  #: first this,
    mean: list[float] = [0.0]  #: then each channel less this; one number for all channels, or one for each
    std: list[float] = [1.0]  #: then divided by this
    recompress: int | None = Field(None, ge=1, le=100)  #: once through JPEG, of models that were trained so

    @property
    def colours(self) -> int:
        """How many channels there are."""
        return 1 if self.channels == "gray" else 3

    @model_validator(mode="after")
    def _has_numbers_for_its_channels(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.colours):
                raise ValueError(f"{name} has {len(values)} numbers: it has one, or one for each of {self.colours}")
        if not all(self.std):
            raise ValueError("std has a 0, and nothing can be divided by that")
        return self


class Embedded(_Part):
    """What `uses` makes of the input is what this model takes."""

    kind: Literal["embedding"] = "embedding"
    input: str = "embedding"


Preprocessing = Annotated[Tokens | Strings | Words | Picture | Embedded, Field(discriminator="kind")]


class Pooling(_Part):
    """Tokens become one vector: their mean, with length 1."""

    kind: Literal["pooling"] = "pooling"
    output: str | None = None  #: the first where none is named
    normalise: bool = True


class Scores(_Part):
    """One number per label becomes a list of labels with scores."""

    kind: Literal["scores"] = "scores"
    output: str | None = None  #: the first where none is named
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    neutral_below: float | None = Field(None, ge=0, le=1)  #: a best score that is lower is said to be neutral
    neutral_label: str = "NEUTRAL"
    flag: list[str] = []  #: of moderation: the labels that are a reason to object,
    flag_from: float = Field(0.5, ge=0, le=1)  #: from which score on, where a job says no threshold


class Vector(_Part):
    """One output is the answer as it is."""

    kind: Literal["vector"] = "vector"
    output: str | None = None


class Boxes(_Part):
    """Boxes with scores and classes become a list of objects in pixels of the picture."""

    kind: Literal["boxes"] = "boxes"
    boxes: str
    scores: str
    classes: str | None = None  #: None: scores has one number per class
    form: Literal["xyxy", "cxcywh", "xywh"] = "xyxy"
    unit: Literal["pixels", "share"] = "pixels"  #: of the picture that goes in
    threshold: float = Field(0.5, ge=0, le=1)
    overlap: float | None = Field(None, ge=0, le=1)  #: boxes of a class that overlap more are one; None: done already


class Yolo(_Part):
    """One table of boxes with all that is said of each, as YOLO's detectors give it, becomes a list of objects."""

    kind: Literal["yolo"] = "yolo"
    output: str | None = None  #: the first where none is named
    layout: Literal["columns", "rows"] = "columns"  #: a box is one of [1, numbers, boxes], or of [1, boxes, numbers]
    #: after the four of the box: a score for each class; before those that there is any object; the best with its class
    numbers: Literal["classes", "object-classes", "best-class"] = "classes"
    activation: Literal["none", "sigmoid"] = "none"  #: of the scores, where the model leaves it out
    form: Literal["xyxy", "cxcywh", "xywh"] = "cxcywh"
    unit: Literal["pixels", "share"] = "pixels"  #: of the picture that goes in
    threshold: float = Field(0.25, ge=0, le=1)  #: as YOLOv5's detect.py has it, 7.0; so is the next
    overlap: float | None = Field(0.45, ge=0, le=1)  #: boxes of a class that overlap more are one; None: done already

    def wanted(self, labels: int) -> int:
        """How many numbers there are for each box."""
        return 4 + {"classes": labels, "object-classes": 1 + labels, "best-class": 2}[self.numbers]


Postprocessing = Annotated[Pooling | Scores | Vector | Boxes | Yolo, Field(discriminator="kind")]


class Batching(_Part):
    """Whether inputs of several jobs are run at once. Measured when the model is registered."""

    max_size: int = Field(1, ge=1, le=1024)  #: 1: never
    max_delay_ms: float = Field(0.0, ge=0, le=1000)  #: that the first waits for others
    buckets: list[int] = []  #: lengths, in tokens, up to which inputs are run together


class Resources(_Part):
    """What a loaded model takes."""

    memory_bytes: int = Field(0, ge=0)  #: 0: not known; then it is judged by its files
    context_tokens: int | None = Field(None, ge=1)  #: of text generation: question and answer together


class Source(_Part):
    """Where a model comes from."""

    package: str = ""
    url: str = ""


class Manifest(_Part):
    """A model, as it lies in a repository."""

    manifest: Literal[1] = 1  #: version of these fields
    name: str = Field(pattern=NAME_PATTERN)
    version: str = Field(pattern=VERSION_PATTERN)
    description: str = ""
    task: TaskName
    framework: Framework | None = None  #: None: it is nothing but another model, used for another task
    file: FilePath | None = None  #: what the framework loads: a file, or a folder
    weights: FilePath | None = None  #: of torch and torchscript: safetensors that are laid over those of `file`
    uses: str | None = Field(None, pattern=REFERENCE_PATTERN)  #: the model that is run before this one, or for it
    writes_with: str | None = Field(None, pattern=REFERENCE_PATTERN)  #: of summaries: what generates text
    files: dict[FilePath, File] = {}  #: every file but this one
    inputs: list[TensorShape] = []
    outputs: list[TensorShape] = []
    preprocessing: Preprocessing | None = None
    postprocessing: Postprocessing | None = None
    labels: list[str] | FilePath = []  #: or the file that has one on each line
    batching: Batching = Field(default_factory=lambda: Batching.model_validate({}))
    resources: Resources = Field(default_factory=lambda: Resources.model_validate({}))
    licence: str = ""  #: SPDX
    code_allowed_by: str = ""  #: who has allowed a framework that can run code; nobody: it is not loaded
    source: Source = Field(default_factory=lambda: Source.model_validate({}))

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if (self.framework is None) != (self.file is None):
            raise ValueError("framework and file come together")
        if self.file is None and self.uses is None and self.task not in WITHOUT_MODEL:
            raise ValueError("a model has a file, or uses another model")
        named = [self.labels] if isinstance(self.labels, str) else []
        if isinstance(self.preprocessing, Tokens):
            named.append(self.preprocessing.tokenizer)
        if isinstance(self.preprocessing, Words):
            named.append(self.preprocessing.vocabulary)
        if self.weights is not None:
            if self.framework not in ("torch", "torchscript"):
                raise ValueError("weights are laid over models of torch and torchscript alone")
            named.append(self.weights)
        for path in named:
            if path not in self.files:
                raise ValueError(f"{path} is not among files")
        if self.file is not None and not any(
            each == self.file or each.startswith(f"{self.file}/") for each in self.files
        ):
            raise ValueError(f"{self.file} is not among files")
        if isinstance(self.preprocessing, Embedded) and self.uses is None:
            raise ValueError("preprocessing embedding needs uses: the model that makes it")
        return self

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    @property
    def has_mask(self) -> bool:
        """Whether it is told which tokens are the text, and which only make all as long; taken for granted where it
        does not say what goes in.
        """
        return not self.inputs or any(each.name == MASK for each in self.inputs)

    @cached_property
    def digest(self) -> str:
        """What tells it from a model that has had the same name and version: hexadecimal."""
        return hashlib.sha256(self.model_dump_json(by_alias=True).encode()).hexdigest()

    @property
    def size(self) -> int:
        """Of all its files, in bytes."""
        return sum(each.size for each in self.files.values())


_FIELDS = frozenset(str(field.alias) for part in _Part.__subclasses__() for field in part.model_fields.values())


def explained(error: ValidationError) -> str:
    """What is wrong with a manifest: its field and the reason, as the end of a sentence."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        near = _near(str(first["loc"][-1]), _FIELDS)
        return f"{where} is no field of it" + (f", but {near} is" if near else "")
    if first["type"] == "literal_error" and isinstance(first["input"], str):
        text = f"{first['input']!r} is none of {first['ctx']['expected']}"
        near = _near(first["input"], re.findall(r"'([^']+)'", first["ctx"]["expected"]))
        text = f"{first['input']!r} is not known, but {near!r} is" if near else text
    return f"{where}: {text}" if where else text


def _near(word: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")
