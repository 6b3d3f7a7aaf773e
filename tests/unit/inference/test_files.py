"""What is read of models without loading them: manifests, repositories, formats of files."""

from __future__ import annotations

import io
import json
import os
import pickle
import socket
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.inference.building import joblib_file, state_dict
from processors.inference.errors import ModelError, NoSuchModel, UnsafeModel
from processors.inference.frameworks import gguf_file, onnx_file
from processors.inference.inputs import Inputs, Lines
from processors.inference.outputs import write_lines
from processors.inference.repository import Repository, by_numbers, newest
from processors.inference.serving.wire import receive, send
from processors.inference.tasks.registry import task_named
from processors.inference.tensor_files import from_file
from processors.worker.context import Rejected
from tests.resources import onnx_models
from tests.resources.onnx_models import add_classifier

# --- repositories


def test_a_name_means_the_pinned_version_else_the_newest(tmp_path: Path) -> None:
    for version in ("1", "9", "10", "10-rc"):
        add_classifier(tmp_path, "colour", b"x", version=version)
    models = Repository([tmp_path])
    assert models.versions("colour") == ["1", "9", "10-rc", "10"]
    assert models.find("colour").manifest.version == "10"
    assert models.find("colour@9").manifest.reference == "colour@9"
    (tmp_path / "colour" / "pinned").write_text("9")
    assert models.find("colour").manifest.version == "9"
    (tmp_path / "colour" / "pinned").write_text("7")  # it has been removed
    assert models.find("colour").manifest.version == "10"


@pytest.mark.parametrize(
    ("versions", "meant"),
    [
        (["1.0-rc1", "1.0", "1.0-post1", "1.0.1", "1.10"], "1.10"),
        (["1.0.1", "2.0-beta"], "1.0.1"),
        (["1-alpha", "1-beta"], "1-beta"),
        (["base", "1b", "8b", "10b"], "10b"),
        ([], None),
    ],
)
def test_versions_in_their_order_and_the_release_that_is_meant(versions: list[str], meant: str | None) -> None:
    shuffled = versions[1::2] + versions[::2]
    assert sorted(shuffled, key=by_numbers) == versions
    assert newest(versions) == meant


