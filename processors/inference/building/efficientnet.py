"""EfficientNet-Lite0 as ONNX, from the weights alone: the network is written down here, operator by operator.

M. Tan, Q. Le, "EfficientNet" (2019), in the variant without squeeze-and-excitation and with ReLU6 of TensorFlow's tpu
repository. Batch normalisation is folded into the convolutions; two outputs: 1000 logits and 1280 features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper

from processors.inference.building.versions import IR_VERSION, OPSET

SIZE = 224
#: repeats, kernel, stride, expansion, channels in, channels out of each stage
_STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
_EPSILON = 1e-3  # of the normalisation
_PADDING = "SAME_UPPER"  # as TensorFlow pads


class _Network:
    def __init__(self, weights: dict[str, NDArray[Any]]) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = [
            numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in (("zero", 0), ("six", 6))
        ]

    def node(self, operator: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        name = name or f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def convolution(self, x: str, name: str, norm: str, *, stride: int = 1, depthwise: bool = False) -> str:
        """A convolution with the normalisation after it."""
        kernel = self.weights[f"{name}.weight"]
        gamma, beta, mean, variance = (
            self.weights[f"{norm}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + _EPSILON)
        self.constants += [
            numpy_helper.from_array((kernel * scale[:, None, None, None]).astype(np.float32), f"{name}.w"),
            numpy_helper.from_array((beta - mean * scale).astype(np.float32), f"{name}.b"),
        ]
        groups = kernel.shape[0] if depthwise else 1
        shape = list(kernel.shape[2:])
        return self.node(
            "Conv", [x, f"{name}.w", f"{name}.b"],
            kernel_shape=shape, strides=[stride, stride], group=groups, auto_pad=_PADDING,
        )  # fmt: skip

    def relu6(self, x: str) -> str:
        return self.node("Clip", [x, "zero", "six"])


def build(weights: dict[str, NDArray[Any]]) -> ModelProto:
    """The network with these weights."""
    net = _Network(weights)
    x = net.relu6(net.convolution("input", "_conv_stem", "_bn0", stride=2))
    number = 0
    for repeats, _, first_stride, expansion, before, after in _STAGES:
        for repeat in range(repeats):
            block, stride = f"_blocks.{number}", first_stride if repeat == 0 else 1
            y = x
            if expansion != 1:
                y = net.relu6(net.convolution(y, f"{block}._expand_conv", f"{block}._bn0"))
            y = net.relu6(
                net.convolution(y, f"{block}._depthwise_conv", f"{block}._bn1", stride=stride, depthwise=True)
            )
            y = net.convolution(y, f"{block}._project_conv", f"{block}._bn2")
            x = net.node("Add", [x, y]) if stride == 1 and (repeat or before == after) else y
            number += 1
    x = net.relu6(net.convolution(x, "_conv_head", "_bn1"))
    pooled = net.node("GlobalAveragePool", [x])
    net.node("Flatten", [pooled], "features")
    for name in ("weight", "bias"):
        net.constants.append(numpy_helper.from_array(weights[f"_fc.{name}"].copy(), f"_fc.{name}"))
    net.node("Gemm", ["features", "_fc.weight", "_fc.bias"], "logits", transB=1)
    graph = helper.make_graph(
        net.nodes,
        "efficientnet-lite0",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", len(weights["_fc.bias"])]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", weights["_fc.weight"].shape[1]]),
        ],
        net.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    checker.check_model(model)
    return model
