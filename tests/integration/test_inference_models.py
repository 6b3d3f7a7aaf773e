"""Models of a user's own through a real worker: good ones need a manifest and no more; bad ones are told apart."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from processors.vocabulary import GPU_VARIABLE
from processors.worker.companion import REASON_NAME
from tests.resources import onnx_models
from tests.resources.handlers.without_models import MENDED
from tests.resources.models import default_models
from tests.resources.onnx_models import BOXES, COLOURS, PICTURE, QUARTERS, add, add_classifier
from tests.resources.oracle import Oracle
from tests.resources.waiting import until
from tests.resources.workers import Worker


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def oracle(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Worker(tmp_path_factory.mktemp("own"), "--models", str(models), service="inference") as worker:
        yield Oracle(worker)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "grass.png"
    Image.new("RGB", (60, 40), (10, 200, 30)).save(path)
    return path


# --- good ones


def test_a_classifier_of_ones_own_needs_a_manifest_and_no_more(oracle: Oracle, models: Path, picture: Path) -> None:
    add_classifier(models, "colour", onnx_models.colours())
    answer = oracle.envelope("colour", picture)
    assert [each["label"] for each in answer["output"]] == ["green", "blue", "red"]
    assert sum(each["score"] for each in answer["output"]) == pytest.approx(1, abs=1e-4)
    assert (answer["model"], answer["version"]) == ("colour", "1")


def test_versions_live_side_by_side_and_one_is_pinned(oracle: Oracle, models: Path, picture: Path) -> None:
    for version in ("9", "10"):
        labels = [f"{label}-{version}" for label in COLOURS]
        add_classifier(models, "tint", onnx_models.colours(), version=version, labels=labels)
    assert oracle.envelope("tint", picture)["version"] == "10"
    assert oracle.ask("tint@9", picture)[0]["label"] == "green-9"
    (models / "tint" / "pinned").write_text("9\n")
    assert oracle.envelope("tint", picture)["version"] == "9"


def test_tensors_go_in_and_out_as_they_are(oracle: Oracle, models: Path, tmp_path: Path) -> None:
    inputs = [{"name": "image", "shape": [-1, 3, 8, 8]}]
    add(models, "raw", onnx_models.colours(), task="tensors", inputs=inputs)
    ones = np.ones((2, 3, 8, 8), np.float32) * np.float32([1, 2, 3])[None, :, None, None]
    (tensor,) = oracle.ask("raw", {"image": ones.tolist()})["outputs"]
    assert (tensor["name"], tensor["datatype"], tensor["shape"]) == ("logits", "FP32", [2, 3])
    assert tensor["data"] == pytest.approx([10, 20, 30] * 2)
    np.save(tmp_path / "ones.npy", ones)
    np.savez_compressed(tmp_path / "ones.npz", image=ones)
    for name in ("ones.npy", "ones.npz"):
        out = oracle.file("raw", tmp_path / name, outputFormat="binary")
        assert np.load(out, allow_pickle=False) == pytest.approx(np.tile([10, 20, 30], (2, 1)))
    error = oracle.failure("raw", {"image": [[1.0]]})
    assert error["code"] == "wrong_shape" and "It takes image float32[?, 3, 8, 8]." in error["hint"]


def test_numbers_that_are_none_are_told_with_the_input_that_made_them(
    oracle: Oracle, models: Path, tmp_path: Path
) -> None:
    for name, colour in (("white.png", "white"), ("black.png", "black")):
        Image.new("RGB", (8, 8), colour).save(tmp_path / name)
    add_classifier(models, "logs", onnx_models.logarithms())
    error = oracle.failure("logs", {name: tmp_path / name for name in ("white.png", "black.png")})
    assert (error["code"], error["reason"]) == ("not_finite", "rejected")
    assert error["message"].startswith("black.png: The model logs@1 gives NaN or infinite numbers: its scores")
    add(
        models, "raw-logs", onnx_models.logarithms(), task="tensors", inputs=[{"name": "image", "shape": [-1, 3, 8, 8]}]
    )
    zeros = {"image": np.zeros((1, 3, 8, 8)).tolist()}
    error = oracle.failure("raw-logs", zeros)
    assert error["code"] == "not_finite" and "outputFormat binary" in error["hint"]
    assert np.isneginf(np.load(oracle.file("raw-logs", zeros, outputFormat="binary"))).all()


def test_a_model_without_a_mask_gets_nothing_added_to_its_texts(oracle: Oracle, models: Path) -> None:
    tokenizer = (default_models() / "embeddings" / "1" / "tokenizer.json").read_bytes()
    add(
        models, "lengths", onnx_models.lengths(), task="text-classification", labels=["long", "short"],
        inputs=[{"name": "input_ids", "dtype": "int64", "shape": [-1, -1]}],
        outputs=[{"name": "logits", "shape": [-1, 1]}],
        preprocessing={"kind": "tokens"}, postprocessing={"kind": "scores", "activation": "sigmoid"},
        batching={"maxSize": 8, "buckets": [64]}, others={"tokenizer.json": tokenizer},
    )  # fmt: skip
    texts = ["one", "one two three four five six seven", "two", "one two three"]
    alone = [oracle.ask("lengths", text) for text in texts]
    assert alone[0][0]["score"] > alone[3][0]["score"] > alone[1][0]["score"]
    assert oracle.ask("lengths", texts) == alone


def test_moderation_that_could_object_to_nothing_is_refused(oracle: Oracle, models: Path, picture: Path) -> None:
    add_classifier(models, "careless", onnx_models.colours(), task="image-moderation")
    error = oracle.failure("careless", picture)
    assert error["code"] == "manifest_disagrees" and "postprocessing.flag does not say" in error["message"]
    add_classifier(
        models, "careful", onnx_models.colours(), task="image-moderation",
        postprocessing={"kind": "scores", "flag": ["green"]},
    )  # fmt: skip
    assert oracle.ask("careful", picture)["flagged"] is True


# --- detectors


def add_detector(models: Path, name: str, fit: str = "stretch", labels: list[str] = QUARTERS, **said: Any) -> None:
    picture, boxes = {**PICTURE, "fit": fit}, {**BOXES, **said}
    data = onnx_models.quarters()
    add(models, name, data, task="object-detection", preprocessing=picture, postprocessing=boxes, labels=labels)


@pytest.mark.parametrize(
    ("fit", "boxes"),
    [
        ("stretch", [(80, 0, 160, 40), (80, 40, 160, 80)]),
        ("crop", [(80, 0, 120, 40), (80, 40, 120, 80)]),  # of the square in the middle, from 40 to 120
        ("pad", [(80, 0, 160, 80)]),  # below it is the border
    ],
)
def test_boxes_are_in_pixels_of_the_picture_whatever_was_done_to_it(
    oracle: Oracle, models: Path, tmp_path: Path, fit: str, boxes: list[tuple[int, int, int, int]]
) -> None:
    add_detector(models, f"detect-{fit}", fit)
    picture = Image.new("RGB", (160, 80))
    picture.paste((255, 0, 0), (80, 0, 160, 80))
    picture.save(tmp_path / "half.png")
    found = oracle.ask(f"detect-{fit}", tmp_path / "half.png")
    assert sorted(tuple(each["box"].values()) for each in found) == boxes
    assert {each["label"] for each in found} <= {"top right", "bottom right"}
    schema = json.loads((Path(onnx_models.__file__).parent / "inference/schemas/object-detection.json").read_text())
    jsonschema.validate(found, schema)


def test_the_surest_box_of_a_class_hides_those_that_it_covers(oracle: Oracle, models: Path, tmp_path: Path) -> None:
    """Read as middle and size, the boxes are 2x2, 8x2, 2x8 and 8x8 pixels from the corner."""
    one = {"labels": ["red"], "classes": None, "form": "cxcywh"}
    for name, overlap in (("all-boxes", None), ("few-boxes", 0.2)):
        add_detector(models, name, overlap=overlap, **one)
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "red.png")
    assert len(oracle.ask("all-boxes", tmp_path / "red.png")) == 4
    assert len(oracle.ask("all-boxes", tmp_path / "red.png", topK=2)) == 2
    kept = [tuple(each["box"].values()) for each in oracle.ask("few-boxes", tmp_path / "red.png")]
    assert kept == [(0, 0, 2, 2), (0, 0, 8, 8)]  # the others share a quarter with the first


def test_a_class_that_has_no_label_is_the_manifests_mistake(oracle: Oracle, models: Path, tmp_path: Path) -> None:
    add_detector(models, "unnamed", labels=QUARTERS[:2])
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "red.png")
    error = oracle.failure("unnamed", tmp_path / "red.png")
    assert error["code"] == "manifest_disagrees" and "gives the class 2, and there are 2 labels" in error["message"]


@pytest.mark.parametrize("activation", ["none", "sigmoid"])
@pytest.mark.parametrize("layout", ["columns", "rows"])
@pytest.mark.parametrize("numbers", ["classes", "object-classes", "best-class"])
def test_one_table_as_yolos_detectors_give_it_needs_a_manifest_and_no_more(
    oracle: Oracle, models: Path, tmp_path: Path, layout: str, numbers: str, activation: str
) -> None:
    how = {"layout": layout, "numbers": numbers, "activation": activation}
    name = f"yolo-{layout}-{numbers}-{activation}"
    after = {"kind": "yolo", **how} | ({"form": "xyxy"} if numbers == "best-class" else {})
    add(
        models, name, onnx_models.yolo(**how), task="object-detection", labels=QUARTERS,
        preprocessing={**PICTURE, "fit": "stretch"}, postprocessing=after,
    )  # fmt: skip
    picture = Image.new("RGB", (160, 80))
    picture.paste((255, 0, 0), (80, 0, 160, 80))
    picture.save(tmp_path / "half.png")
    found = {each["label"]: each for each in oracle.ask(name, tmp_path / "half.png")}
    boxes = {label: tuple(each["box"].values()) for label, each in found.items()}
    assert boxes == {"top right": (80, 0, 160, 40), "bottom right": (80, 40, 160, 80)}
    assert all(each["score"] > 0.9 for each in found.values())


def test_boxes_of_one_table_are_one_where_they_overlap_and_belong_to_one_class(
    oracle: Oracle, models: Path, tmp_path: Path
) -> None:
    data = onnx_models.yolo(layout="columns", numbers="classes", activation="none")
    how = {"task": "object-detection", "labels": QUARTERS, "preprocessing": {**PICTURE, "fit": "stretch"}}
    picture = Image.new("RGB", (8, 8))
    picture.paste((255, 0, 0), (0, 0, 4, 4))
    picture.save(tmp_path / "corner.png")
    for overlap, count in ((None, 3), (0.99, 3), (0.75, 2), (0.45, 1)):  # of the first the others have 0.82 and 0.68
        add(models, f"yolo-{overlap or 0}", data, postprocessing={"kind": "yolo", "overlap": overlap}, **how)
        assert len(oracle.ask(f"yolo-{overlap or 0}", tmp_path / "corner.png")) == count
    scores = [each["score"] for each in oracle.ask("yolo-0.99", tmp_path / "corner.png", threshold=0.85)]
    assert scores == pytest.approx([1, 0.9], abs=1e-3)
    assert len(oracle.ask("yolo-0.99", tmp_path / "corner.png", topK=1)) == 1


def test_a_table_of_another_width_than_its_labels_is_the_manifests_mistake(
    oracle: Oracle, models: Path, tmp_path: Path
) -> None:
    data = onnx_models.yolo(layout="rows", numbers="object-classes", activation="none")
    how = {"task": "object-detection", "labels": QUARTERS, "preprocessing": PICTURE}
    add(models, "yolo-narrow", data, postprocessing={"kind": "yolo", "layout": "rows"}, **how)
    Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
    error = oracle.failure("yolo-narrow", tmp_path / "black.png")
    assert error["code"] == "manifest_disagrees"
    assert "gives 9 numbers for each box, and classes with 4 labels are 8" in error["message"]


# --- manifests that do not fit


@pytest.mark.parametrize(
    ("said", "code", "says"),
    [
        ({"labels": ["red", "green"]}, "manifest_disagrees", "it gives 3 scores, and there are 2 labels"),
        ({"preprocessing": {**PICTURE, "width": 16}}, "wrong_shape", "It takes image float32[?, 3, 8, 8]."),
        ({"preprocessing": {**PICTURE, "input": "img"}}, "input_missing", "needs the input 'image'"),
        ({"outputs": [{"name": "scores"}]}, "manifest_disagrees", "names the output 'scores'"),
        (
            {"task": "image-clasification"},
            "bad_manifest",
            "task: 'image-clasification' is not known, but 'image-classification' is",
        ),
        ({"labels": "labels.txt"}, "bad_manifest", "labels.txt is not among files"),
        ({"file": "../model.onnx"}, "bad_manifest", "is no path inside the model's folder"),
        ({"framework": "torch"}, "code_not_allowed", "is torch, which can run code, and nobody has allowed that"),
        ({"framework": "tflite"}, "not_tflite", "is no whole TFLite file: it does not begin as one"),
        ({"task": "object-detection"}, "manifest_disagrees", "the postprocessing boxes"),
        ({"resources": {"memoryBytes": 1 << 50}}, "model_too_large", "MiB of memory, and this instance has"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told_with_the_reason(
    oracle: Oracle, models: Path, picture: Path, said: dict[str, Any], code: str, says: str
) -> None:
    name = f"bad-{len(list(models.iterdir()))}"
    if (manifest := said.get("file")) is None:
        add_classifier(models, name, onnx_models.colours(), **said)
    else:
        folder = add_classifier(models, name, onnx_models.colours())
        document = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps(document | {"file": manifest}))
    error = oracle.failure(name, picture)
    assert (error["code"], error["retryable"]) == (code, False), error
    assert says in f"{error['message']} {error.get('hint', '')}" and name in error["message"], error


def test_models_that_cannot_be_served_end_the_attempt_at_once_with_the_reason(tmp_path: Path, models: Path) -> None:
    add_classifier(models, "waiting", onnx_models.colours())
    Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
    options = ("--slots", "2", "--models", str(models), "--handler", "tests.resources.handlers.without_models")
    with Worker(tmp_path / "own", *options, service="inference") as worker:
        oracle = Oracle(worker)
        both = [oracle.begin("waiting", tmp_path / "black.png") for _ in range(2)]
        for token in both:
            error = worker.ending(token)["error"]
            assert (error["code"], error["retryable"]) == ("models_not_served", False)
            assert "cannot begin: ImportError: libgomp.so.1: cannot open shared object file." in error["message"]
        (worker.run / MENDED).touch()
        until(lambda: not (worker.run / REASON_NAME).exists(), "the companion has begun")
        assert oracle.envelope("waiting", tmp_path / "black.png")["model"] == "waiting"


def test_a_model_that_would_run_on_the_processor_instead_of_a_card_is_refused(
    tmp_path: Path, models: Path, picture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library here knows no card, as that of an image without one, and would say nothing of it."""
    monkeypatch.setenv(GPU_VARIABLE, "1")
    add_classifier(models, "quick", onnx_models.colours())
    with Worker(tmp_path / "own", "--models", str(models), service="inference") as worker:
        error = Oracle(worker).failure("quick", picture)
    assert (error["code"], error["retryable"]) == ("no_gpu", False), error
    assert "quick@1 would run on the processor, and a graphics card is asked for." in error["message"]


