"""How often the sentiment of a sentence is told right, in a domain that nothing was learnt from; beside VADER.

    PYTHONPATH=. python tests/quality/bench_sentiment.py FOLDER [--write]

FOLDER holds amazon.json, imdb.json and yelp.json: 3000 labelled sentences (D. Kotzias et al., 2015), as the npm package
`sentiment` 5.0.2 has them in test/fixtures. Each is left out in turn, and the head is learnt from the two others.
VADER's column is there when the package vaderSentiment is. It ends with 1 where less than 0.84 are right, or no more
than VADER's. --write learns from all three what the image has.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.building import head, recipes
from processors.inference.frameworks import onnx
from processors.inference.manifest import Tokens
from processors.inference.model import Model
from processors.inference.repository import read
from processors.inference.vectors import embed
from tests.resources.models import default_models

DOMAINS = ("amazon", "imdb", "yelp")
AIM = 0.84  # of the sentences right, in each domain
PENALTY = 1.0  # the best of .1, .3, 1 and 3 on all three domains
_VADER_POSITIVE = 0.05  # its authors' own threshold


def main() -> int:
    """Measure and print; 1 where an aim is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true", help="learn the image's head")
    options = parser.parse_args()
    texts, labels = zip(*(_read(options.folder / f"{name}.json") for name in DOMAINS), strict=True)
    model = _model()
    vectors = [embed(model, each) for each in texts]
    is_met = True
    sys.stdout.write(f"{'left out':10}{'accuracy':>10}{'VADER':>10}{'neutral':>10}\n")
    for place, name in enumerate(DOMAINS):
        others = [other for other in range(len(DOMAINS)) if other != place]
        weights, bias = head.learn(
            np.concatenate([vectors[other] for other in others]),
            np.concatenate([labels[other] for other in others]),
            penalty=PENALTY,
        )
        shares = 1 / (1 + np.exp(-(vectors[place] @ weights + bias)))
        accuracy = ((shares > 0.5) == labels[place]).mean()
        neutral = (np.maximum(shares, 1 - shares) < recipes.NEUTRAL_BELOW).mean()
        vader = _vader(texts[place], labels[place])
        shown = "-" if vader is None else f"{vader:.3f}"
        sys.stdout.write(f"{name:10}{accuracy:10.3f}{shown:>10}{neutral:10.3f}\n")
        is_met &= bool(accuracy >= AIM and (vader is None or accuracy > vader))
    if options.write:
        weights, bias = head.learn(np.concatenate(vectors), np.concatenate(labels), penalty=PENALTY)
        learnt = {"bias": round(bias, 5), "weights": [round(float(each), 5) for each in weights]}
        (recipes.HERE / "sentiment.json").write_text(json.dumps(learnt) + "\n")
    return 0 if is_met else 1


def _read(path: Path) -> tuple[list[str], NDArray[Any]]:
    said = [each for each in json.loads(path.read_text()) if each.get("text") and each.get("class") in (0, 1)]
    return [each["text"] for each in said], np.array([each["class"] for each in said])


def _model() -> Model:
    entry = read(default_models() / "embeddings" / "1")
    assert isinstance(entry.manifest.preprocessing, Tokens)
    return Model(entry, onnx.load(entry, 2))


def _vader(texts: Sequence[str], labels: NDArray[Any]) -> float | None:
    if importlib.util.find_spec("vaderSentiment") is None:
        return None
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # a peer, which need not be there

    judge = SentimentIntensityAnalyzer()
    said = np.array([judge.polarity_scores(text)["compound"] >= _VADER_POSITIVE for text in texts])
    return float((said == labels).mean())


if __name__ == "__main__":
    sys.exit(main())
