"""`pitchey models`: a model of one's own is added, used, looked at and removed."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Pitchey
from tests.resources import onnx_models
from tests.resources.onnx_models import BOXES, COLOURS, PICTURE, QUARTERS

CLASSIFIER = ("--task", "image-classification", "--labels", ",".join(COLOURS))


@pytest.fixture
def colours(pitchey: Pitchey) -> Path:
    path = pitchey.cwd / "colours.onnx"
    path.write_bytes(onnx_models.colours())
    return path


@pytest.fixture
def grass(pitchey: Pitchey) -> Path:
    path = pitchey.cwd / "grass.png"
    Image.new("RGB", (60, 40), (10, 200, 30)).save(path)
    return path


def versions(pitchey: Pitchey) -> list[str]:
    rows = [json.loads(line) for line in pitchey.ok("models", "list", "--json").lines]
    return [f"{row['name']}@{row['version']}" for row in rows if row["from"] == "machine"]


# --- models of one's own, in use


def test_a_classifier_needs_its_task_and_its_labels_and_no_more(pitchey: Pitchey, colours: Path, grass: Path) -> None:
    added = pitchey.ok("models", "add", "colour", colours, *CLASSIFIER)
    assert "colour@1 is added: image-classification, onnx, " in added.err
    answer = pitchey.ok("run", "inference", "colour", grass).json
    assert (answer["model"], answer["version"], answer["task"]) == ("colour", "1", "image-classification")
    assert [each["label"] for each in answer["output"]] == ["green", "blue", "red"]
    # Ten times the share of each colour are the logits: 7.8 of green against 1.2 of blue.
    assert answer["output"][0]["score"] == pytest.approx(0.998, abs=0.002)


def test_a_detector_needs_nothing_but_a_manifest(pitchey: Pitchey) -> None:
    folder = pitchey.cwd / "detector"
    folder.mkdir()
    (folder / "net.onnx").write_bytes(onnx_models.quarters())
    manifest = {
        "task": "object-detection",
        "file": "net.onnx",
        "preprocessing": {**PICTURE, "fit": "stretch"},
        "postprocessing": BOXES,
        "labels": QUARTERS,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    pitchey.ok("models", "add", "quarters", folder)
    picture = Image.new("RGB", (60, 40))
    picture.paste((255, 0, 0), (30, 20, 60, 40))
    picture.save(pitchey.cwd / "photo.png")
    answer = pitchey.ok("run", "inference", "quarters", "photo.png", "--threshold", "0.6").json
    box = {"xmin": 30, "ymin": 20, "xmax": 60, "ymax": 40}
    (found,) = answer["output"]
    assert (found["label"], found["box"]) == ("bottom right", box) and found["score"] > 0.9
    text = pitchey.ok("run", "inference", "quarters", "photo.png", "--output-format", "text").out
    assert text.startswith("bottom right ") and text.rstrip().endswith("at 30,20, 30x20")


def test_a_detector_is_read_out_of_its_shapes(pitchey: Pitchey) -> None:
    (pitchey.cwd / "net.onnx").write_bytes(onnx_models.quarters())
    pitchey.ok("models", "add", "quarters", "net.onnx", "--task", "object-detection", "--labels", ",".join(QUARTERS))
    said = pitchey.ok("models", "show", "quarters", "--json").json["manifest"]
    assert said["postprocessing"]["boxes"] == "boxes" and said["postprocessing"]["classes"] == "classes"
    assert (said["preprocessing"]["width"], said["preprocessing"]["layout"]) == (8, "nchw")
    assert said["outputs"][0] == {"name": "boxes", "dtype": "float32", "shape": [1, 4, 4]}


@pytest.mark.parametrize(("layout", "numbers"), [("columns", "classes"), ("rows", "object-classes")])
def test_a_detector_with_one_table_is_read_out_of_its_shape(pitchey: Pitchey, layout: str, numbers: str) -> None:
    table = onnx_models.yolo(layout=layout, numbers=numbers, activation="none")
    (pitchey.cwd / "yolo.onnx").write_bytes(table)
    command = ["models", "add", "yolo", "yolo.onnx", "--task", "object-detection", "--labels", ",".join(QUARTERS)]
    if numbers != "classes":
        refused = pitchey(*command)
        assert refused.code == 2
        assert "of rows the output has 9 numbers for each box, and classes with 4 labels are 8" in refused.err
        command += ["--postprocessing", json.dumps({"numbers": numbers})]
    pitchey.ok(*command)
    said = pitchey.ok("models", "show", "yolo", "--json").json["manifest"]["postprocessing"]
    assert [said[name] for name in ("kind", "output", "layout", "numbers")] == ["yolo", "output0", layout, numbers]
    Image.new("RGB", (8, 8), (255, 0, 0)).save(pitchey.cwd / "red.png")
    found = pitchey.ok("run", "inference", "yolo", "red.png").json["output"]
    assert sorted(each["label"] for each in found) == sorted(QUARTERS)


def test_versions_live_side_by_side_and_one_is_pinned(pitchey: Pitchey, colours: Path, grass: Path) -> None:
    for _ in range(2):
        pitchey.ok("models", "add", "colour", colours, *CLASSIFIER)
    pitchey.ok("models", "add", "colour@2024-a", colours, *CLASSIFIER, "--pin")
    assert versions(pitchey) == ["colour@1", "colour@2", "colour@2024-a"]
    pitchey.ok("models", "pin", "colour@2")
    table = pitchey.ok("models", "list").out
    assert [line.split()[:2] for line in table.splitlines() if line.startswith("colour")][1] == ["colour@2", "*"]
    assert pitchey.ok("run", "inference", "colour", grass).json["version"] == "2"
    pitchey.ok("models", "unpin", "colour")
    assert pitchey.ok("models", "show", "colour", "--json").json["version"] == "2024-a"
    again = pitchey("models", "add", "colour@2", colours, *CLASSIFIER)
    assert again.code == 2 and "There is a model colour@2 already." in again.err
    several = pitchey("models", "remove", "colour")
    assert several.code == 2 and "has 3 versions: 1, 2, 2024-a" in several.err
    pitchey.ok("models", "remove", "colour@1")
    pitchey.ok("models", "remove", "colour", "--all-versions")
    assert versions(pitchey) == []
    assert pitchey("models", "remove", "colour").code == 3


def test_the_models_of_the_image_are_listed_and_are_not_this_machines_to_remove(pitchey: Pitchey) -> None:
    rows = {row["name"]: row for row in map(json.loads, pitchey.ok("models", "list", "--json").lines)}
    assert rows["sentiment"]["from"] == "image" and rows["sentiment"]["isMeant"]
    assert rows["sentiment"]["licence"] == "Apache-2.0" and rows["sentiment"]["schema"] == 1
    answer = pitchey("models", "remove", "sentiment")
    assert answer.code == 3 and "sentiment@1 is the image's" in answer.err
    near = pitchey("models", "show", "sentimant")
    assert near.code == 3 and "Did you mean 'sentiment'?" in near.err


def test_a_model_is_warmed_by_a_job_and_one_that_cannot_be_loaded_is_told(pitchey: Pitchey, colours: Path) -> None:
    pitchey.ok("models", "add", "colour", colours, *CLASSIFIER)
    pitchey.ok("models", "add", "broken", colours, *CLASSIFIER)
    file = pitchey.state_dir / "models" / "broken" / "1" / "colours.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    answer = pitchey("models", "warm", "colour", "broken")
    assert answer.code == 1, answer
    assert "colour is loaded; its job waited" in answer.err and "no daemon runs, so nothing stays loaded" in answer.err
    assert "its SHA-256 is another" in answer.err
    assert pitchey("models", "warm", "nothing").code == 3


def test_a_model_of_tensors_is_warmed_and_measured_where_its_shapes_say_what_it_takes(
    pitchey: Pitchey, colours: Path
) -> None:
    pitchey.ok("models", "add", "raw", colours, "--task", "tensors")
    assert "raw is loaded; its job waited" in pitchey.ok("models", "warm", "raw").err
    assert pitchey.ok("models", "bench", "raw", "--json").json["model"] == "raw@1"
    manifest = {"task": "tensors", "inputs": [{"name": "image", "shape": [-1, 3, -1, -1]}]}
    (pitchey.cwd / "open.json").write_text(json.dumps(manifest))
    pitchey.ok("models", "add", "open", colours, "--manifest", "open.json")
    assert "What open@1 could work on is not known here." in pitchey("models", "warm", "open").err


def test_how_a_model_is_to_be_batched_is_measured_and_written_down(pitchey: Pitchey, colours: Path) -> None:
    pitchey.ok("models", "add", "colour", colours, *CLASSIFIER)
    answer = pitchey.ok("models", "bench", "colour", "--json").json
    counts = [each["inputs"] for each in answer["runs"]]
    assert counts[:3] == [1, 2, 4] and all(each["seconds"] > 0 for each in answer["runs"])
    assert answer["isWritten"] and answer["batching"]["maxSize"] in counts
    manifest = pitchey.ok("models", "show", "colour", "--json").json["manifest"]
    assert manifest["batching"]["maxSize"] == answer["batching"]["maxSize"]
    assert pitchey.ok("models", "verify").lines == ["colour@1: whole"]
    (pitchey.cwd / "net.onnx").write_bytes(onnx_models.quarters())  # takes one picture at a time
    pitchey.ok("models", "add", "quarters", "net.onnx", "--task", "object-detection", "--labels", ",".join(QUARTERS))
    table = pitchey.ok("models", "bench", "quarters")
    assert len(table.lines) == 3 and "one input at a time; written into its manifest" in table.err


# --- where they come from


def wheel(folder: Path, name: str = "shapes", version: str = "1.2") -> Path:
    """A package that ships a model beside code that would be a nuisance if it ran."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}/__init__.py", "raise SystemExit('this ran')")
        archive.writestr(f"{name}/data/net.onnx", onnx_models.colours())
        archive.writestr(f"{name}/data/labels.txt", "\n".join(COLOURS) + "\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_a_python_package_gives_its_model_and_nothing_of_it_is_run(pitchey: Pitchey, tmp_path: Path) -> None:
    path = wheel(tmp_path)
    options = ("--task", "image-classification", "--labels", "shapes/data/labels.txt")
    pitchey.ok("models", "add", "by-file", path, *options)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    pitchey.ok("models", "add", "by-name", "pip:shapes==1.2", *options, **offline)
    for name, source in (("by-file", {}), ("by-name", {"package": "pip:shapes==1.2 (shapes-1.2-py3-none-any.whl)"})):
        said = pitchey.ok("models", "show", name, "--json").json["manifest"]
        assert sorted(said["files"]) == ["labels.txt", "net.onnx"]
        assert {key: value for key, value in said["source"].items() if value} == source
    missing = pitchey("models", "add", "x", "pip:shapes==9", *options, **offline)
    assert missing.code == 3 and "There is no package pip:shapes==9 here." in missing.err


def test_an_archive_with_several_models_asks_which(pitchey: Pitchey, tmp_path: Path) -> None:
    path = tmp_path / "two.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("package/a.onnx", "package/b/b.onnx"):
            data = onnx_models.colours()
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    answer = pitchey("models", "add", "x", path, *CLASSIFIER)
    assert answer.code == 2 and "holds 2 models" in answer.err and "a.onnx, b/b.onnx" in answer.err
    pitchey.ok("models", "add", "x", path, "--file", "b/b.onnx", *CLASSIFIER)
    assert list(pitchey.ok("models", "show", "x", "--json").json["manifest"]["files"]) == ["b.onnx"]


def test_data_beside_the_model_comes_along(pitchey: Pitchey) -> None:
    (pitchey.cwd / "m.onnx").write_bytes(onnx_models.with_data_in("w.bin"))
    (pitchey.cwd / "w.bin").write_bytes(bytes(16))
    (pitchey.cwd / "unrelated.txt").write_text("not the model's")
    pitchey.ok("models", "add", "beside", "m.onnx", "--task", "tensors")
    assert sorted(pitchey.ok("models", "show", "beside", "--json").json["manifest"]["files"]) == ["m.onnx", "w.bin"]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "net.onnx").write_bytes(onnx_models.colours())

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "served"))  # type: ignore[arg-type]

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/net.onnx"
        server.shutdown()


