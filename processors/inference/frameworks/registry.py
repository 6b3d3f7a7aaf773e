"""Which module loads which framework's files; imported when first needed, because each is heavy."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING

from processors.inference.errors import ModelError, UnsafeModel, is_shortage
from processors.inference.manifest import RUNS_CODE
from processors.inference.repository import Entry
from processors.vocabulary import VARIANTS, variant_name

if TYPE_CHECKING:
    from processors.inference.frameworks.port import Loaded

#: the module with `check` and `load`, and the package that it needs
_MODULES = {
    "onnx": ("processors.inference.frameworks.onnx", "onnxruntime"),
    "spacy": ("processors.inference.frameworks.spacy", "spacy"),
    "recommender": ("processors.inference.frameworks.recommender", "numpy"),
    "gguf": ("processors.inference.frameworks.gguf", "xllamacpp"),
    "tflite": ("processors.inference.frameworks.tflite", "ai_edge_litert"),
    "torch": ("processors.inference.frameworks.torch", "torch"),
    "torchscript": ("processors.inference.frameworks.torch", "torch"),
    "tensorflow": ("processors.inference.frameworks.tensorflow", "tensorflow"),
}


def load(entry: Entry, threads: int, *, has_forms: bool = False) -> Loaded:
    """Look at a model's files, and load it.

    Args:
        has_forms: there is room for both of those that forms.py gives it.

    Raises:
        ModelError: its files are not what its manifest says, are not safe to load, or nothing here loads them.
        MemoryError, OSError: the system is short of something for the moment.
    """
    framework, reference = entry.manifest.framework, entry.manifest.reference
    if framework is None:
        raise ModelError("nothing_to_load", f"The model {reference} has no file of its own.")
    if framework in RUNS_CODE and not entry.manifest.code_allowed_by:
        message = f"The model {reference} is {framework}, which can run code, and nobody has allowed that."
        raise UnsafeModel("code_not_allowed", message, "An operator adds it with --allow-code.")
    name, package = _MODULES[framework]
    if importlib.util.find_spec(package) is None:
        raise ModelError("framework_not_served", *_not_served(reference, framework))
    module = importlib.import_module(name)
    entry.verify()
    module.check(entry)
    try:
        forms = {"has_forms": True} if has_forms else {}  # which ONNX models alone have
        loaded: Loaded = module.load(entry, threads, **forms)
    except ModelError:
        raise
    except Exception as error:  # each library has errors of its own
        if is_shortage(error):
            raise
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"The model {reference} cannot be loaded: {words}."
        raise ModelError("model_not_loaded", message) from error
    return loaded


def _not_served(reference: str, framework: str) -> tuple[str, str]:
    here = [each for each, (_, package) in _MODULES.items() if importlib.util.find_spec(package) is not None]
    message = f"The model {reference} is {framework}, which this instance does not run."
    if framework not in VARIANTS:
        return message, f"It runs {', '.join(here)}."
    image = variant_name({VARIANTS[each] for each in (*here, framework) if each in VARIANTS})
    hint = f"`pitchey images build {image}` makes an image that does; a daemon takes it up when it is started anew. "
    return message, f"{hint}On the engine `process` it has to be installed."
