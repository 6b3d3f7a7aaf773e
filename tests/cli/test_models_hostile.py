"""What cannot be a model: each is refused with one clear error, and nothing of it stays."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import stat
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Answer, Pitchey
from tests.resources import onnx_models
from tests.resources.onnx_models import COLOURS, PICTURE
from tests.resources.small_network import FOLDER, LOGITS, network_files, unpacked
from tests.resources.small_network import PICTURE as PICTURE_IN

CLASSIFIER = ("--task", "image-classification", "--labels", ",".join(COLOURS))


def refused(pitchey: Pitchey, *arguments: str | Path, code: int = 2) -> str:
    """What is said; that it is one error, and that nothing was added."""
    answer: Answer = pitchey("models", "add", *arguments)
    assert answer.code == code, answer
    assert answer.err.count("error:") == 1 and "Traceback" not in answer.err, answer.err
    root = pitchey.state_dir / "models"
    assert not root.exists() or not list(root.iterdir()), "something was left behind"
    return answer.err


class _Payload:
    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.trap}",)


def _pickled(trap: Path) -> bytes:
    return pickle.dumps(_Payload(trap))


def _in_zip(trap: Path) -> bytes:
    """As torch.save writes it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(trap))
    return data.getvalue()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_pickled, "is a pickle: reading it can run any code"),
        (_in_zip, "holds PyTorch's weights as a pickle"),
        (lambda _: b"", "is empty"),
        (lambda _: onnx_models.colours()[:-40], "is no model that is known here: it ends in the middle"),
        (lambda _: b"This is no model, but a sentence.", "is no model that is known here"),
        (lambda _: b"GGUF" + (3).to_bytes(4, "little") + b"\xff" * 16, "is no whole GGUF file"),
        (lambda _: (8).to_bytes(8, "little") + b'{"a":{}}', "is a safetensors file"),
        (lambda _: b"\x89HDF\r\n\x1a\n" + bytes(16), "is HDF5"),
        (lambda _: b"PK\x03\x04 and no more", "is a damaged archive"),
        (lambda _: onnx_models.with_data_in("../secret.bin"), "wants to read '../secret.bin'"),
        (lambda _: onnx_models.with_data_in("/etc/hostname"), "wants to read '/etc/hostname'"),
        (lambda _: onnx_models.with_data_in_a_node("a/../../secret.bin"), "wants to read 'a/../../secret.bin'"),
    ],
)
def test_a_file_that_is_not_what_it_is_called_is_refused(
    pitchey: Pitchey, tmp_path: Path, make: Callable[[Path], bytes], says: str
) -> None:
    trap = tmp_path / "trap"
    (pitchey.cwd / "model.onnx").write_bytes(make(trap))
    (pitchey.cwd.parent / "secret.bin").write_bytes(bytes(16))
    assert says in refused(pitchey, "x", "model.onnx", *CLASSIFIER)
    assert not trap.exists()


TENSORS = {"task": "tensors", "inputs": [PICTURE_IN], "outputs": [LOGITS]}


def source(pitchey: Pitchey, files: Mapping[str, bytes], **said: Any) -> Path:
    """A folder with a model and its manifest."""
    folder = pitchey.cwd / "mine"
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "manifest.json").write_text(json.dumps(TENSORS | said))
    return folder


@pytest.mark.parametrize("kind", ["pt2", "pt2-newer", "torchscript", "savedmodel", "safetensors"])
def test_what_can_run_code_is_taken_only_from_whom_an_operator_trusts(pitchey: Pitchey, kind: str) -> None:
    files, said = network_files(kind)
    folder = source(pitchey, files, **said | {"codeAllowedBy": "its maker"})
    assert "which can run code when it is loaded" in refused(pitchey, "x", folder, code=4)
    answer = pitchey.ok("models", "add", "x", folder, "--allow-code")
    assert "`pitchey images build inference-t" in answer.err, answer
    written = json.loads((pitchey.state_dir / "models" / "x" / "1" / "manifest.json").read_text())
    assert "on this machine" in written["codeAllowedBy"] and written["framework"] == said["framework"]
    assert pitchey.ok("models", "verify", "x").out.strip() == "x@1: whole"