def test_a_url_is_fetched_from_public_addresses_only_and_is_what_it_should_be(pitchey: Pitchey, url: str) -> None:
    denied = pitchey("models", "add", "far", url, *CLASSIFIER)
    assert denied.code == 4 and "has no public address" in denied.err
    allowed = {"PITCHEY_NETWORK_ALLOW_PRIVATE_URLS": "true"}
    wrong = pitchey("models", "add", "far", url, *CLASSIFIER, "--sha256", "0" * 64, **allowed)
    assert wrong.code == 2 and "has the SHA-256" in wrong.err and versions(pitchey) == []
    digest = hashlib.sha256(onnx_models.colours()).hexdigest()
    pitchey.ok("models", "add", "far", url, *CLASSIFIER, "--sha256", digest, **allowed)
    said = pitchey.ok("models", "show", "far", "--json").json["manifest"]
    assert said["source"]["url"] == url and said["files"]["net.onnx"]["sha256"] == digest


# --- what is kept


def test_verify_tells_what_was_changed_afterwards(pitchey: Pitchey, colours: Path) -> None:
    pitchey.ok("models", "add", "good", colours, *CLASSIFIER)
    pitchey.ok("models", "add", "bad", colours, *CLASSIFIER)
    assert pitchey.ok("models", "verify").lines == ["bad@1: whole", "good@1: whole"]
    file = pitchey.state_dir / "models" / "bad" / "1" / "colours.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    answer = pitchey("models", "verify", "--json")
    assert answer.code == 1
    found = {row["model"]: row["problem"] for row in map(json.loads, answer.lines)}
    assert found["good@1"] is None and "its SHA-256 is another" in found["bad@1"]
    assert pitchey.ok("models", "verify", "good").lines == ["good@1: whole"]
    (file.parent / "manifest.json").write_text("{}")
    assert "cannot be used" in pitchey.ok("models", "list").out
    pitchey.ok("models", "remove", "bad")


