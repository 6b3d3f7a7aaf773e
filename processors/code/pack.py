"""Puts what a package client has made into one file: the last step of a prepare job, in its own process, as its user.

    pack.py ARCHIVE DIRECTORY CACHE

DIRECTORY is what is packed; CACHE goes before, because it is of no more use. The archive is gzip of the frames that
slots speak in: a document with name and size for each file, and its bytes. The host believes none of it. Files go as
they are packed, because there is memory for them once. Python is compiled beforehand, since nobody can write beside it
later.
"""

from __future__ import annotations

import compileall
import gzip
import json
import os
import py_compile
import shutil
import stat
import struct
import sys

DOCUMENT, RAW = ord("J"), ord("R")
PIECE_BYTES = 1 << 16
_PYTHON = "python"


def main() -> int:
    """Pack, and say on stderr what could not be."""
    archive, directory, cache = sys.argv[1:]
    shutil.rmtree(cache)
    if directory == _PYTHON:
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        compileall.compile_dir(directory, quiet=2, force=True, invalidation_mode=unchecked)
    with gzip.open(archive, "wb", compresslevel=1) as packed:
        for parent, directories, files in os.walk(directory, onerror=fail):
            directories.sort()
            for name in (*directories, *sorted(files)):
                path = f"{parent}/{name}"
                status = os.lstat(path)
                if stat.S_ISREG(status.st_mode):
                    add(packed, path, status)
                    os.unlink(path)  # noqa: PTH108
                elif not stat.S_ISDIR(status.st_mode):
                    raise SystemExit(f"{path} is no regular file, and packages have nothing else here.")
    return 0


def add(packed: gzip.GzipFile, path: str, status: os.stat_result) -> None:
    """Write one file."""
    document = {"name": path, "size": status.st_size, "isExecutable": bool(status.st_mode & stat.S_IXUSR)}
    write(packed, DOCUMENT, json.dumps(document).encode())
    with open(path, "rb") as file:  # noqa: PTH123
        while data := file.read(PIECE_BYTES):
            write(packed, RAW, data)


def write(packed: gzip.GzipFile, kind: int, body: bytes) -> None:
    """Write one frame; as in frames.py, which jobs cannot see."""
    packed.write(struct.pack(">BI", kind, len(body)) + body)


def fail(error: OSError) -> None:
    """Go no further: half of the packages are none."""
    raise error


if __name__ == "__main__":
    sys.exit(main())
