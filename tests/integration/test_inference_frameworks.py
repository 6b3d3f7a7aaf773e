"""The same network in several formats gives the same answers; a file that is not what it should be is refused."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.resources.oracle import Oracle
from tests.resources.repositories import add_files
from tests.resources.small_network import FOLDER, LOGITS, PICTURE, add_network, answers, pictures
from tests.resources.workers import Worker


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def oracle(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Worker(tmp_path_factory.mktemp("own"), "--models", str(models), service="inference") as worker:
        yield Oracle(worker)


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        ("onnx", 1e-4),
        ("tflite", 1e-4),
        ("tflite-int8", 0.05),  # whole numbers, of which 256 have to do
    ],
)
def test_a_network_gives_the_same_answers_in_every_format(
    oracle: Oracle, models: Path, kind: str, least: float
) -> None:
    add_network(models, kind, kind)
    for rows in (1, 3, 1):
        given = pictures(rows)
        (tensor,) = oracle.ask(kind, {"picture": given.tolist()})["outputs"]
        assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("logits", "FP32", [rows, 3])
        assert np.reshape(tensor["data"], (rows, 3)) == pytest.approx(answers(given), abs=least)
    error = oracle.failure(kind, {"picture": [[1.0]]})
    assert error["code"] == "wrong_shape" and "It takes picture" in error["hint"], error
    assert oracle.failure(kind, {"image": given.tolist()})["code"] == "input_missing"


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed: it is served")
def test_a_model_of_a_framework_that_is_not_here_is_told_which_image_has_it(oracle: Oracle, models: Path) -> None:
    add_network(models, "elsewhere", "torchscript", codeAllowedBy="somebody")
    error = oracle.failure("elsewhere", {"picture": pictures(1).tolist()})
    assert (error["code"], error["retryable"]) == ("framework_not_served", False)
    assert "elsewhere@1 is torchscript, which this instance does not run." in error["message"]
    assert "`pitchey images build inference-torch` makes an image that does" in error["hint"]


def test_a_manifest_that_names_what_a_tflite_model_lacks_is_refused(oracle: Oracle, models: Path) -> None:
    data = (FOLDER / "network.tflite").read_bytes()
    scores = {**LOGITS, "name": "scores"}
    add_files(models, "misnamed", {"m.tflite": data}, framework="tflite", file="m.tflite", task="tensors",
              inputs=[PICTURE], outputs=[scores])  # fmt: skip
    error = oracle.failure("misnamed", {"picture": pictures(1).tolist()})
    assert error["code"] == "manifest_disagrees" and "names the output 'scores'" in error["message"]


def _wants_tensorflow(data: bytes) -> bytes:
    """One of its operators becomes TensorFlow's, by a name of its own."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(data, 0)
    model.operatorCodes[0].customCode = b"FlexReadFile"
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        (lambda data: data[: len(data) // 2], "not_tflite", "it ends in the middle"),
        (lambda data: data[:12], "not_tflite", "it is too short"),
        (lambda data: data[:8] + b"\xff" * (len(data) - 8), "not_tflite", "is no whole TFLite file"),
        (lambda _: (FOLDER / "network.onnx").read_bytes(), "not_tflite", "it does not begin as one"),
        (_wants_tensorflow, "unsafe_model", "wants TensorFlow's operator ReadFile"),
    ],
)
def test_a_tflite_file_that_is_none_is_refused_with_the_reason(
    oracle: Oracle, models: Path, change: Callable[[bytes], bytes], code: str, says: str
) -> None:
    name = f"bad-{len(list(models.iterdir()))}"
    data = change((FOLDER / "network.tflite").read_bytes())
    add_files(models, name, {"m.tflite": data}, framework="tflite", file="m.tflite", task="tensors", inputs=[PICTURE])
    error = oracle.failure(name, {"picture": pictures(1).tolist()})
    assert (error["code"], error["retryable"]) == (code, False), error
    assert says in error["message"], error
