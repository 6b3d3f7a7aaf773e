"""The default models, as whoever has no image at hand knows them: the host, which lists them.

They are made by building/recipes.py, and a test holds the two against each other.
"""

from __future__ import annotations

from dataclasses import dataclass

from processors.inference.manifest import Framework, TaskName

VERSION = "1"


@dataclass(frozen=True, slots=True)
class Default:
    """One of the image's models."""

    name: str
    task: TaskName
    framework: Framework | None  #: None: it is another use of another one
    licence: str
    description: str


DEFAULTS = (
    Default(
        "classify",
        "image-classification",
        "onnx",
        "Apache-2.0",
        "EfficientNet-Lite0: which of the 1000 things of ImageNet a picture shows",
    ),
    Default(
        "embeddings",
        "feature-extraction",
        "onnx",
        "Apache-2.0",
        "all-MiniLM-L6-v2 with int8 weights: an English text as 384 numbers",
    ),
    Default(
        "entities",
        "token-classification",
        "spacy",
        "MIT",
        "People, organisations, places, dates and amounts in an English text",
    ),
    Default(
        "features",
        "image-feature-extraction",
        None,
        "Apache-2.0",
        "A picture as the 1280 numbers by which EfficientNet-Lite0 tells things apart",
    ),
    Default(
        "generate",
        "text-generation",
        "gguf",
        "Apache-2.0",
        "SmolLM2-135M-Instruct: writes English; small, so do not ask it for facts",
    ),
    Default(
        "moderate-image",
        "image-moderation",
        "onnx",
        "BSD-2-Clause",
        "Open NSFW: whether a picture is not for everybody's eyes",
    ),
    Default("moderate-text", "text-moderation", "onnx", "MIT", "Whether an English text insults"),
    Default(
        "recommend-fit",
        "recommendation-fit",
        None,
        "Apache-2.0",
        "Makes a recommender out of who has what: `pitchey models add` takes what comes of it",
    ),
    Default(
        "sentiment",
        "text-classification",
        "onnx",
        "Apache-2.0",
        "Whether an English text is positive, negative, or neither",
    ),
    Default(
        "summary",
        "summarization",
        None,
        "Apache-2.0",
        "A shorter text: sentences of an English one, or with --style abstractive new ones",
    ),
    Default(
        "zero-shot",
        "zero-shot-classification",
        None,
        "Apache-2.0",
        "Which of the labels that a job names an English text is about",
    ),
)
