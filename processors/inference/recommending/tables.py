"""A fitted recommender: its tables, and what they say to somebody. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: interactions of an item at which what its users have says as much as what it is; below, its content says more
_EVEN_AT = 5.0
_NAMES = (
    "items.json", "users.json", "history_starts", "history_items", "history_weights", "popularity", "near_items",
    "near_scores", "content_items", "content_scores",
)  # fmt: skip
_FACTORS = ("user_factors", "item_factors")  # of one that was fitted with als


class BadTables(ValueError):
    """They are not those of a recommender, or do not fit together."""


class Tables:
    """What was fitted.

    Args:
        tensors: `items.json` and `users.json` are identifiers as JSON; `history_items` and `history_weights` what each
            user has, from `history_starts[user]` on; `near_*` and `content_*` [items, k] the nearest of each item;
            `user_factors` [users, n] and `item_factors` [items, n], where there are some, what both have in common.

    Raises:
        BadTables: says what is wrong.
    """

    def __init__(self, tensors: Mapping[str, NDArray[Any]]) -> None:
        if missing := next((name for name in _NAMES if name not in tensors), None):
            raise BadTables(f"it has no table {missing}")
        self.items = _identifiers(tensors["items.json"])
        users = _identifiers(tensors["users.json"])
        self._users = {name: number for number, name in enumerate(users)}
        self._numbers = {name: number for number, name in enumerate(self.items)}
        self._starts, self._history = tensors["history_starts"], tensors["history_items"]
        self._weights, self._popularity = tensors["history_weights"], tensors["popularity"]
        self._near = [(tensors[f"{kind}_items"], tensors[f"{kind}_scores"]) for kind in ("near", "content")]
        self._factors = [tensors[name] for name in _FACTORS if name in tensors]
        self._refuse_misfit(len(users))

    def known(self, user: str) -> bool:
        """Whether anything is known of a user."""
        return user in self._users

    def unknown_items(self, items: Sequence[str]) -> list[str]:
        """Those that there are not."""
        return [item for item in items if item not in self._numbers]

    def recommend(self, user: str, liked: Sequence[str], count: int) -> list[tuple[str, float]]:
        """Items that a user does not have, with scores from 0 to 1, the best first.

        What a user has speaks for what is near to it: by who has both where many do, by content where few do. To
        somebody of whom nothing is known the most popular is said.
        """
        place = self._users.get(user)
        begin, end = (0, 0) if place is None else self._starts[place : place + 2]
        has = np.concatenate([self._history[begin:end], [self._numbers[item] for item in liked]]).astype(np.int64)
        weights = np.concatenate([self._weights[begin:end], np.ones(len(liked))])
        scores = np.zeros(len(self.items))
        if len(has):
            trust = self._popularity[has] / (self._popularity[has] + _EVEN_AT)
            for (near, cosines), share in zip(self._near, (trust, 1 - trust), strict=True):
                np.add.at(scores, near[has], cosines[has] * (share * weights)[:, None])
            scores /= weights.sum()
        if place is not None and self._factors:
            users, items = self._factors
            # Of an item that few have the factors say as little as its users do.
            trust = self._popularity / (self._popularity + _EVEN_AT)
            scores = trust * np.clip(items @ users[place], 0, 1) + (1 - trust) * scores
        # What nothing speaks for comes last, the most popular first, and below what something speaks for.
        least = scores[scores > 0].min(initial=1.0) / 2
        usual = self._popularity / max(1.0, float(self._popularity.max(initial=1.0)))
        scores = np.where(scores > 0, scores, usual * least)
        scores[has] = -1
        best = np.argsort(-scores, kind="stable")[:count]
        return [(self.items[number], float(scores[number])) for number in best if scores[number] >= 0]

    def _refuse_misfit(self, users: int) -> None:
        shapes = [each.shape for each in self._factors]
        if shapes and shapes != [(users, shapes[0][-1]), (len(self.items), shapes[0][-1])]:
            raise BadTables("its factors do not fit its users and items")
        items, history = len(self.items), len(self._history)
        fits = (
            self._starts.shape == (users + 1,)
            and self._weights.shape == (history,)
            and self._popularity.shape == (items,)
            and int(self._starts[0]) == 0
            and int(self._starts[-1]) == history
            and bool((np.diff(self._starts) >= 0).all())
            and all(
                near.ndim == 2 and len(near) == items and near.shape == cosines.shape for near, cosines in self._near
            )
        )
        numbers = [self._history, *(near for near, _ in self._near)]
        if not fits or any(each.size and not 0 <= each.min() <= each.max() < items for each in numbers):
            raise BadTables("its tables do not fit together")


def _identifiers(packed: NDArray[Any]) -> list[str]:
    try:
        found = json.loads(packed.tobytes())
    except (ValueError, RecursionError) as error:
        raise BadTables("its identifiers cannot be read") from error
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise BadTables("its identifiers are no texts")
    return found
