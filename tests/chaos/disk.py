"""The storm's own small disk: state directories lie on it, and it can be filled and freed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MIB = 1024 * 1024


class Disk:
    """A tmpfs of its own where one may be mounted; elsewhere a folder, which nobody can fill."""

    def __init__(self, size_bytes: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pitchey-storm-", dir="/var/tmp"))
        options = f"size={size_bytes},mode=0755"
        mounting = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.root], capture_output=True)
        self.can_be_filled = mounting.returncode == 0
        self._ballast = self.root / "ballast"

    def fill(self) -> None:
        """Take all the room there is, to the last byte."""
        with self._ballast.open("wb", buffering=0) as file:
            free = os.statvfs(self.root)
            try:
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
                file.seek(0, os.SEEK_END)
                while True:  # somebody may have given some back meanwhile
                    file.write(bytes(64 * 1024))
            except OSError:
                return

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def keep(self) -> Path:
        """Copy what is there to where it stays, for whoever wants to look."""
        kept = Path(tempfile.mkdtemp(prefix="pitchey-storm-kept-", dir="/var/tmp"))
        subprocess.run(["cp", "-a", f"{self.root}/.", kept], check=True)
        return kept

    def close(self) -> None:
        """Take the disk away, with all that is on it."""
        if self.can_be_filled:
            # Lazily: a container that is just being removed may still hold a directory of it.
            subprocess.run(["umount", "--lazy", self.root], check=True)
        shutil.rmtree(self.root, ignore_errors=True)
