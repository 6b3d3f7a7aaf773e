"""What a model's file is, by its bytes: what it is called says nothing."""

from __future__ import annotations

import zipfile
from pathlib import Path

from processors.inference.errors import UnsafeModel
from processors.inference.frameworks import gguf_file, onnx_file, tflite_file
from processors.inference.frameworks.protobuf import NotWhole
from processors.inference.manifest import Framework

_HEAD_BYTES = 16
_PICKLE = tuple(b"\x80" + bytes([version]) for version in range(2, 6))  # the opcode PROTO, and its versions
_HDF5 = b"\x89HDF\r\n\x1a\n"
_JSON_HEAD = b'{"'  # of a safetensors file, after its length
_SAFETENSORS_HEAD = 1 << 20  # bytes of it that are looked at
_RECOMMENDS = b'"near_items"'  # a table that only recommenders have
_EXPORTED = {"archive_format", "serialized_exported_program.json"}  # the latter until PyTorch 2.7
_SLACK_BYTES = 1 << 20  # that an archive may unpack to beyond its own size
_NO_NETWORK = "It has numbers and no network: export the model as ONNX, or add it as the weights of one (.pt2)."


def framework_of(path: Path, what: str) -> Framework:
    """What loads this file, or this folder.

    Args:
        what: the model, for the message.

    Raises:
        UnsafeModel: nothing does, it is cut, or it is a pickle, which runs code when it is read.
    """
    if path.is_dir():
        return _of_folder(path, what)
    if path.stat().st_size == 0:
        raise UnsafeModel("damaged_model", f"{what} is empty.", "Export or download it again.")
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"GGUF"):
        gguf_file.refuse_unsafe(path, what)
        return "gguf"
    if head[4:8] == tflite_file.MAGIC:
        tflite_file.refuse_unsafe(path, what)
        return "tflite"
    if head.startswith(b"PK\x03\x04"):
        return _of_zip(path, what)
    if head.startswith(_PICKLE):
        hint = "Export the model as ONNX, or save its weights as safetensors."
        raise UnsafeModel("unsafe_model", f"{what} is a pickle: reading it can run any code.", hint)
    if head.startswith(_HDF5):
        raise UnsafeModel("unknown_format", f"{what} is HDF5, which nothing here loads.", "Export it as ONNX.")
    if head[8:10] == _JSON_HEAD:
        if _RECOMMENDS in _safetensors_head(path):
            return "recommender"
        raise UnsafeModel("unknown_format", f"{what} is a safetensors file.", _NO_NETWORK)
    try:
        onnx_file.external_files(path)
    except NotWhole as error:
        hint = "ONNX, GGUF, TFLite, .pt2 and TorchScript are known by their bytes; is the file whole?"
        raise UnsafeModel("unknown_format", f"{what} is no model that is known here: {error}.", hint) from error
    return "onnx"


def _safetensors_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(min(_SAFETENSORS_HEAD, int.from_bytes(file.read(8), "little")))


def _of_folder(path: Path, what: str) -> Framework:
    if (path / "saved_model.pb").is_file():
        return "tensorflow"
    if (path / "config.cfg").is_file() and (path / "ner").is_dir():
        return "spacy"
    raise UnsafeModel("unknown_format", f"{what} is a folder with no model that is known here.")


def _of_zip(path: Path, what: str) -> Framework:
    """PyTorch's three kinds of file are zip archives, and differ by what is in them."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] or name for name in archive.namelist()}
            unpacked = sum(each.file_size for each in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnsafeModel("damaged_model", f"{what} is a damaged archive.", "Export or download it again.") from error
    if unpacked > path.stat().st_size + _SLACK_BYTES:  # PyTorch compresses nothing
        message = f"{what} has {path.stat().st_size >> 10} KiB, and would unpack to {unpacked >> 20} MiB."
        raise UnsafeModel("unsafe_model", message, "PyTorch does not write such files.")
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    if names & _EXPORTED or any(name.startswith("models/") and name.endswith(".json") for name in names):
        return "torch"
    if "data.pkl" in names:
        message = f"{what} holds PyTorch's weights as a pickle: reading it can run any code."
        raise UnsafeModel("unsafe_model", message, _NO_NETWORK)
    raise UnsafeModel("unknown_format", f"{what} is an archive with no model that is known here.")