def _compressed(data: bytes) -> bytes:
    """The same archive, with a gigabyte of nothing in it."""
    found = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as whole,
        zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        for each in whole.namelist():
            archive.writestr(each, whole.read(each))
        with archive.open(f"{whole.namelist()[0].partition('/')[0]}/data/weights/weight_9", "w") as file:
            for _ in range(64):
                file.write(bytes(1 << 20))
    return found.getvalue()


@pytest.mark.parametrize(
    ("kind", "change", "framework", "says"),
    [
        ("pt2", lambda data: data[:4000], None, "is a damaged archive"),
        ("torchscript", lambda data: data[:3000], None, "is a damaged archive"),
        ("tflite", lambda data: data[:-600], None, "is no whole TFLite file"),
        ("pt2-newer", _compressed, None, "and would unpack to 64 MiB"),
        ("torchscript", _compressed, None, "and would unpack to 64 MiB"),
        ("pt2", bytes, "torchscript", "is torch, and its manifest says torchscript"),
        ("torchscript", bytes, "torch", "is torchscript, and its manifest says torch"),
        ("tflite", bytes, "onnx", "is tflite, and its manifest says onnx"),
        ("onnx", bytes, "tflite", "is onnx, and its manifest says tflite"),
        ("pt2", lambda _: (FOLDER / "network.safetensors").read_bytes(), None, "is a safetensors file"),
    ],
)
def test_a_model_of_another_framework_that_is_not_what_it_should_be_is_refused(
    pitchey: Pitchey, kind: str, change: Callable[[bytes], bytes], framework: str | None, says: str
) -> None:
    files, said = network_files(kind)
    folder = source(
        pitchey, {said["file"]: change(files[said["file"]])}, **said | {"framework": framework or said["framework"]}
    )
    assert says in refused(pitchey, "x", folder, "--allow-code")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data[: len(data) // 2], "is no whole SavedModel"),
        (lambda _: b"", "is no whole SavedModel"),
        (lambda data: data.replace(b"serving_default", b"serving_defaulT"), "it has no signature 'serving_default'"),
        (lambda _: unpacked(FOLDER / "reads-a-file.savedmodel.zip")["network/saved_model.pb"], "the operator ReadFile"),
    ],
)
def test_a_saved_model_that_is_cut_or_reads_files_is_refused_whoever_allows_it(
    pitchey: Pitchey, change: Callable[[bytes], bytes], says: str
) -> None:
    files, said = network_files("savedmodel")
    folder = source(pitchey, files | {"network/saved_model.pb": change(files["network/saved_model.pb"])}, **said)
    assert says in refused(pitchey, "x", folder, "--allow-code")


def test_a_saved_model_has_one_form_alone(pitchey: Pitchey) -> None:
    """TensorFlow would load the other one, which nobody has looked into."""
    files, said = network_files("savedmodel")
    folder = source(pitchey, {**files, "network/saved_model.cpb": b"x"}, **said)
    assert "has saved_model.cpb as well" in refused(pitchey, "x", folder, "--allow-code")


