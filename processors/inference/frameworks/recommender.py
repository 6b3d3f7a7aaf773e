"""Recommenders: tables that a job of recommend-fit has fitted, in a safetensors file.

As a session: `users` in, and perhaps `liked` and `count`; for each user `items` and `scores`, with an empty item and 0
where there are fewer than were asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks.port import Tensors
from processors.inference.recommending.tables import BadTables, Tables
from processors.inference.repository import Entry
from processors.inference.tensor_files import from_file
from processors.worker.context import Rejected

_USUAL = 10


def check(entry: Entry) -> None:
    """Nothing but tables is read, and they are looked at when they are."""


def load(entry: Entry, threads: int) -> RecommenderSession:
    """Read the tables."""
    del threads  # it is a matter of looking up
    assert entry.file is not None
    what = f"The model {entry.manifest.reference}"
    try:
        return RecommenderSession(what, Tables(from_file(entry.file, "model.safetensors")))
    except (BadTables, Rejected) as error:
        hint = "Fit it again, and add what comes of it."
        raise UnsafeModel("damaged_model", f"{what} is no whole recommender: {error}.", hint) from error


class RecommenderSession:
    """A loaded recommender."""

    device = "cpu"

    def __init__(self, what: str, tables: Tables) -> None:
        self._what = what
        self._tables = tables

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        """Recommend to users."""
        del outputs
        users = [str(each) for each in tensors["users"].ravel().tolist()]
        liked = [str(each) for each in tensors.get("liked", np.array([], object)).ravel().tolist()]
        count = min(int(tensors["count"]) if "count" in tensors else _USUAL, len(self._tables.items))
        if unknown := self._tables.unknown_items(liked):
            message = f"{self._what} knows no item {unknown[0]!r}."
            raise Rejected("no_such_item", message, "It knows those that it was fitted with.")
        items, scores = np.full((len(users), count), "", object), np.zeros((len(users), count), np.float32)
        for row, user in enumerate(users):
            for place, (item, score) in enumerate(self._tables.recommend(user, liked, count)):
                items[row, place], scores[row, place] = item, score
        return {"items": items, "scores": scores}

    def close(self) -> None:
        """Let go of its memory."""
        del self._tables
