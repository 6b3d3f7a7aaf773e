"""Interactions -> what each item is near to: by who has both, and by what is said of both. Pure.

Collaborative: the cosine of two items over the users who have them, each user counting the less the more they have
(B. Sarwar et al., "Item-based collaborative filtering recommendation algorithms", WWW 2001, with the normalisation of
G. Karypis, "Evaluation of item-based top-N recommendation algorithms", CIKM 2001). Content: the cosine of the words of
two items, weighted by how rare they are (TF-IDF).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.recommending.interactions import Interactions

NEIGHBOURS = 50  #: that are kept of each item
_LEAST = np.finfo(np.float64).tiny  # nothing is divided by less
_WORD = re.compile(r"\w{2,}")

#: (users, items, weights) of interactions -> the factors of users [users, n], and of items [items, n]
Factorise = Callable[[NDArray[Any], NDArray[Any], NDArray[Any]], tuple[NDArray[np.float32], NDArray[np.float32]]]
Near = tuple[NDArray[np.int32], NDArray[np.float32]]


def fit(found: Interactions, *, factorise: Factorise | None = None) -> dict[str, NDArray[Any]]:
    """The tables of a recommender: see `tables.Tables`.

    Args:
        factorise: finds what users and items have in common, beside what items are near to.
    """
    pairs = np.array(list(found.rows), np.int64).reshape(-1, 2)
    weights = np.fromiter(found.rows.values(), np.float32, len(found.rows))
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    users, items, weights = pairs[order, 0], pairs[order, 1], weights[order]
    count = len(found.items)
    starts = np.searchsorted(users, np.arange(len(found.users) + 1))
    near, scores = _nearest(items, users, _even(users, weights), count, len(found.users))
    rows, columns, values = _words(found.texts)
    content_near, content_scores = _nearest(rows, columns, values, count, int(columns.max(initial=-1)) + 1)
    factors = {} if factorise is None else _factors(factorise(users, items, weights), (len(found.users), count))
    return {
        **factors,
        "items.json": _packed(list(found.items)),
        "users.json": _packed(list(found.users)),
        "history_starts": starts.astype(np.int64),
        "history_items": items.astype(np.int32),
        "history_weights": weights,
        "popularity": np.bincount(items, minlength=count).astype(np.float32),
        "near_items": near,
        "near_scores": scores,
        "content_items": content_near,
        "content_scores": content_scores,
    }


def _factors(
    found: tuple[NDArray[np.float32], NDArray[np.float32]], counts: tuple[int, int]
) -> dict[str, NDArray[Any]]:
    """Those without interactions have none, and the last of them may be missing in what was found."""
    tables: dict[str, NDArray[Any]] = {}
    for name, values, count in zip(("user_factors", "item_factors"), found, counts, strict=True):
        tables[name] = np.zeros((count, values.shape[1]), np.float32)
        tables[name][: len(values)] = values
    return tables


def _packed(identifiers: list[str]) -> NDArray[np.uint8]:
    return np.frombuffer(json.dumps(identifiers).encode(), np.uint8)


def _even(users: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """So that somebody who has everything says no more than somebody who has chosen."""
    lengths = np.sqrt(np.bincount(users, weights=weights.astype(np.float64) ** 2))
    shares: NDArray[Any] = weights / np.maximum(lengths[users], _LEAST)
    return shares


def _nearest(rows: NDArray[Any], columns: NDArray[Any], values: NDArray[Any], count: int, width: int) -> Near:
    """The nearest others of each row, by the cosine of rows of a matrix that is given by its entries.

    Returns:
        [count, k] the numbers of rows, and [count, k] their cosines; where there are fewer, these are 0.
    """
    kept = max(1, min(NEIGHBOURS, count - 1))
    near, scores = np.zeros((count, kept), np.int32), np.zeros((count, kept), np.float32)
    if not len(rows):
        return near, scores
    lengths = np.sqrt(np.bincount(rows, weights=values.astype(np.float64) ** 2, minlength=count))
    values = values / np.maximum(lengths[rows], _LEAST)
    by_row, by_column = np.argsort(rows, kind="stable"), np.argsort(columns, kind="stable")
    row_starts = np.searchsorted(rows[by_row], np.arange(count + 1))
    column_starts = np.searchsorted(columns[by_column], np.arange(width + 1))
    for row in np.flatnonzero(np.diff(row_starts)):
        own = by_row[row_starts[row] : row_starts[row + 1]]
        begins, ends = column_starts[columns[own]], column_starts[columns[own] + 1]
        # All entries of the columns that this row has, column after column.
        sizes = ends - begins
        places = np.repeat(begins - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes) + np.arange(sizes.sum())
        met = by_column[places]
        cosines = np.bincount(rows[met], weights=np.repeat(values[own], sizes) * values[met], minlength=count)
        cosines[row] = 0
        best = np.argpartition(-cosines, kept - 1)[:kept]
        best = best[np.lexsort((best, -cosines[best]))]
        near[row], scores[row] = best, cosines[best]
    return near, scores


def _words(texts: dict[int, str]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Items, words, and how much each word says of an item."""
    counts = {item: Counter(_WORD.findall(text.lower())) for item, text in texts.items()}
    having = Counter(word for words in counts.values() for word in words)
    numbers = {word: number for number, word in enumerate(sorted(having))}
    entries = [
        (item, numbers[word], times * (1 + np.log((1 + len(counts)) / (1 + having[word]))))
        for item, words in counts.items()
        for word, times in words.items()
    ]
    rows = np.array([entry[0] for entry in entries], np.int64)
    columns = np.array([entry[1] for entry in entries], np.int64)
    return rows, columns, np.array([entry[2] for entry in entries], np.float32)
