"""An archive of anybody's -> files below a directory: zip (a wheel is one) and tar.

Only plain files and folders come out, under names that stay below the directory, and no more bytes than such an archive
can honestly hold: how large the archive says its files are is not believed.
"""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from pitchey_cli.domain.errors import InputRejected, StoreError
from processors.names import problem_with
from processors.unpacking import UNPACKING

SUFFIXES = (".zip", ".whl", ".tgz", ".tar.gz", ".tar")
MOST_FILES = 20_000
_GROWTH = 100  # weights are dense: what unpacks to more times its size is made to
_ALWAYS_BYTES = 64 << 20  # that may come out of the smallest archive
_PIECE_BYTES = 1 << 20


def is_archive(name: str) -> bool:
    """Whether a file of this name is one that is unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, name: str, directory: Path, *, limit_bytes: int) -> None:
    """Write the files of an archive below an empty directory.

    Args:
        name: what the user calls it, whose suffix says what it is.
        limit_bytes: no more comes out of it.

    Raises:
        InputRejected: it is none, is damaged, holds what cannot be, or too much.
    """
    most = min(limit_bytes, max(_ALWAYS_BYTES, _GROWTH * archive.stat().st_size))
    members = _zipped(archive) if name.lower().endswith((".zip", ".whl")) else _tarred(archive)
    try:
        _write(members, directory, name, most)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise InputRejected(f"{name} has two files of one name.") from error
    except OSError as error:
        if error.errno is None:  # gzip's own
            raise InputRejected(f"{name} cannot be unpacked: {error}.", hint="Is it whole?") from error
        raise StoreError(f"{name} cannot be unpacked: {error.strerror}.") from error
    except UNPACKING as error:
        raise InputRejected(f"{name} cannot be unpacked: {error}.", hint="Is it whole?") from error


def _write(members: Iterator[tuple[str, IO[bytes] | None]], directory: Path, name: str, most: int) -> None:
    done = 0
    for count, (path, content) in enumerate(members, start=1):
        if problem := problem_with(path):
            raise InputRejected(f"{name} has a file whose name {path!r} {problem}.")
        if content is None:
            raise InputRejected(f"{name} has {path!r}, which is a link or no plain file.")
        if count > MOST_FILES:
            raise InputRejected(f"{name} has more than {MOST_FILES:,} files.")
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("xb") as file:
            while data := content.read(_PIECE_BYTES):
                done += len(data)
                if done > most:
                    raise InputRejected(
                        f"{name} unpacks to more than {most >> 20} MiB, which is {_GROWTH} times its size or the limit."
                    )
                file.write(data)


def _zipped(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if member.is_dir():
                continue
            kind = stat.S_IFMT(member.external_attr >> 16)
            yield member.filename, opened.open(member) if kind in (0, stat.S_IFREG) else None


def _tarred(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    with tarfile.open(archive) as opened:
        for member in opened:
            if member.isdir():
                continue
            yield member.name.removeprefix("./"), opened.extractfile(member) if member.isreg() else None
