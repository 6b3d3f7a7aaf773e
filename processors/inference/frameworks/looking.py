"""Looks into a model's file by its framework, without loading it: is it whole and harmless, what goes in and out."""

from __future__ import annotations

from pathlib import Path

from processors.inference.frameworks import gguf_file, onnx_file, saved_model_file, tflite_file
from processors.inference.frameworks.onnx_signature import signature_of
from processors.inference.frameworks.signature import Signature
from processors.inference.manifest import Framework


def refuse_unsafe(framework: Framework, file: Path, what: str) -> Signature | None:
    """Refuse a file that is not whole or reaches beyond itself; what goes in and out, where it says that.

    Args:
        what: the model, for the message.
    """
    match framework:
        case "onnx":
            onnx_file.refuse_unsafe(file, what)
            return signature_of(file)
        case "tflite":
            return tflite_file.refuse_unsafe(file, what).signature
        case "tensorflow":
            return saved_model_file.refuse_unsafe(file, what)
        case "gguf":
            gguf_file.refuse_unsafe(file, what)
    return None