def test_of_two_roots_the_first_goes_before(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    add_classifier(theirs, "colour", b"x", description="theirs")
    add_classifier(theirs, "other", b"x")
    add_classifier(mine, "colour", b"x", description="mine")
    models = Repository([mine, tmp_path / "missing", theirs])
    assert models.names() == ["colour", "other"]
    assert models.find("colour@1").manifest.description == "mine"
    assert [each.manifest.name for each in models.entries()] == ["colour", "other"]


@pytest.mark.parametrize("name", ["../colour", "colour/../x", "", ".", "Colour", "colour@", "a" * 100])
def test_a_name_never_leaves_the_repository(tmp_path: Path, name: str) -> None:
    add_classifier(tmp_path / "models", "colour", b"x")
    (tmp_path / "colour").symlink_to(tmp_path / "models" / "colour")
    models = Repository([tmp_path / "models"])
    if name == "colour@":
        assert models.find(name).manifest.name == "colour"
    else:
        with pytest.raises(NoSuchModel):
            models.find(name)


def test_a_manifest_of_another_model_is_none(tmp_path: Path) -> None:
    folder = add_classifier(tmp_path, "colour", b"x")
    (tmp_path / "tint").mkdir()
    folder.rename(tmp_path / "tint" / "1")
    with pytest.raises(ModelError, match=r"is that of colour@1: a model lies in <name>/<version>"):
        Repository([tmp_path]).find("tint")


@pytest.mark.parametrize("text", ["red\ngreen\nblue", "\ufeffred\r\ngreen\r\nblue\r\n\r\n", "red\ngreen\nblue\n \n"])
def test_labels_are_the_lines_of_their_file_however_it_ends(tmp_path: Path, text: str) -> None:
    add_classifier(tmp_path, "colour", b"x", labels="labels.txt", others={"labels.txt": text.encode()})
    assert Repository([tmp_path]).find("colour").labels() == ["red", "green", "blue"]


def test_every_file_is_compared_with_the_manifest(tmp_path: Path) -> None:
    folder = add_classifier(tmp_path, "colour", b"weights", others={"more.txt": b"more"})
    entry = Repository([tmp_path]).find("colour")
    entry.verify()
    (folder / "more.txt").write_bytes(b"less")
    with pytest.raises(UnsafeModel, match=r"more\.txt of the model colour@1 is not the one"):
        entry.verify()
    (folder / "more.txt").write_bytes(b"longer")
    with pytest.raises(UnsafeModel, match="has 6 bytes, and its manifest says 4"):
        entry.verify()
    (folder / "more.txt").unlink()
    with pytest.raises(UnsafeModel, match="is not there"):
        entry.verify()


# --- formats


@given(st.binary(max_size=200))
def test_no_bytes_make_the_look_into_a_file_fail_otherwise(data: bytes) -> None:
    path = Path("/dev/shm") / f"pitchey-{os.getpid()}.onnx"
    try:
        for content in (data, b"GGUF\x03\0\0\0" + data):
            path.write_bytes(content)
            for look in (onnx_file.refuse_unsafe, gguf_file.refuse_unsafe):
                try:
                    look(path, "The model")
                except UnsafeModel as error:
                    assert error.message.startswith("The model ")
    finally:
        path.unlink(missing_ok=True)


def test_every_cut_of_a_model_is_noticed(tmp_path: Path) -> None:
    whole = onnx_models.colours()
    path = tmp_path / "m.onnx"
    noticed = 0
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        try:
            onnx_file.refuse_unsafe(path, "The model")
        except UnsafeModel:
            noticed += 1
    # What is cut off at the end of a field of the outermost message is as whole as one that never had the rest.
    assert noticed >= len(whole) - 2
    path.write_bytes(whole)
    onnx_file.refuse_unsafe(path, "The model")


def _gguf(tensors: int = 1, *, body: int = 64) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    keys = text("general.architecture") + struct.pack("<I", 8) + text("llama")
    keys += text("tokenizer.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b")
    keys += text("llama.context_length") + struct.pack("<II", 4, 2048)
    info = b"".join(text(f"t{n}") + struct.pack("<IQIQ", 1, 8, 0, n * 32) for n in range(tensors))
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, 3) + keys + info + bytes(body)


def test_a_language_model_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(_gguf())
    assert gguf_file.facts_of(path) == {"general.architecture": "llama", "llama.context_length": 2048}
    path.write_bytes(_gguf(tensors=3, body=64))
    with pytest.raises(gguf_file.NotGguf, match="it ends in the middle"):
        gguf_file.facts_of(path)


# --- pickles that are read and not run


class _Evil:
    def __reduce__(self) -> Any:
        return os.system, ("true",)