def test_a_link_beside_the_model_is_not_followed_out_of_its_folder(pitchey: Pitchey, tmp_path: Path) -> None:
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (pitchey.cwd / "model.onnx").write_bytes(onnx_models.with_data_in("w.bin"))
    (pitchey.cwd / "w.bin").symlink_to(tmp_path / "secret.bin")
    assert "w.bin leads out of" in refused(pitchey, "x", "model.onnx", "--task", "tensors")


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"labels": ["red", "green"]}, "the model gives 3 scores, and there are 2 labels"),
        ({"labels": []}, "it has no labels"),
        ({"preprocessing": {**PICTURE, "width": 16}}, "image float32[?, 3, 8, 8]"),
        ({"preprocessing": {**PICTURE, "layout": "nhwc"}}, "preprocessing makes image float32[?, 8, 8, 3]"),
        ({"preprocessing": {**PICTURE, "input": "img"}}, "preprocessing.input is 'img', which is no input of it"),
        ({"postprocessing": {"kind": "scores", "output": "probs"}}, "postprocessing.output is 'probs'"),
        ({"inputs": [{"name": "image", "dtype": "uint8"}]}, "it says image uint8[], and the input is image float32"),
        ({"outputs": [{"name": "boxes"}]}, "it names the output 'boxes', which is not there"),
        ({"framework": "gguf"}, "is onnx, and its manifest says gguf"),
        ({"task": "image-clasification"}, "task: 'image-clasification' is not known, but 'image-classification' is"),
        ({"task": "magic"}, "task: 'magic' is none of 'text-classification', "),
        ({"colour": "red"}, "colour is no field of it"),
        ({"lables": COLOURS}, "lables is no field of it, but labels is"),
        ({"preprocessing": {**PICTURE, "mean": [0.5, 0.5]}}, "mean has 2 numbers: it has one, or one for each of 3"),
        ({"preprocessing": {**PICTURE, "std": [1, 0, 1]}}, "std has a 0"),
        ({"task": "image-moderation"}, "postprocessing.flag does not say which of red, green, blue are a reason"),
        (
            {"task": "image-moderation", "postprocessing": {"flag": ["blood"]}},
            "postprocessing.flag has 'blood', which is none of its labels",
        ),
        ({"file": 5}, "file is no text"),
        ({"file": "../model.onnx"}, "leads out of"),
        ({"file": "/etc/hostname"}, "leads out of"),
        ({"labels": "../labels.txt"}, "is no path inside the model's folder"),
        ({"files": {"../secret": {}}}, "is no path inside the model's folder"),
        ({"files": {"model.onnx": {"sha256": "0" * 64, "size": 1}}}, "and the manifest says 0000"),
        ({"files": []}, "files is no object"),
        ({"version": "../1"}, "version: String should match pattern"),
    ],
)
def test_a_manifest_that_does_not_fit_is_told_with_the_reason(
    pitchey: Pitchey, said: dict[str, Any], says: str
) -> None:
    folder = pitchey.cwd / "mine"
    folder.mkdir()
    for name in ("model.onnx", "../model.onnx"):
        (folder / name).write_bytes(onnx_models.colours())
    manifest = {"task": "image-classification", "file": "model.onnx", "preprocessing": PICTURE, "labels": COLOURS}
    (folder / "manifest.json").write_text(json.dumps(manifest | said))
    assert says in refused(pitchey, "x", folder)


def test_labels_that_are_no_text_are_told_with_the_byte(pitchey: Pitchey) -> None:
    (pitchey.cwd / "net.onnx").write_bytes(onnx_models.colours())
    (pitchey.cwd / "labels.txt").write_bytes("rot\ngrün\nblau\n".encode("latin-1"))
    said = refused(pitchey, "x", "net.onnx", "--task", "image-classification", "--labels", "labels.txt")
    assert "The labels of the model x@1 are no UTF-8 text: byte 6 of labels.txt is 0xfc." in said


def _zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


def _linked(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name)
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    return member


def test_an_archive_writes_nowhere_but_where_it_is_unpacked(pitchey: Pitchey, tmp_path: Path) -> None:
    model = ("m/model.onnx", onnx_models.colours())
    slip = _zip(tmp_path / "slip.whl", model, ("../../escaped", b"x"))
    assert "whose name '../../escaped'" in refused(pitchey, "x", slip, *CLASSIFIER)
    absolute = _zip(tmp_path / "absolute.zip", model, ("/tmp/escaped", b"x"))
    assert "is absolute" in refused(pitchey, "x", absolute, *CLASSIFIER)
    link = _zip(tmp_path / "link.zip", model, (_linked("m/w"), b"/etc/passwd"))
    assert "which is a link or no plain file" in refused(pitchey, "x", link, *CLASSIFIER)
    tar = tmp_path / "link.tgz"
    with tarfile.open(tar, "w:gz") as archive:
        member = tarfile.TarInfo("package/w")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    assert "which is a link or no plain file" in refused(pitchey, "x", tar, *CLASSIFIER)
    assert not list(tmp_path.rglob("escaped"))


