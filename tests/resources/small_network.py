"""One small network in every format that is served, made once: its files are kept in tests/resources/inference/network.

    PYTHONPATH=SITE python -m tests.resources.small_network onnx torch tensorflow

PICTURE [N, 3, 8, 8] in; a convolution, the means of what it finds, and a dense layer; LOGITS [N, 3] out. What a format
needs has to be installed; `torch` with PyTorch 2.6, as Debian has it, and `torch-newer` with one from 2.8 on.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.resources.repositories import add_files

FOLDER = Path(__file__).parent / "inference" / "network"
PICTURE: dict[str, Any] = {"name": "picture", "dtype": "float32", "shape": [-1, 3, 8, 8]}
LOGITS: dict[str, Any] = {"name": "logits", "dtype": "float32", "shape": [-1, 3]}
#: the file of each, and what runs it
FORMATS = {
    "onnx": ("network.onnx", "onnx"),
    "tflite": ("network.tflite", "tflite"),
    "tflite-int8": ("network-int8.tflite", "tflite"),
    "pt2": ("network.pt2", "torch"),
    "pt2-newer": ("newer.pt2", "torch"),
    "safetensors": ("blank.pt2", "torch"),
    "torchscript": ("network.torchscript", "torchscript"),
    "savedmodel": ("network.savedmodel.zip", "tensorflow"),
}
Weights = dict[str, NDArray[np.float32]]


def weights() -> Weights:
    """Of the two layers, as PyTorch has them."""
    dice = np.random.default_rng(8)
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "dense.weight": (3, 4), "dense.bias": (3,)}
    return {name: dice.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def pictures(count: int) -> NDArray[np.float32]:
    """Something to look at."""
    return np.random.default_rng(count).random((count, 3, 8, 8), np.float32)


def answers(given: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the network is, written down once more."""
    own = weights()
    padded = np.pad(given, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    found = np.einsum("nchwij,ocij->nohw", windows, own["conv.weight"]) + own["conv.bias"][:, None, None]
    means = np.maximum(found, 0).mean((2, 3))
    logits: NDArray[np.float32] = (means @ own["dense.weight"].T + own["dense.bias"]).astype(np.float32)
    return logits


def _onnx() -> None:
    from onnx import TensorProto, helper, numpy_helper

    from processors.inference.building.versions import IR_VERSION, OPSET

    nodes = [
        helper.make_node("Conv", ["picture", "conv.weight", "conv.bias"], ["found"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["found"], ["kept"]),
        helper.make_node("GlobalAveragePool", ["kept"], ["means"]),
        helper.make_node("Flatten", ["means"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense.weight", "dense.bias"], ["logits"], transB=1),
    ]
    ends = [
        [helper.make_tensor_value_info(str(each["name"]), TensorProto.FLOAT, ["N", *each["shape"][1:]])]
        for each in (PICTURE, LOGITS)
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in weights().items()]
    inputs, outputs = ends
    graph = helper.make_graph(nodes, "network", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    (FOLDER / "network.onnx").write_bytes(model.SerializeToString())


def _torch_network(own: Weights) -> Any:
    import torch

    class Network(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)
            self.dense = torch.nn.Linear(4, 3)

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return self.dense(torch.relu(self.conv(picture)).mean((2, 3)))

    network = Network().eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in own.items()})
    return network


def _export(own: Weights, name: str) -> None:
    import torch

    rows = {"picture": {0: torch.export.Dim("rows", min=1, max=64)}}
    program = torch.export.export(_torch_network(own), (torch.from_numpy(pictures(2)),), dynamic_shapes=rows)
    torch.export.save(program, FOLDER / name)


def _torch() -> None:
    import torch

    _export(weights(), "network.pt2")
    _export({name: np.zeros_like(value) for name, value in weights().items()}, "blank.pt2")
    torch.jit.save(torch.jit.script(_torch_network(weights())), FOLDER / "network.torchscript")
    # A program that reads a file of the machine it runs on: TorchScript is no sandbox.
    source = "def forward(self, picture):\n    return torch.from_file('/etc/hostname', False, 4, dtype=torch.uint8)\n"
    reader = torch.jit.ScriptModule()
    reader.define(source)
    torch.jit.save(reader, FOLDER / "reads-a-file.torchscript")


def _weights() -> None:
    import json

    head: dict[str, Any] = {}
    body = b""
    for name, value in weights().items():
        data = value.astype("<f4").tobytes()
        head[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    said = json.dumps(head).encode()
    (FOLDER / "network.safetensors").write_bytes(len(said).to_bytes(8, "little") + said + body)


def _tensorflow() -> None:
    import tensorflow as tf

    own = weights()

    class Network(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv = tf.Variable(own["conv.weight"].transpose(2, 3, 1, 0))
            self.dense = tf.Variable(own["dense.weight"].T)

        @tf.function(input_signature=[tf.TensorSpec([None, 3, 8, 8], tf.float32, name="picture")])  # type: ignore[untyped-decorator]
        def run(self, picture: Any) -> Any:
            found = tf.nn.conv2d(tf.transpose(picture, [0, 2, 3, 1]), self.conv, 1, "SAME") + own["conv.bias"]
            means = tf.reduce_mean(tf.nn.relu(found), [1, 2])
            return {"logits": tf.matmul(means, self.dense) + own["dense.bias"]}

    class Reader(tf.Module):  # type: ignore[misc]
        @tf.function(input_signature=[tf.TensorSpec([None, 3, 8, 8], tf.float32, name="picture")])  # type: ignore[untyped-decorator]
        def run(self, picture: Any) -> Any:
            text = tf.io.read_file("/etc/hostname")
            return {"logits": tf.reduce_mean(picture, [2, 3]) + tf.cast(tf.strings.length(text), tf.float32)}

    with tempfile.TemporaryDirectory() as scratch:
        for module, name in ((Network(), "network"), (Reader(), "reads-a-file")):
            folder = Path(scratch) / name
            tf.saved_model.save(module, str(folder), signatures=module.run)
            _pack(folder, FOLDER / f"{name}.savedmodel.zip")
        converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(scratch) / "network"))
        (FOLDER / "network.tflite").write_bytes(converter.convert())
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = _samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        (FOLDER / "network-int8.tflite").write_bytes(converter.convert())


def _samples() -> Iterator[list[Any]]:
    for row in pictures(100):
        yield [row[None]]


def _pack(folder: Path, target: Path) -> None:
    """With times that say nothing, so that the same model is the same file."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.writestr(zipfile.ZipInfo(f"network/{path.relative_to(folder)}"), path.read_bytes())


def network_files(kind: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The files of the network in one of its formats, and what a manifest says of them: a task that gives tensors."""
    file, framework = FORMATS[kind]
    files = {file: (FOLDER / file).read_bytes()}
    said = {"file": file, "framework": framework, "task": "tensors", "inputs": [PICTURE], "outputs": [LOGITS]}
    if framework == "tensorflow":
        files, said["file"] = unpacked(FOLDER / file), "network"
    if kind == "safetensors":
        said["weights"] = "network.safetensors"
        files["network.safetensors"] = (FOLDER / "network.safetensors").read_bytes()
    return files, said


def unpacked(archive: Path) -> dict[str, bytes]:
    """The files of a SavedModel, below `network`."""
    with zipfile.ZipFile(archive) as opened:
        return {each: opened.read(each) for each in opened.namelist()}


def add_network(root: Path, name: str, kind: str, **said: Any) -> Path:
    """Put the network into a repository, in one of its formats; its folder."""
    files, manifest = network_files(kind)
    return add_files(root, name, files, **manifest, **said)


if __name__ == "__main__":
    makers = {
        "onnx": (_onnx, _weights),
        "torch": (_torch,),
        "torch-newer": (lambda: _export(weights(), "newer.pt2"),),
        "tensorflow": (_tensorflow,),
    }
    for wanted in sys.argv[1:]:
        for make in makers[wanted]:
            make()
    shutil.rmtree(FOLDER / "__pycache__", ignore_errors=True)