def test_weights_are_read_and_whatever_else_a_pickle_wants_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    parts = [0x1950A86A20F9469CFC6C, 1001, {}, OrderedDict(x=_Evil()), []]
    path.write_bytes(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    with pytest.raises(state_dict.NotWeights, match=r"it wants posix\.system"):
        state_dict.read(path)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(state_dict.NotWeights):
        state_dict.read(path)
    path.write_bytes(pickle.dumps({"coef_": _Evil()}))
    with pytest.raises(joblib_file.NotPlain, match=r"it wants posix\.system"):
        joblib_file.read(path)


def test_a_manifest_takes_nothing_that_it_does_not_know(tmp_path: Path) -> None:
    folder = add_classifier(tmp_path, "colour", b"x")
    document = json.loads((folder / "manifest.json").read_text())
    for change, says in (
        ({"licnse": "MIT"}, "licnse is no field of it, but licence is"),
        ({"preprocessing": {"kind": "magic"}}, "preprocessing: Input tag 'magic'"),
        ({"files": {"/etc/passwd": {"sha256": "0" * 64, "size": 1}}}, "is no path inside the model's folder"),
        ({"framework": None}, "framework and file come together"),
        ({"uses": "other"}, "uses: String should match pattern"),
    ):
        (folder / "manifest.json").write_text(json.dumps(document | change))
        with pytest.raises(ModelError) as refused:
            Repository([tmp_path]).find("colour")
        assert says in refused.value.message


def test_tensors_cross_the_wire_as_they_are() -> None:
    left, right = socket.socketpair()
    with left, right:
        sent = {
            "a": np.arange(6, dtype=np.float32).reshape(2, 3).T,
            "b": np.zeros((0, 4), np.int64),
            "c": np.array(["x", "ü\n"], dtype=object),
            "d": np.float64(2.5).reshape(()),
        }
        send(left, {"do": "run"}, sent)
        head, got = receive(right)
    assert head == {"do": "run"} and list(got) == list(sent)
    for name, value in sent.items():
        assert got[name].shape == value.shape and (got[name] == value).all()


# --- tensors and texts of strangers


def npz(packed: int, flags: int = 0) -> bytes:
    """An archive with one tensor, whose packed bytes are broken, or which says that it has a password."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", packed) as archive:
        archive.writestr("x.npy", bytes(range(200)))
    made = bytearray(data.getvalue())
    made[40:60] = b"\xff" * 20
    made[6] |= flags
    made[made.index(b"PK\x01\x02") + 8] |= flags
    return bytes(made)


def tensors_with(head: str) -> bytes:
    return len(head).to_bytes(8, "little") + head.encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("deflate.npz", npz(zipfile.ZIP_DEFLATED)),
        ("lzma.npz", npz(zipfile.ZIP_LZMA)),
        ("password.npz", npz(zipfile.ZIP_STORED, flags=1)),
        ("list.safetensors", tensors_with("[1]")),
        ("number.safetensors", tensors_with('{"a": 1}')),
        ("deep.safetensors", tensors_with("[" * 200_000)),
        ("offsets.safetensors", tensors_with('{"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, "x"]}}')),
        ("empty.npy", b""),
    ],
)
def test_tensors_that_are_broken_are_refused_by_name(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(Rejected, match=f"^{name} cannot be read as tensors: ") as refused:
        from_file(tmp_path / "file", name)
    assert refused.value.code == "damaged_tensors"


def test_numbers_that_are_not_read_are_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(tensors_with('{"a": {"dtype": "BF16", "shape": [0], "data_offsets": [0, 0]}}'))
    with pytest.raises(Rejected, match="its tensor 'a' is BF16, and what is read is F64, F32, F16"):
        from_file(tmp_path / "file", "x.safetensors")


def test_many_lines_are_read_a_few_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "many").write_text('"a text"\n' * 50_000)
    lines = Lines(tmp_path / "many", "many.jsonl", 50_000)
    inputs = Inputs([], True, True, [], lines)
    tracemalloc.start()
    count = sum(len(texts) for _, texts in inputs.parts(64, "text"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == inputs.count == 50_000 and peak < 1 << 20


def test_answers_are_written_while_they_come(tmp_path: Path) -> None:
    task = task_named("feature-extraction")
    assert task is not None
    sizes: list[int] = []

    def answered() -> Iterator[tuple[list[str], list[Any]]]:
        for number in range(4):
            sizes.append((tmp_path / "inference.jsonl").stat().st_size)
            yield [str(number)], [np.zeros(20_000, np.float32)]

    assert write_lines(tmp_path, "json", task, answered())[0] == "inference.jsonl"
    assert sizes == sorted(set(sizes)) and len(sizes) == 4, "each is written before the next is asked for"


def test_a_line_that_nests_without_end_is_refused_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "many").write_text('"fine"\n' + "[" * 200_000)
    with pytest.raises(Rejected, match=r"many.jsonl, line 2, is not JSON"):
        list(Lines(tmp_path / "many", "many.jsonl", 2))