# --- files that are not what they should be


class _Payload:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


def test_a_pickle_is_refused_and_not_run(oracle: Oracle, models: Path, picture: Path, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    add_classifier(models, "pickled", pickle.dumps(_Payload(trap)))
    assert oracle.failure("pickled", picture)["code"] == "not_onnx"
    objects = tmp_path / "objects.npy"
    np.save(objects, np.array([_Payload(trap)], dtype=object), allow_pickle=True)
    add(models, "plain", onnx_models.colours(), task="tensors", inputs=[{"name": "image"}])
    assert oracle.failure("plain", objects)["code"] == "unsafe_tensors"
    assert not trap.exists()


@pytest.mark.parametrize("make", [onnx_models.with_data_in, onnx_models.with_data_in_a_node])
@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname", "a/../../secret.bin"])
def test_a_model_that_reads_files_of_others_is_refused(
    oracle: Oracle, models: Path, make: Any, location: str, picture: Path
) -> None:
    name = f"reaching-{len(list(models.iterdir()))}"
    (add_classifier(models, name, make(location)).parent / "secret.bin").write_bytes(bytes(16))
    error = oracle.failure(name, picture)
    assert error["code"] == "unsafe_model" and location in error["message"], error


def test_a_link_out_of_the_folder_is_not_followed(oracle: Oracle, models: Path, picture: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(16))
    folder = add_classifier(models, "linked", onnx_models.with_data_in("w.bin"), others={"w.bin": bytes(16)})
    (folder / "w.bin").unlink()
    (folder / "w.bin").symlink_to(secret)
    assert oracle.failure("linked", picture)["code"] == "damaged_model"


def test_data_beside_the_model_is_read(oracle: Oracle, models: Path) -> None:
    numbers = np.arange(4, dtype=np.float32).tobytes()
    add(models, "beside", onnx_models.with_data_in("w.bin"), task="tensors", others={"w.bin": numbers})
    (tensor,) = oracle.ask("beside", {"unused": [1]})["outputs"]
    assert tensor["data"] == [0, 1, 2, 3]


def test_files_that_are_cut_changed_or_mislabelled_are_told_apart(
    oracle: Oracle, models: Path, picture: Path, tmp_path: Path
) -> None:
    whole = onnx_models.colours()
    gguf = b"GGUF" + (3).to_bytes(4, "little") + bytes(16)
    for name, data, code in (
        ("cut", whole[: len(whole) // 2], "not_onnx"),
        ("empty", b"", "not_onnx"),
        ("mislabelled", gguf, "not_onnx"),
        ("words", b"This is no model at all, but a sentence.", "not_onnx"),
    ):
        add_classifier(models, name, data)
        error = oracle.failure(name, picture)
        assert error["code"] == code and error["retryable"] is False, error
    folder = add_classifier(models, "changed", whole)
    (folder / "model.onnx").write_bytes(whole[:-1] + b"\0")
    assert "its SHA-256 is another" in oracle.failure("changed", picture)["message"]
    add(models, "talks", whole, framework="gguf", file="model.gguf", task="text-generation")
    assert oracle.failure("talks", "hello")["code"] == "not_gguf"
    add(models, "claims", gguf[:8] + b"\xff" * 16, framework="gguf", file="model.gguf", task="text-generation")
    assert oracle.failure("claims", "hello")["code"] == "not_gguf"


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    oracle: Oracle, models: Path, tmp_path: Path
) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (3 << 30,)})
    bomb = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("image.npy", "w") as file,
    ):
        file.write(header.getvalue())
        for _ in range(1100):
            file.write(bytes(1 << 20))
    assert bomb.stat().st_size < 8 << 20
    add(models, "small", onnx_models.colours(), task="tensors", inputs=[{"name": "image"}])
    error = oracle.failure("small", bomb)
    assert error["code"] == "tensors_too_large" and "bomb.npz unpacks to 1100 MiB" in error["message"]