def test_a_model_that_another_one_uses_stays(pitchey: Pitchey, colours: Path) -> None:
    pitchey.ok("models", "add", "base", colours, *CLASSIFIER)
    (pitchey.cwd / "use.json").write_text(json.dumps({"task": "image-feature-extraction"}))
    pitchey.ok("models", "add", "use", "--manifest", "use.json", "--uses", "base@1")
    answer = pitchey("models", "remove", "base")
    assert answer.code == 2 and "The model use@1 uses base@1." in answer.err
    missing = pitchey("models", "add", "other", "--manifest", "use.json", "--uses", "nothing@1")
    assert missing.code == 3 and "uses nothing@1, which is not there" in missing.err
    pitchey.ok("models", "remove", "base", "use")


def test_what_can_run_code_is_taken_from_an_operator_only_and_that_is_written_down(pitchey: Pitchey) -> None:
    scripted = pitchey.cwd / "net.pt"
    with zipfile.ZipFile(scripted, "w") as archive:
        for name in ("net/constants.pkl", "net/data.pkl", "net/code/__torch__.py"):
            archive.writestr(name, "x")
    manifest = {"task": "tensors", "file": "net.pt", "codeAllowedBy": "the model itself"}
    (pitchey.cwd / "m.json").write_text(json.dumps(manifest))
    denied = pitchey("models", "add", "script", scripted, "--manifest", "m.json")
    assert denied.code == 4 and "is torchscript, which can run code" in denied.err and "--allow-code" in denied.err
    assert versions(pitchey) == []
    pitchey.ok("models", "add", "script", scripted, "--manifest", "m.json", "--allow-code")
    said = pitchey.ok("models", "show", "script", "--json").json["manifest"]
    assert said["codeAllowedBy"].endswith("on this machine")


