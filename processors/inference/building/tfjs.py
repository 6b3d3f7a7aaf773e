"""A network of TensorFlow.js (a graph model: JSON and weights) as ONNX, operator by operator.

Those operators that detectors like CenterNet are made of; another one is named and refused. TensorFlow has channels
last and ONNX first, so every convolution stands between two transpositions, which onnxruntime takes out again.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from processors.inference.building.versions import IR_VERSION, OPSET

_TYPES = {"DT_FLOAT": TensorProto.FLOAT, "DT_INT32": TensorProto.INT32, "DT_BOOL": TensorProto.BOOL}
_STORED = {"float32": np.float32, "int32": np.int32, "bool": np.bool_}
_SAME = {
    "Mul": "Mul", "Add": "Add", "AddV2": "Add", "Sub": "Sub", "RealDiv": "Div", "Maximum": "Max", "Minimum": "Min",
    "FloorDiv": "Div",  # of whole numbers that are not negative
    "FloorMod": "Mod", "Equal": "Equal", "Greater": "Greater", "Relu": "Relu", "Sigmoid": "Sigmoid",
    "Identity": "Identity", "Softmax": "Softmax", "Tanh": "Tanh",
}  # fmt: skip
_END = 2**31 - 1


class NotServed(ValueError):
    """The network has an operator that is not converted here."""


class Graph:
    """A network as it is written down."""

    def __init__(self, document: dict[str, Any], weights: dict[str, NDArray[Any]]) -> None:
        self._document = document
        self._weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self._inputs: list[Any] = []
        for node in document["modelTopology"]["node"]:
            self._convert(_Node(node))

    def model(self, outputs: dict[str, tuple[int, list[int]]]) -> ModelProto:
        """The network with these outputs: of each its type and shape."""
        used = {name for node in self.nodes for name in node.input}
        constants = [numpy_helper.from_array(value, name) for name, value in self.constants.items() if name in used]
        given = [helper.make_tensor_value_info(name, *said) for name, said in outputs.items()]
        graph = helper.make_graph(self.nodes, "tfjs", self._inputs, given, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        checker.check_model(model)
        return model

    def add(self, operator: str, inputs: list[str], outputs: list[str] | None = None, **attributes: Any) -> str:
        """An operator; its first output."""
        names = outputs or [f"{operator.lower()}.{len(self.nodes)}"]
        self.nodes.append(helper.make_node(operator, inputs, names, **attributes))
        return names[0]

    def constant(self, value: Any, dtype: Any = np.int64) -> str:
        """A constant that the network does not have."""
        name = f"constant.{len(self.constants)}"
        self.constants[name] = np.ascontiguousarray(value, dtype=dtype)
        return name

    def _convert(self, node: _Node) -> None:
        if node.operator in _SAME:
            self.add(_SAME[node.operator], node.inputs, [node.name])
        elif method := _METHODS.get(node.operator):
            method(self, node)
        else:
            raise NotServed(f"the operator {node.operator} is not converted")

    def _const(self, node: _Node) -> None:
        self.constants[node.name] = self._weights[node.name]

    def _placeholder(self, node: _Node) -> None:
        sizes = [int(each["size"]) for each in node.said("shape")["shape"]["dim"]]
        shape = [None if size < 0 else size for size in sizes]
        self._inputs.append(helper.make_tensor_value_info(node.name, _TYPES[node.said("dtype")["type"]], shape))

    def _relu6(self, node: _Node) -> None:
        self.add("Clip", [node.inputs[0], self.constant(0, np.float32), self.constant(6, np.float32)], [node.name])

    def _convolution(self, node: _Node) -> None:
        kernel = self.constants[node.inputs[1]]
        groups = 1
        if node.is_depthwise:
            height, width, channels, times = kernel.shape
            kernel, groups = kernel.transpose(2, 3, 0, 1).reshape(channels * times, 1, height, width), channels
        else:
            kernel = kernel.transpose(3, 2, 0, 1)
        fused = node.fused()
        inputs = [self._first(node.inputs[0]), self.constant(kernel, np.float32)]
        inputs += [self.constant(self.constants[node.inputs[2]], np.float32)] if "BiasAdd" in fused else []
        steps, spread = node.numbers("strides")[1:3], (node.numbers("dilations") or [1] * 4)[1:3]
        made = self.add("Conv", inputs, strides=steps, dilations=spread, group=groups, auto_pad=node.padding())
        for each in fused:
            if each == "Relu":
                made = self.add("Relu", [made])
            elif each == "Relu6":
                made = self.add("Clip", [made, self.constant(0, np.float32), self.constant(6, np.float32)])
            elif each != "BiasAdd":
                raise NotServed(f"{each} in {node.operator} is not converted")
        self._last(made, node.name)

    def _pool(self, node: _Node) -> None:
        size, steps = node.numbers("ksize")[1:3], node.numbers("strides")[1:3]
        inner = self._first(node.inputs[0])
        self._last(self.add("MaxPool", [inner], kernel_shape=size, strides=steps, auto_pad=node.padding()), node.name)

    def _resize(self, node: _Node) -> None:
        inner = self._first(node.inputs[0])
        sides = self.constant(self.constants[node.inputs[1]])
        both = self.add("Slice", [self.add("Shape", [inner]), self.constant([0]), self.constant([2])])
        size = self.add("Concat", [both, sides], axis=0)
        way = "align_corners" if node.flag("align_corners") else "asymmetric"
        way = "half_pixel" if node.flag("half_pixel_centers") else way
        self._last(
            self.add("Resize", [inner, "", "", size], mode="linear", coordinate_transformation_mode=way), node.name
        )

    def _mean(self, node: _Node) -> None:
        axes = [int(axis) for axis in np.atleast_1d(self.constants[node.inputs[1]])]
        self.add("ReduceMean", node.inputs[:1], [node.name], axes=axes, keepdims=int(node.flag("keep_dims")))

    def _concat(self, node: _Node) -> None:
        self.add("Concat", node.inputs[:-1], [node.name], axis=int(self.constants[node.inputs[-1]]))

    def _reshape(self, node: _Node) -> None:
        self.add("Reshape", [node.inputs[0], self.add("Cast", [node.inputs[1]], to=TensorProto.INT64)], [node.name])

    def _cast(self, node: _Node) -> None:
        self.add("Cast", node.inputs[:1], [node.name], to=_TYPES[node.said("DstT")["type"]])

    def _expand(self, node: _Node) -> None:
        axis = self.constant([int(self.constants[node.inputs[1]])])
        self.add("Unsqueeze", [node.inputs[0], axis], [node.name])

    def _top(self, node: _Node) -> None:
        count = self.constant([int(self.constants[node.inputs[1]])])
        places = f"{node.name}.places"
        self.add("TopK", [node.inputs[0], count], [node.name, places])
        self.add("Cast", [places], [f"{node.name}:1"], to=TensorProto.INT32)

    def _gather(self, node: _Node) -> None:
        self.add("Gather", node.inputs[:2], [node.name], axis=int(self.constants[node.inputs[2]]))

    def _slice(self, node: _Node) -> None:
        begin, end, step = (self.constants[name] for name in node.inputs[1:4])
        if node.number("new_axis_mask") or node.number("ellipsis_mask"):
            raise NotServed("a slice with new axes is not converted")
        starts, ends, single = [], [], []
        for axis in range(len(begin)):
            bit = 1 << axis
            if node.number("shrink_axis_mask") & bit:
                starts.append(int(begin[axis]))
                ends.append(int(begin[axis]) + 1 or _END)
                single.append(axis)
            else:
                starts.append(0 if node.number("begin_mask") & bit else int(begin[axis]))
                ends.append(_END if node.number("end_mask") & bit else int(end[axis]))
        parts = [self.constant(each) for each in (starts, ends, list(range(len(begin))), step)]
        if single:
            self.add("Squeeze", [self.add("Slice", [node.inputs[0], *parts]), self.constant(single)], [node.name])
        else:
            self.add("Slice", [node.inputs[0], *parts], [node.name])

    def _first(self, name: str) -> str:
        return self.add("Transpose", [name], perm=[0, 3, 1, 2])

    def _last(self, name: str, output: str) -> None:
        self.add("Transpose", [name], [output], perm=[0, 2, 3, 1])


_METHODS: dict[str, Callable[[Graph, _Node], None]] = {
    "Const": Graph._const,
    "Placeholder": Graph._placeholder,
    "Relu6": Graph._relu6,
    "Conv2D": Graph._convolution,
    "_FusedConv2D": Graph._convolution,
    "DepthwiseConv2dNative": Graph._convolution,
    "FusedDepthwiseConv2dNative": Graph._convolution,
    "MaxPool": Graph._pool,
    "ResizeBilinear": Graph._resize,
    "Mean": Graph._mean,
    "ConcatV2": Graph._concat,
    "Reshape": Graph._reshape,
    "Cast": Graph._cast,
    "ExpandDims": Graph._expand,
    "TopKV2": Graph._top,
    "GatherV2": Graph._gather,
    "StridedSlice": Graph._slice,
}


class _Node:
    """One operator, as TensorFlow.js has it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.operator = str(document["op"])
        self.name = str(document["name"])
        self.inputs = [_output(each) for each in document.get("input", []) if not each.startswith("^")]
        self._attributes = document.get("attr", {})

    @property
    def is_depthwise(self) -> bool:
        return "Depthwise" in self.operator

    def said(self, key: str) -> dict[str, Any]:
        found: dict[str, Any] = self._attributes.get(key, {})
        return found

    def numbers(self, key: str) -> list[int]:
        return [int(each) for each in self.said(key).get("list", {}).get("i", [])]

    def number(self, key: str) -> int:
        return int(self.said(key).get("i", 0))

    def flag(self, key: str) -> bool:
        return bool(self.said(key).get("b", False))

    def padding(self) -> str:
        return "SAME_UPPER" if base64.b64decode(self.said("padding")["s"]) == b"SAME" else "VALID"

    def fused(self) -> list[str]:
        return [base64.b64decode(each).decode() for each in self.said("fused_ops").get("list", {}).get("s", [])]


def _output(name: str) -> str:
    """`a:0` is `a`."""
    return name.removesuffix(":0")


def read(path: Path) -> Graph:
    """The network in a JSON file, with the weights beside it."""
    document = json.loads(path.read_text(encoding="utf-8"))
    return Graph(document, _weights(document, path.parent))


def _weights(document: dict[str, Any], folder: Path) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {}
    for group in document["weightsManifest"]:
        data = b"".join((folder / Path(name).name).read_bytes() for name in group["paths"])
        at = 0
        for each in group["weights"]:
            packed = each.get("quantization", {})
            if "scale" in packed:
                raise NotServed("weights that are scaled are not converted")
            dtype = np.dtype(packed.get("dtype", each["dtype"]))
            count = int(np.prod(each["shape"], dtype=np.int64))
            array: NDArray[Any] = np.frombuffer(data, dtype, count, at).astype(_STORED[each["dtype"]])
            found[each["name"]] = array.reshape(each["shape"])
            at += count * dtype.itemsize
    return found
