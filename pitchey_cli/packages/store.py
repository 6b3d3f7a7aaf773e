"""Directories of packages by key: found, published at once, removed when nobody has asked for long.

    <root>/<key>/         what slots have mounted on /packages; never changed
    <root>/.new-<random>/ one that is being written
    <root>/.secret        what keys are made with: from outside nobody can tell whose packages a directory holds

Several processes share it. A directory becomes visible by a rename, when it is whole and on the disk.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.packages.unpacking import unpack
from processors.code.packages import LIMITS, PackageLimits

#: A directory that was asked for may be mounted for as long as a job may take, compiling included, and it waits before.
IN_USE = timedelta(hours=3)

_KEY = re.compile(r"[0-9a-f]{64}")
_SECRET_BYTES = 32


class PackageStore:
    """The packages of one state directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def secret(self) -> bytes:
        """What keys are made with; made when there is none."""
        self._make_root()
        file = self._root / ".secret"
        with contextlib.suppress(FileNotFoundError):
            return self._checked(file.read_bytes())
        with tempfile.NamedTemporaryFile(dir=self._root, prefix=".new-") as fresh:
            fresh.write(secrets.token_bytes(_SECRET_BYTES))
            fresh.flush()
            os.fsync(fresh.fileno())
            with contextlib.suppress(FileExistsError):  # another process was first, and its own is the one
                os.link(fresh.name, file)
        return self._checked(file.read_bytes())

    def find(self, key: str, now: datetime) -> Path | None:
        """The directory of a key, which is in use from now on; None when there is none."""
        directory = self._directory(key)
        try:
            os.utime(directory, (now.timestamp(), now.timestamp()))
        except FileNotFoundError:
            return None
        return directory

    def publish(self, key: str, archive: BinaryIO, now: datetime, limits: PackageLimits = LIMITS) -> Path:
        """Unpack what a slot has sent, and make it the directory of a key. Whoever was first stays.

        Raises:
            InputRejected: there is something in it that cannot be.
            StoreError: it cannot be written.
        """
        directory = self._directory(key)
        self._make_root()
        fresh = Path(tempfile.mkdtemp(dir=self._root, prefix=".new-"))
        try:
            fresh.chmod(0o755)
            unpack(archive, fresh, limits)
            os.sync()  # or a directory that is there after a power cut might hold empty files
            with contextlib.suppress(FileExistsError, OSError):
                fresh.rename(directory)
        except OSError as error:
            raise StoreError(f"The packages cannot be kept in {self._root}: {error.strerror}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        found = self.find(key, now)
        if found is None:
            raise StoreError(f"The packages cannot be kept in {self._root}.")
        return found

    def prune(self, now: datetime, *, limit_bytes: int, older_than: timedelta) -> list[str]:
        """Remove what nobody has asked for in so long, and the longest forgotten while all take too much.

        What may be in use stays in any case.

        Returns:
            The keys that are gone.
        """
        gone: list[str] = []
        kept: list[tuple[datetime, str, int]] = []
        for path in self._entries():
            try:
                used = datetime.fromtimestamp(path.stat().st_mtime, now.tzinfo)
            except FileNotFoundError:  # it has just been published, or removed
                continue
            if now - used < IN_USE:
                kept.append((used, path.name, _size(path)))
            elif path.name.startswith(".new-") or now - used > older_than:
                gone += self._remove(path, used)
            else:
                kept.append((used, path.name, _size(path)))
        total = sum(size for _, _, size in kept)
        for used, name, size in sorted(kept):
            if total <= limit_bytes or now - used < IN_USE:
                break
            gone += self._remove(self._root / name, used)
            total -= size
        return gone

    def _entries(self) -> Iterator[Path]:
        if self._root.is_dir():
            for path in self._root.iterdir():
                if _KEY.fullmatch(path.name) or path.name.startswith(".new-"):
                    yield path

    def _remove(self, path: Path, used: datetime) -> list[str]:
        aside = self._root / f".new-gone-{secrets.token_hex(4)}"
        try:
            path.rename(aside)  # so that nobody finds half of it
        except FileNotFoundError:
            return []
        if datetime.fromtimestamp(aside.stat().st_mtime, used.tzinfo) > used:
            with contextlib.suppress(OSError):  # there is another one already
                aside.rename(path)  # somebody has found it just before, and is going to mount it
                return []
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)
        return [path.name] if _KEY.fullmatch(path.name) else []

    def _directory(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no key of packages")
        return self._root / key

    def _make_root(self) -> None:
        try:
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise StoreError(f"The directory {self._root} cannot be made: {error.strerror}.") from error

    def _checked(self, secret: bytes) -> bytes:
        if len(secret) != _SECRET_BYTES:
            raise StoreError(f"{self._root / '.secret'} is damaged.", hint="Remove the directory: it is made again.")
        return secret


def _size(path: Path) -> int:
    """Bytes on the disk; what goes meanwhile counts nothing."""
    total = 0
    for parent, _, files in os.walk(path):
        for name in files:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_blocks * 512
    return total
