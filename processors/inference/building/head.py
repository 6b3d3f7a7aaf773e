"""A linear classifier over vectors: how it is learnt, and how it is written as ONNX."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from processors.inference.building.versions import IR_VERSION, OPSET

_STEPS = 30  # Newton's method is there after ten


def learn(vectors: NDArray[Any], is_positive: NDArray[Any], *, penalty: float = 0.1) -> tuple[NDArray[Any], float]:
    """Logistic regression by Newton's method: weights and bias.

    Args:
        vectors: [examples, dimensions].
        is_positive: [examples], 0 or 1.
        penalty: on the squares of the weights, so that they stay small.
    """
    x = np.concatenate([vectors, np.ones((len(vectors), 1))], axis=1).astype(np.float64)
    ridge = np.full(x.shape[1], penalty)
    ridge[-1] = 1e-9
    weights = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ weights))
        gradient = x.T @ (p - is_positive) + ridge * weights
        curvature = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        weights -= np.linalg.solve(curvature, gradient)
    return weights[:-1].astype(np.float32), float(weights[-1])


def build(weights: NDArray[Any], bias: float) -> ModelProto:
    """Vectors in, one logit per vector out."""
    constants = [
        numpy_helper.from_array(weights.astype(np.float32).reshape(-1, 1), "weights"),
        numpy_helper.from_array(np.array([bias], np.float32), "bias"),
    ]
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["embedding", "weights", "bias"], ["logits"])],
        "head",
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", len(weights)])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return model
