"""What is read out of a model's file, and what is written into one, against the libraries that define both."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from pitchey_cli.operations.models.conversions import CONVERSIONS
from pitchey_cli.operations.models.listing import ON_REQUEST
from processors.inference.building import tfjs
from processors.inference.building.versions import IR_VERSION, OPSET
from processors.inference.defaults import DEFAULTS
from processors.inference.frameworks import tflite_file
from processors.inference.frameworks.onnx_signature import signature_of
from processors.inference.manifest import TensorShape
from tests.resources import onnx_models, small_network
from tests.resources.models import default_models


def test_a_signature_is_what_onnx_says(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_models.quarters())
    found = signature_of(path)
    graph = onnx.load(str(path)).graph
    for said, has in ((graph.input, found.inputs), (graph.output, found.outputs)):
        assert [each.name for each in said] == [each.name for each in has]
        for one, other in zip(said, has, strict=True):
            assert [size.dim_value for size in one.type.tensor_type.shape.dim] == other.shape
    assert [each.dtype for each in found.outputs] == ["float32", "float32", "int64"]


def test_lengths_that_are_open_and_weights_among_the_inputs(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.float32([1, 2]), "weights")
    inputs = [
        helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", None, 3]),
        helper.make_tensor_value_info("weights", TensorProto.FLOAT, [2]),
    ]
    nodes = [helper.make_node("Identity", ["weights"], ["y"])]
    graph = helper.make_graph(
        nodes, "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])], [weights]
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph), str(path))
    assert signature_of(path).inputs == (TensorShape(name="text", dtype="string", shape=[-1, -1, 3]),)


def test_what_the_host_says_of_the_default_models_is_what_they_say(tmp_path: Path) -> None:
    said = {
        path.parent.parent.name: json.loads(path.read_text()) for path in default_models().glob("*/1/manifest.json")
    }
    keys = ("name", "task", "framework", "licence", "description")
    assert [tuple(manifest.get(key) for key in keys) for _, manifest in sorted(said.items())] == [
        (each.name, each.task, each.framework, each.licence, each.description) for each in DEFAULTS
    ]


def test_what_is_offered_to_be_made_here_can_be_made_here() -> None:
    assert ON_REQUEST.keys() == CONVERSIONS.keys()


# --- TensorFlow.js


def _text(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def _shape(*sizes: int) -> dict[str, Any]:
    return {"shape": {"dim": [{"size": str(size)} for size in sizes]}}


def _network(folder: Path, weights: dict[str, np.ndarray[Any, Any]], nodes: list[dict[str, Any]]) -> Path:
    """A graph model with its weights in half precision, as browsers get them."""
    (folder / "net.bin").write_bytes(
        b"".join(value.astype("<f2" if value.dtype.kind == "f" else "<i4").tobytes() for value in weights.values())
    )
    packed = {"quantization": {"dtype": "float16", "original_dtype": "float32"}}
    manifest = [
        {
            "name": name,
            "shape": list(value.shape),
            "dtype": "float32" if value.dtype.kind == "f" else "int32",
            **(packed if value.dtype.kind == "f" else {}),
        }
        for name, value in weights.items()
    ]
    constants = [{"op": "Const", "name": name} for name in weights]
    image = {
        "op": "Placeholder",
        "name": "image",
        "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": _shape(1, 6, 6, 2)},
    }
    document = {
        "modelTopology": {"node": [image, *constants, *nodes]},
        "weightsManifest": [{"paths": ["net.bin"], "weights": manifest}],
    }
    (folder / "net.json").write_text(json.dumps(document))
    return folder / "net.json"


def _run(path: Path, shape: list[int], image: Any) -> Any:
    model = tfjs.read(path).model({"y": (TensorProto.FLOAT, shape)})
    assert (model.ir_version, model.opset_import[0].version) == (IR_VERSION, OPSET)
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"image": image})[0]


def test_a_convolution_is_what_tensorflow_makes_of_it(tmp_path: Path) -> None:
    dice = np.random.default_rng(1)
    kernel = dice.integers(-4, 5, (3, 3, 2, 4)).astype(np.float32)
    bias = dice.integers(-4, 5, 4).astype(np.float32)
    image = dice.integers(0, 3, (1, 6, 6, 2)).astype(np.float32)
    fused = {"list": {"s": [_text("BiasAdd"), _text("Relu6")]}}
    attributes = {
        "strides": {"list": {"i": ["1", "2", "2", "1"]}},
        "padding": {"s": _text("VALID")},
        "fused_ops": fused,
    }
    node = {"op": "_FusedConv2D", "name": "y", "input": ["image", "kernel", "bias"], "attr": attributes}
    found = _run(_network(tmp_path, {"kernel": kernel, "bias": bias}, [node]), [1, 2, 2, 4], image)
    wanted = [
        [
            [np.sum(image[0, y : y + 3, x : x + 3, :, None] * kernel, axis=(0, 1, 2)) + bias for x in (0, 2)]
            for y in (0, 2)
        ]
    ]
    assert found == pytest.approx(np.clip(np.array(wanted), 0, 6))


def test_a_slice_drops_the_axes_that_it_is_told_to(tmp_path: Path) -> None:
    weights = {
        "begin": np.array([0, 2, 1, 1], np.int32),
        "end": np.array([0, 3, 4, 0], np.int32),
        "step": np.ones(4, np.int32),
    }
    masks = {"begin_mask": {"i": "1"}, "end_mask": {"i": "9"}, "shrink_axis_mask": {"i": "2"}}
    node = {"op": "StridedSlice", "name": "y", "input": ["image", "begin", "end", "step"], "attr": masks}
    image = np.arange(72, dtype=np.float32).reshape(1, 6, 6, 2)
    assert (_run(_network(tmp_path, weights, [node]), [1, 3, 1], image) == image[:, 2, 1:4, 1:]).all()


def test_an_operator_that_is_not_converted_is_named(tmp_path: Path) -> None:
    node = {"op": "FakeQuantWithMinMaxVars", "name": "y", "input": ["image"]}
    with pytest.raises(tfjs.NotServed, match="FakeQuantWithMinMaxVars"):
        tfjs.read(_network(tmp_path, {}, [node]))


def test_a_tflite_file_that_is_cut_anywhere_is_told_from_a_whole_one(tmp_path: Path) -> None:
    whole = (small_network.FOLDER / "network.tflite").read_bytes()
    path = tmp_path / "cut.tflite"
    for length in range(0, len(whole) - 8, 3):  # its last bytes are operators, which are nobody's business here
        path.write_bytes(whole[:length])
        with pytest.raises(tflite_file.NotTflite):
            tflite_file.look(path)
    path.write_bytes(whole)
    found = tflite_file.look(path).signature
    assert [(each.name, each.shape) for each in found.inputs] == [("picture", [-1, 3, 8, 8])]
    assert [each.name for each in found.outputs] == ["logits"]
