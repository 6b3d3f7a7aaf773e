"""The model of alt-profanity-check as ONNX: counts of words in, the shares of both labels out.

What scikit-learn does with them is written down here: counts times their inverse document frequency, made length 1;
five linear classifiers; each calibrated by a sigmoid of its own; the mean of all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, checker, helper, numpy_helper

from processors.inference.building import joblib_file
from processors.inference.building.versions import IR_VERSION, OPSET


def words(vectorizer: Path) -> list[str]:
    """The vocabulary, in the order of the counts."""
    numbered = joblib_file.read(vectorizer).vocabulary_
    return sorted(numbered, key=lambda word: int(numbered[word]))


def build(vectorizer: Path, model: Path) -> ModelProto:
    """The network."""
    frequencies = joblib_file.read(vectorizer)._tfidf.idf_
    each = joblib_file.read(model).calibrated_classifiers_
    # A calibration is sigmoid(-(a f + b)) of the margin f: linear in what is under the sigmoid, so it is folded in.
    slopes = np.array([-one.calibrators[0].a_ for one in each])
    offsets = np.array([-one.calibrators[0].b_ for one in each])
    weights = np.stack([one.estimator.coef_[0] for one in each], axis=1) * slopes
    biases = np.array([one.estimator.intercept_[0] for one in each]) * slopes + offsets
    constants = [
        numpy_helper.from_array(np.asarray(value, dtype), name)
        for name, value, dtype in (
            ("frequencies", frequencies, np.float32),
            ("weights", weights, np.float32),
            ("biases", biases, np.float32),
            ("least", 1e-12, np.float32),
            ("one", 1.0, np.float32),
        )
    ]
    nodes = [
        helper.make_node("Mul", ["counts", "frequencies"], ["weighted"]),
        helper.make_node("ReduceL2", ["weighted"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Max", ["length", "least"], ["divisor"]),
        helper.make_node("Div", ["weighted", "divisor"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "biases"], ["margins"]),
        helper.make_node("Sigmoid", ["margins"], ["calibrated"]),
        helper.make_node("ReduceMean", ["calibrated"], ["offensive"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["one", "offensive"], ["fine"]),
        helper.make_node("Concat", ["fine", "offensive"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "profanity",
        [helper.make_tensor_value_info("counts", TensorProto.FLOAT, ["N", len(frequencies)])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 2])],
        constants,
    )
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(network)
    return network
