"""The files that a program has left, as they come from its slot, and put where an attempt's outputs are."""

from __future__ import annotations

import contextlib
import mimetypes
import shutil
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from processors.code.slot_protocol import OUT_DIR_NAME, JobFile
from processors.protocol import OutputFile

_UNKNOWN = "application/octet-stream"


class Outputs:
    """Takes files piece by piece. Their names have been looked at: none leaves the directory."""

    def __init__(self, out: Path) -> None:
        """Begin with none.

        Args:
            out: the directory for outputs; what comes is collected beside it.
        """
        self._out = out
        self._coming = out.with_name("coming")
        self._files: list[JobFile] = []
        self._open: tuple[str, BinaryIO] | None = None

    def take(self, file: JobFile, data: bytes) -> None:
        """Take a piece of a file; of each file first an empty one."""
        if not data:
            path = self._coming / file.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self._files.append(file)
            return
        if self._open is None or self._open[0] != file.name:
            self.close()
            self._open = (file.name, (self._coming / file.name).open("ab"))
        self._open[1].write(data)

    def close(self) -> None:
        """End the file that is written."""
        if self._open is not None:
            self._open[1].close()
            self._open = None

    def settle(self) -> list[OutputFile]:
        """Put them in their place. Where all lie in `out`, which is the usual case, its name is left out."""
        self.close()
        if not self._files:
            return []
        is_all_in_out = all(file.name.startswith(f"{OUT_DIR_NAME}/") for file in self._files)
        (self._coming / OUT_DIR_NAME if is_all_in_out else self._coming).rename(self._out)
        shutil.rmtree(self._coming, ignore_errors=True)
        prefix = f"{OUT_DIR_NAME}/" if is_all_in_out else ""
        return [_output(file.name.removeprefix(prefix), file.size, "file") for file in self._files]

    def add(self, name: str, data: bytes, role: str) -> OutputFile:
        """Add one that we have made."""
        (self._out / name).write_bytes(data)
        return _output(name, len(data), role)

    def discard(self) -> None:
        """Forget what has come."""
        with contextlib.suppress(OSError):
            self.close()
        shutil.rmtree(self._coming, ignore_errors=True)


def _output(path: str, size: int, role: str) -> OutputFile:
    media_type = mimetypes.guess_type(PurePosixPath(path).name)[0] or _UNKNOWN
    return OutputFile(path=path, media_type=media_type, role=role, size=size)
