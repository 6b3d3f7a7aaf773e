"""Versions of models on this machine: published whole or not at all, pinned, removed.

<root>/<name>/<version>/  one version; never changed, but for what was measured of it
<root>/<name>/pinned      which one is meant where a job says none
<root>/.new-<random>/     one that is being made; whoever looks for models passes over it
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pitchey_cli.domain.errors import Denied, InputRejected, StoreError
from processors.inference.manifest import MANIFEST_NAME
from processors.inference.repository import PIN_NAME

_NEW = ".new-"
_FORGOTTEN_SECONDS = 86400.0  # after which nobody is still making a version
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)


class ModelStore:
    """The models of one state directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def frameworks(self) -> set[str]:
        """Of all versions. What cannot be read needs none: whoever asks for it is told."""
        found: set[str] = set()
        for path in self.root.glob(f"*/*/{MANIFEST_NAME}"):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                found.add(str(json.loads(path.read_bytes()).get("framework")))
        return found

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder in which a version is made; what is left of it afterwards goes.

        Raises:
            Denied, StoreError: nothing can be written here.
        """
        with self._explained():
            self.root.mkdir(parents=True, exist_ok=True)
            self.root.chmod(0o755)  # whatever the umask: an instance is another user
            self._sweep()
            folder = Path(tempfile.mkdtemp(dir=self.root, prefix=_NEW))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, made: Path, name: str, version: str) -> Path:
        """Make a folder the version of a model, in one step; where it lies then.

        Raises:
            InputRejected: there is such a version already.
        """
        target = self.root / name / version
        with self._explained():
            for path in [made, *made.rglob("*")]:
                path.chmod(0o755 if path.is_dir() else 0o644)
                _flush(path)  # or a version that is there after a power cut might hold empty files
            target.parent.mkdir(exist_ok=True)
            target.parent.chmod(0o755)
            try:
                made.rename(target)
            except OSError as error:
                if error.errno not in _TAKEN:
                    raise
                hint = f"A version is never changed: add another, or `pitchey models remove {name}@{version}` first."
                raise InputRejected(f"There is a model {name}@{version} already.", hint=hint) from error
            _flush(target.parent)
        return target

    def remove(self, name: str, version: str) -> bool:
        """Remove a version; False where this machine has none. What jobs have loaded stays until they are done."""
        folder = self.root / name / version
        with self._explained():
            aside = Path(tempfile.mkdtemp(dir=self.root, prefix=_NEW)) if folder.is_dir() else None
            if aside is None:
                return False
            try:
                folder.rename(aside / version)  # so that nobody finds half of it
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            if self.pin_of(name) == version:
                self.pin(name, None)
            with contextlib.suppress(OSError):
                folder.parent.rmdir()  # when it was the last
        return True

    def pin_of(self, name: str) -> str | None:
        """The version that is pinned here."""
        try:
            return (self.root / name / PIN_NAME).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None

    def pin(self, name: str, version: str | None) -> None:
        """Pin a version, in one step; None: the newest is meant again."""
        pin = self.root / name / PIN_NAME
        with self._explained():
            if version is None:
                pin.unlink(missing_ok=True)
                return
            with self.staging() as folder:
                fresh = folder / PIN_NAME
                fresh.write_text(f"{version}\n", encoding="utf-8")
                fresh.chmod(0o644)
                _flush(fresh)
                pin.parent.mkdir(exist_ok=True)
                pin.parent.chmod(0o755)
                fresh.replace(pin)

    def rewrite(self, name: str, version: str, manifest: str) -> None:
        """Put another manifest in the place of a version's own, in one step. Its files stay as they are."""
        with self._explained(), self.staging() as folder:
            fresh = folder / MANIFEST_NAME
            fresh.write_text(manifest, encoding="utf-8")
            fresh.chmod(0o644)
            _flush(fresh)
            fresh.replace(self.root / name / version / MANIFEST_NAME)

    def _sweep(self) -> None:
        """Remove what somebody has left who was killed at it."""
        for path in self.root.glob(f"{_NEW}*"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise Denied(f"{self.root} may not be written to.") from error
        except OSError as error:
            raise StoreError(f"The model cannot be kept in {self.root}: {error.strerror}.") from error


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
