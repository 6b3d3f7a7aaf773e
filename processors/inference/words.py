"""Texts as how often each word of a vocabulary is in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Words
from processors.inference.repository import Entry

_WORD = re.compile(r"\w+")


def vocabulary(entry: Entry, how: Words) -> dict[str, int]:
    """Each word of a model's vocabulary, and which number it has."""
    return _vocabulary(entry.folder / how.vocabulary, entry.manifest.files[how.vocabulary].sha256)


@lru_cache(maxsize=8)
def _vocabulary(path: Path, sha256: str) -> dict[str, int]:
    del sha256  # of a model that was removed and added again the file is another, in the same place
    return {word: number for number, word in enumerate(path.read_text(encoding="utf-8").splitlines())}


def counts(texts: Sequence[str], how: Words, known: Mapping[str, int]) -> NDArray[Any]:
    """float32 [texts, words of the vocabulary]."""
    found = np.zeros((len(texts), len(known)), np.float32)
    for row, text in enumerate(texts):
        for word in _WORD.findall(text.lower() if how.lowercase else text):
            if len(word) >= how.least_letters and (place := known.get(word)) is not None:
                found[row, place] += 1
    return found
