"""Texts as the numbers that language models take."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.manifest import MASK, Tokens
from processors.inference.model import Model
from processors.inference.repository import Entry

# A fork of a process that has used its threads would wait for them for ever.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
from tokenizers import Tokenizer

_AT_ONCE = 16  # windows: more gain nothing on a CPU,
_TOKENS_AT_ONCE = 2048  # and of long ones fewer, for the memory that they take
_RUN_TOKENS = 11  # a run of MiniLM takes 3 ms of the processor beside its tokens, and 0.28 for each of those


def tokenizer(entry: Entry, how: Tokens) -> Tokenizer:
    """The tokenizer of a model; kept, because reading it takes longer than a short text."""
    return _tokenizer(entry.folder / how.tokenizer, entry.manifest.files[how.tokenizer].sha256, how.max_tokens)


@lru_cache(maxsize=32)
def _tokenizer(path: Path, sha256: str, max_tokens: int) -> Tokenizer:
    del sha256  # of a model that was removed and added again the file is another, in the same place
    found = Tokenizer.from_file(str(path))
    found.no_padding()
    found.enable_truncation(max_tokens)
    return found


def batches(
    model: Model, how: Tokens, texts: Sequence[str], *, most_windows: int = 1
) -> Iterator[tuple[list[int], dict[str, NDArray[Any]]]]:
    """Texts as int64 tensors [windows, tokens], of about one length each; with the places of the texts in the list.

    Of one length exactly, where the manifest says that the model has no mask: it could not tell what was added.

    Args:
        most_windows: so many pieces of a text that is longer than the model takes; what is left is cut off.
    """
    codes = tokenizer(model.entry, how).encode_batch(list(texts))
    windows = [
        (place, window) for place, code in enumerate(codes) for window in [code, *code.overflowing[: most_windows - 1]]
    ]
    for place, window in windows:
        model.tokens[place] += len(window.ids)
    model.cut_at = how.max_tokens * most_windows
    model.cut.update(place for place, code in enumerate(codes) if len(code.overflowing) >= most_windows)
    windows.sort(key=lambda pair: len(pair[1].ids))
    for places in parted([len(window.ids) for _, window in windows], is_masked=model.manifest.has_mask):
        part = [windows[place] for place in places]
        longest = max(1, *(len(window.ids) for _, window in part))
        ids, mask, types = (np.zeros((len(part), longest), np.int64) for _ in range(3))
        for row, (_, window) in enumerate(part):
            count = len(window.ids)
            ids[row, :count] = window.ids
            mask[row, :count] = window.attention_mask
            types[row, :count] = window.type_ids
        yield [place for place, _ in part], {"input_ids": ids, MASK: mask, "token_type_ids": types}


def parted(lengths: Sequence[int], *, is_masked: bool) -> Iterator[range]:
    """Which windows go in together: as long as what is added to the shorter ones costs less than another run.

    Args:
        lengths: of the windows in tokens, the shortest first.
        is_masked: else nothing may be added, and all are of one length.
    """
    start = 0
    for place in range(1, len(lengths)):
        length, count = lengths[place], place - start
        is_full = count == _AT_ONCE or (count + 1) * length > _TOKENS_AT_ONCE
        if is_full or count * (length - lengths[place - 1]) > (_RUN_TOKENS if is_masked else 0):
            yield range(start, place)
            start = place
    if lengths:
        yield range(start, len(lengths))