def test_an_archive_that_unpacks_to_too_much_is_stopped(pitchey: Pitchey, tmp_path: Path) -> None:
    bomb = _zip(tmp_path / "bomb.zip", ("model.onnx", bytes(80 << 20)))
    assert bomb.stat().st_size < 1 << 20
    assert "unpacks to more than 64 MiB" in refused(pitchey, "x", bomb, *CLASSIFIER)
    cut = tmp_path / "cut.zip"
    cut.write_bytes(bomb.read_bytes()[:1000])
    assert "cannot be unpacked" in refused(pitchey, "x", cut, *CLASSIFIER)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Bad Name", "model.onnx"], 2, "cannot be the name of a model"),
        (["../x", "model.onnx"], 2, "cannot be the name of a model"),
        (["x@..", "model.onnx"], 2, "cannot be a version"),
        (["x"], 2, "has no source"),
        (["x", "nothing.onnx"], 3, "There is no file or folder nothing.onnx."),
        (["x", "model.onnx"], 2, "What x is for is not said."),
        (["x", "model.onnx", "--task", "image-classification"], 2, "it has no labels"),
        (["x", "model.onnx", "--task", "image-classification", "--labels", "l.txt"], 3, "There is no file of labels"),
        (["x", "model.onnx", "--task", "text-classification"], 2, "The shapes do not say what is the text"),
        (["x", "model.onnx", "--task", "object-detection"], 2, "The shapes do not say what is the boxes"),
        (["x", "model.onnx", "--preprocessing", "{"], 2, "--preprocessing is no JSON"),
        (["x", "model.onnx", "--manifest", "none.json"], 3, "There is no manifest none.json."),
        (["x", "model.onnx", *CLASSIFIER, "--sha256", "00"], 2, "and 00 was asked for"),
        (["x", "pip:--index-url=x"], 2, "is not the name of a package"),
        (["x", "pip:a @ http://b"], 2, "is not the name of a package"),
        (["x", "npm:../folder"], 2, "is not the name of a package"),
        (["x", "npm:git+ssh://host/x"], 2, "is not the name of a package"),
        (["x", "ftp://host/x.onnx"], 3, "There is no file or folder"),
        (["coco-detector", "--labels", "a,b"], 2, "coco-detector is made as it is"),
    ],
)
def test_what_is_asked_wrongly_is_one_error(pitchey: Pitchey, arguments: list[str], code: int, says: str) -> None:
    (pitchey.cwd / "model.onnx").write_bytes(onnx_models.colours())
    assert says in refused(pitchey, *arguments, code=code)


def test_a_manifest_may_write_its_paths_with_a_dot_and_must_not_list_itself(pitchey: Pitchey) -> None:
    data = onnx_models.colours()
    (pitchey.cwd / "made").mkdir()
    (pitchey.cwd / "made" / "model.onnx").write_bytes(data)
    files = {"./model.onnx": {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}}
    said = {"task": "image-classification", "labels": COLOURS, "file": "./model.onnx", "files": files}
    manifest = pitchey.cwd / "made" / "manifest.json"
    manifest.write_text(json.dumps({**said, "files": {**files, "manifest.json": {}}}))
    assert "lists manifest.json among its files" in refused(pitchey, "x", "made")
    manifest.write_text(json.dumps(said))
    pitchey.ok("models", "add", "x", "made")
    pitchey.ok("models", "verify", "x")


def test_a_zip_whose_packing_is_broken_is_refused(pitchey: Pitchey) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("model.onnx", onnx_models.colours())
    made = bytearray(data.getvalue())
    made[50:70] = b"\xff" * 20
    (pitchey.cwd / "model.zip").write_bytes(made)
    assert "model.zip cannot be unpacked" in refused(pitchey, "x", "model.zip", *CLASSIFIER)
