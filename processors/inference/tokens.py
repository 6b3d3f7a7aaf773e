"""Texts as the numbers that language models take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import Tokens
from processors.inference.model import Model

# A fork of a process that has used its threads would wait for them for ever.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
from tokenizers import Tokenizer

_AT_ONCE = 8  # texts: more gain nothing on a CPU


@lru_cache(maxsize=32)
def tokenizer(path: Path, max_tokens: int) -> Tokenizer:
    """The tokenizer in a file; kept, because reading it takes longer than a short text."""
    found = Tokenizer.from_file(str(path))
    found.no_padding()
    found.enable_truncation(max_tokens)
    return found


def batches(model: Model, how: Tokens, texts: Sequence[str]) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """Texts as int64 tensors [texts, tokens], of about one length each; with the places of the texts in the list."""
    codes = tokenizer(model.entry.folder / how.tokenizer, how.max_tokens).encode_batch(list(texts))
    model.tokens += sum(len(code.ids) for code in codes)
    model.cut_at = how.max_tokens
    model.cut += sum(bool(code.overflowing) for code in codes)
    by_length = sorted(range(len(codes)), key=lambda place: len(codes[place].ids))
    for start in range(0, len(by_length), _AT_ONCE):
        places = by_length[start : start + _AT_ONCE]
        longest = max(1, *(len(codes[place].ids) for place in places))
        ids, mask, types = (np.zeros((len(places), longest), np.int64) for _ in range(3))
        for row, place in enumerate(places):
            count = len(codes[place].ids)
            ids[row, :count] = codes[place].ids
            mask[row, :count] = codes[place].attention_mask
            types[row, :count] = codes[place].type_ids
        yield places, {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
