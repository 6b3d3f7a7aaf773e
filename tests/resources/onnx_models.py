"""Small ONNX models of a user's own, good and hostile, and repositories with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from processors.inference.building.versions import IR_VERSION, OPSET
from tests.resources.repositories import add_files

COLOURS = ["red", "green", "blue"]
PICTURE = {"kind": "picture", "input": "image", "width": 8, "height": 8, "divideBy": 255}


def colours() -> bytes:
    """Pictures [N, 3, 8, 8] in, one logit for each colour out: ten times how much of it there is."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Mul", ["flat", "ten"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])
    return _model(nodes, [image], [logits], [numpy_helper.from_array(np.float32(10), "ten")])


def logarithms() -> bytes:
    """As `colours`, but the logarithm of how much there is of each: of a black picture they are all -infinity."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Log", ["flat"], ["logits"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, 8, 8])
    return _model(nodes, [image], [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])], [])


def lengths() -> bytes:
    """Tokens [N, length] in, and no mask: one logit out, 20 over the length, so whatever is added to a text counts."""
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["numbers", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "one"], ["ones"]),
        helper.make_node("ReduceSum", ["ones", "axis"], ["length"], keepdims=1),
        helper.make_node("Div", ["twenty", "length"], ["logits"]),
    ]
    constants = [
        numpy_helper.from_array(np.float32(value), name) for name, value in (("nothing", 0), ("one", 1), ("twenty", 20))
    ]
    constants.append(numpy_helper.from_array(np.array([1], np.int64), "axis"))
    tokens = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["N", "L"])
    return _model(nodes, [tokens], [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 1])], constants)


def with_data_in(location: str) -> bytes:
    """A model whose four numbers lie in another file."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", "16")):
        pair = weights.external_data.add()
        pair.key, pair.value = key, value
    node = helper.make_node("Identity", ["w"], ["y"])
    return _model([node], [], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])], [weights])


def with_data_in_a_node(location: str) -> bytes:
    """The same, hidden in the attribute of an operator."""
    model = onnx.load_model_from_string(with_data_in(location))
    tensor = model.graph.initializer.pop()
    model.graph.node[0].CopyFrom(helper.make_node("Constant", [], ["y"], value=tensor))
    return bytes(model.SerializeToString())


def _model(nodes: Any, inputs: Any, outputs: Any, constants: Any) -> bytes:
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def add(
    root: Path, name: str, data: bytes, *, version: str = "1", others: dict[str, bytes] | None = None, **said: Any
) -> Path:
    """Put a model into a repository, with the manifest that belongs to it; its folder."""
    said = {"framework": "onnx", "file": "model.onnx"} | said
    return add_files(root, name, {said["file"]: data, **(others or {})}, version=version, **said)


def add_classifier(root: Path, name: str, data: bytes, **said: Any) -> Path:
    """A classifier of pictures by their colour."""
    usual = {
        "task": "image-classification",
        "preprocessing": PICTURE,
        "postprocessing": {"kind": "scores"},
        "labels": COLOURS,
    }
    return add(root, name, data, **(usual | said))


QUARTERS = ["top left", "top right", "bottom left", "bottom right"]
BOXES = {"kind": "boxes", "boxes": "boxes", "scores": "scores", "classes": "classes"}


def quarters() -> bytes:
    """A detector: a picture [1, 3, 8, 8] in, four boxes out, with how red each quarter is as its score."""
    corners = [[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]]
    constants = [
        numpy_helper.from_array(np.array([corners], np.float32), "corners"),
        numpy_helper.from_array(np.array([[0, 1, 2, 3]], np.int64), "numbers"),
        *(numpy_helper.from_array(np.array([each], np.int64), f"i{each}") for each in (0, 1)),
        numpy_helper.from_array(np.array([1, 4], np.int64), "flat"),
    ]
    nodes = [
        helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Slice", ["means", "i0", "i1", "i1"], ["red"]),
        helper.make_node("Reshape", ["red", "flat"], ["scores"]),
        helper.make_node("Identity", ["corners"], ["boxes"]),
        helper.make_node("Identity", ["numbers"], ["classes"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    outputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 4, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 4]),
        helper.make_tensor_value_info("classes", TensorProto.INT64, [1, 4]),
    ]
    return _model(nodes, [image], outputs, constants)


def yolo(*, layout: str, numbers: str, activation: str) -> bytes:
    """The same detector as YOLO's have it: one table with twelve boxes [1, numbers, 12], or its transpose.

    Each quarter is there three times: as it is, and moved by 0.2 and by 0.4 pixels with 0.9 and 0.8 of its score.
    """
    moved = np.repeat([0.0, 0.2, 0.4], 4)
    corner_x, corner_y = np.tile([0, 4, 0, 4], 3) + moved, np.tile([0, 0, 4, 4], 3) + moved
    size = np.full(12, 4.0)
    is_best = numbers == "best-class"
    last = [corner_x + size, corner_y + size] if is_best else [size, size]
    first = [corner_x, corner_y] if is_best else [corner_x + size / 2, corner_y + size / 2]
    constants = {
        "boxes": np.float32([[*first, *last]]),
        "surety": np.float32(np.repeat([1.0, 0.9, 0.8], 4)[None, None]),
        "one-of": np.float32(np.tile(np.eye(4), 3)[None]),
        "classes": np.float32(np.tile(np.arange(4), 3)[None, None]),
        "flat": np.array([1, 1, 4], np.int64),
        "thrice": np.array([1, 1, 3], np.int64),
        **{f"i{each}": np.array([each], np.int64) for each in (0, 1)},
        **{name: np.float32(value) for name, value in (("least", 0.001), ("most", 0.999), ("whole", 1.0))},
    }
    nodes = [
        helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Slice", ["means", "i0", "i1", "i1"], ["red"]),
        helper.make_node("Reshape", ["red", "flat"], ["each"]),
        helper.make_node("Tile", ["each", "thrice"], ["objects"]),
        helper.make_node("Mul", ["one-of", "surety"], ["of-objects"]),
        helper.make_node("Mul", ["of-objects", "objects"], ["of-classes"]),
        helper.make_node("Mul", ["objects", "surety"], ["best"]),
    ]
    shares = {"classes": ["of-classes"], "object-classes": ["objects", "of-objects"], "best-class": ["best"]}[numbers]
    if activation == "sigmoid":  # which the model leaves out: what it gives are logits
        for name in shares:
            nodes += [
                helper.make_node("Clip", [name, "least", "most"], [f"{name}-clipped"]),
                helper.make_node("Sub", ["whole", f"{name}-clipped"], [f"{name}-rest"]),
                helper.make_node("Div", [f"{name}-clipped", f"{name}-rest"], [f"{name}-odds"]),
                helper.make_node("Log", [f"{name}-odds"], [f"{name}-logit"]),
            ]
        shares = [f"{name}-logit" for name in shares]
    nodes.append(helper.make_node("Concat", ["boxes", *shares, *(["classes"] if is_best else [])], ["table"], axis=1))
    nodes.append(
        helper.make_node("Transpose", ["table"], ["output0"], perm=[0, 1, 2] if layout == "columns" else [0, 2, 1])
    )
    count = {"classes": 8, "object-classes": 9, "best-class": 6}[numbers]
    shape = [1, count, 12] if layout == "columns" else [1, 12, count]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, 8, 8])
    output = helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)
    return _model(nodes, [image], [output], [numpy_helper.from_array(value, name) for name, value in constants.items()])
