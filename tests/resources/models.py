"""The default models, for tests of the inference service: made once, and kept in the user's cache.

`python -m tests.resources.models` makes them, as scripts/setup --dev does. A test session that finds none makes them
itself rather than fail, and sessions that run at once make them once for all.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from tests.resources.workers import ROOT

LOCK = ROOT / "containerfiles" / "inference-models.lock"
_MADE_OF = (
    LOCK,
    ROOT / "processors/inference/manifest.py",
    *sorted((ROOT / "processors/inference/building").glob("*.*")),
)

_FORGOTTEN_SECONDS = 7 * 86400.0  # after which nobody has used models of another version


@cache
def default_models() -> Path:
    """The repository that an image would have."""
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in _MADE_OF)).hexdigest()[:12]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pitchey"
    home.mkdir(parents=True, exist_ok=True)
    target = home / f"models-{digest}"
    with (home / "models.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            for stale in home.glob("models-*"):
                if time.time() - stale.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(stale)
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                made = Path(scratch) / "models"
                command = [sys.executable, "-m", "processors.inference.building", "--lock", LOCK, "--out", made]
                subprocess.run(command, check=True, cwd=ROOT)
                made.rename(target)
        os.utime(target)
    return target


if __name__ == "__main__":
    default_models()
