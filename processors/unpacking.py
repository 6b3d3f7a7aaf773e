"""What reading a damaged archive raises: each way of packing has errors of its own."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib

#: RuntimeError is what the library says of a zip with a password, and of nesting without end
UNPACKING = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error,
    OSError, EOFError, ValueError, NotImplementedError, RuntimeError,
)  # fmt: skip
