"""Texts as how often each word of a vocabulary is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Words

_WORD = re.compile(r"\w+")


@lru_cache(maxsize=8)
def vocabulary(path: Path) -> dict[str, int]:
    """Each word, and which number it has."""
    return {word: number for number, word in enumerate(path.read_text(encoding="utf-8").splitlines())}


def counts(texts: Sequence[str], how: Words, folder: Path) -> NDArray[Any]:
    """float32 [texts, words of the vocabulary]."""
    known = vocabulary(folder / how.vocabulary)
    found = np.zeros((len(texts), len(known)), np.float32)
    for row, text in enumerate(texts):
        for word in _WORD.findall(text.lower() if how.lowercase else text):
            if len(word) >= how.least_letters and (place := known.get(word)) is not None:
                found[row, place] += 1
    return found
