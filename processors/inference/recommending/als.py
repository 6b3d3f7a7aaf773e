"""Factors of users and items by alternating least squares, which the library implicit computes.

Y. Hu, Y. Koren, C. Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from processors.worker.context import Rejected
from processors.worker.threads import granted_threads

_FACTORS = 32
_ITERATIONS = 15
_REGULARISATION = 0.05
_CONFIDENCE = 5.0  # that an interaction of mean weight adds to that of none, which is 1


def alternating(
    users: NDArray[Any], items: NDArray[Any], weights: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The factors of users [users, n] and of items [items, n]; their products are near 1 where somebody likes.

    Raises:
        Rejected: the library is not here.
    """
    if importlib.util.find_spec("implicit") is None or importlib.util.find_spec("scipy") is None:
        message = "This instance has no implicit, which the method als needs."
        raise Rejected("method_not_served", message, "--method cosine needs nothing.")
    import scipy.sparse  # late, both: only jobs that ask for it wait for them
    from implicit.cpu.als import AlternatingLeastSquares

    shape = (int(users.max()) + 1, int(items.max()) + 1)
    matrix = scipy.sparse.csr_matrix((weights / weights.mean(), (users, items)), shape=shape, dtype=np.float32)
    model = AlternatingLeastSquares(
        factors=_FACTORS, iterations=_ITERATIONS, regularization=_REGULARISATION, alpha=_CONFIDENCE,
        random_state=0, num_threads=granted_threads(),
    )  # fmt: skip
    model.fit(matrix, show_progress=False)
    return np.asarray(model.user_factors, np.float32), np.asarray(model.item_factors, np.float32)