# --- recommendation


def test_a_recommender_is_fitted_added_and_asked(pitchey: Pitchey) -> None:
    rows = [f"{user},{item}" for user in ("ann", "ben", "cleo") for item in ("tent", "stove", "map")]
    rows += [f"{user},{item}" for user in ("dan", "eve") for item in ("lamp", "desk")]
    rows += ["finn,tent", "finn,stove", "gil,lamp"]
    (pitchey.cwd / "bought.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    (pitchey.cwd / "fit.json").write_text(json.dumps({"task": "recommendation-fit"}))
    pitchey.ok("models", "add", "fit", "--manifest", "fit.json")
    summary = pitchey.ok("run", "inference", "fit", "bought.csv").json["output"]
    assert summary == {"users": 7, "items": 5, "interactions": 16, "describedItems": 0}
    pitchey.ok("run", "inference", "fit", "bought.csv", "--output-format", "binary", "-o", "fitted")
    added = pitchey.ok("models", "add", "shop", "fitted")
    assert "shop@1 is added: recommendation, recommender" in added.err
    answer = pitchey.ok("run", "inference", "shop", "--text", "finn", "--top-k", "1").json
    assert [each["item"] for each in answer["output"]] == ["map"]


def test_an_image_with_more_frameworks_is_called_by_them_and_takes_wheels(pitchey: Pitchey) -> None:
    answer = pitchey("images", "build", "inference-jax")
    assert answer.code == 2 and "inference-tensorflow, inference-torch, inference-tensorflow-torch." in answer.err
    answer = pitchey("images", "build", "inference", "--wheelhouse", ".")
    assert answer.code == 2 and "--wheelhouse is for images with more frameworks." in answer.err
    answer = pitchey("images", "build", "inference-torch", "--wheelhouse", ".")
    assert answer.code == 3 and "There is no wheel in ." in answer.err
    (pitchey.cwd / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").write_bytes(b"PK")
    answer = pitchey("images", "build", "inference-torch", "--wheelhouse", ".")
    assert answer.code == 2
    assert "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl, and images have Python 3.13." in answer.err
    assert "`pip download --only-binary :all: --python-version 3.13 --dest . torch`" in answer.err
    answer = pitchey("images", "build", "inference-tensorflow-torch", "--wheelhouse", ".")
    assert answer.code == 2 and "In . is no wheel of tensorflow." in answer.err
