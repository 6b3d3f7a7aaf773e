"""Models that are made on this machine, out of packages whose weights nobody but its user may take.

The converter is a program of its own, in a process of its own: it needs libraries that the host does without.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import processors
from pitchey_cli.domain.errors import InputRejected, UsageError
from pitchey_cli.models import registries
from pitchey_cli.operations.models.adding import Desk, Wish
from pitchey_cli.operations.models.adding import add as add_one
from pitchey_cli.operations.models.sources import Opener
from processors.inference.repository import Entry


@dataclass(frozen=True, slots=True)
class Conversion:
    """How a model is made."""

    package: str  #: which has its weights
    module: str  #: that is run with the unpacked package and the folder that it fills
    notice: str  #: what whoever asks for it should know


CONVERSIONS = {
    "coco-detector": Conversion(
        "npm:@vladmandic/human@3.3.6",
        "processors.inference.building.coco",
        "The package is under the MIT licence. It does not say under which licence the weights in it were first"
        " published, so Pitchey does not ship them: whether you may use them is for you to judge.",
    )
}

_LIBRARIES = ("onnx==1.23.2", "protobuf>=4.25.1", "ml_dtypes>=0.5", "typing_extensions>=4.7", "numpy>=1.26")
_SECONDS = 600.0


def add(desk: Desk, wish: Wish, *, say: Callable[[str], None]) -> Entry:
    """Fetch a package, convert what it holds, and add that.

    Raises:
        PitcheyError: the package cannot be had, or cannot be converted.
    """
    chosen = CONVERSIONS[wish.name]
    if unknown := sorted({*wish.said} - {"description"}) or wish.labels or wish.file:
        raise UsageError(f"{wish.name} is made as it is: {unknown} is not for it.", hint="Only its version is free.")
    say(chosen.notice)
    with tempfile.TemporaryDirectory(prefix="pitchey-") as scratch:
        folder = Path(scratch)
        opener = Opener(folder, desk.fetch, desk.artifacts, desk.limit_bytes)
        opened = opener.open(chosen.package, wish.sha256)
        made = folder / "made"
        made.mkdir()
        _convert(chosen, opened.root, made, folder)
        said = {**wish.said, "source": {"package": opened.package}}
        return add_one(desk, replace(wish, source=str(made), sha256=None, said=said))


def _convert(chosen: Conversion, package: Path, made: Path, scratch: Path) -> None:
    path = [str(Path(processors.__file__).parent.parent)]
    if importlib.util.find_spec("onnx") is None:
        libraries = scratch / "libraries"
        libraries.mkdir()
        registries.install(list(_LIBRARIES), libraries)
        path.append(str(libraries))
    done = subprocess.run(
        [sys.executable, "-m", chosen.module, "--package", str(package), "--out", str(made)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it failed"])[-1]
        raise InputRejected(f"{chosen.package} cannot be converted: {last}.")
