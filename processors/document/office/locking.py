"""Whether an office document has a password: what it says itself, before a program is asked."""

from __future__ import annotations

import struct
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Literal

from processors.document.compound import Compound
from processors.document.office.package import Package

_MANIFEST = "META-INF/manifest.xml"
_ENCRYPTED_WORD = 0x0100  # of the flags in the FIB's base, MS-DOC 2.5.2
_FILE_PASS = 0x002F  # the record of a workbook that says how it is encrypted, MS-XLS 2.4.117
_END = 0x000A
_MOST_BYTES = 64 * 1024  # of a workbook, in which that record comes among the first
_ENCRYPTED_SHOW = 0xF3D1C4DF  # of the CurrentUserAtom, MS-PPT 2.3.2


def is_package_locked(package: Package) -> bool:
    """Whether an OpenDocument is encrypted, which its manifest says of its parts or of the whole."""
    if not package.has(_MANIFEST):
        return False
    return next(package.xml(_MANIFEST).iter("manifest-encryption-data"), None) is not None


def is_compound_locked(path: Path, kind: Literal["doc", "xls", "ppt"]) -> bool:
    """Whether a document of before 2007 is encrypted. One that is damaged is not: who opens it says what is wrong."""
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        try:
            compound = Compound(data)
            match kind:
                case "doc":
                    (flags,) = struct.unpack_from("<H", compound.beginning("WordDocument", 32), 10)
                    return bool(flags & _ENCRYPTED_WORD)
                case "ppt":
                    (token,) = struct.unpack_from("<I", compound.beginning("Current User", 32), 12)
                    return bool(token == _ENCRYPTED_SHOW)
                case _:
                    return any(_has_file_pass(compound.beginning(name, _MOST_BYTES)) for name in ("Workbook", "Book"))
        except (ValueError, struct.error):
            return False


def _has_file_pass(records: bytes) -> bool:
    place = 0
    while place + 4 <= len(records):
        kind, length = struct.unpack_from("<HH", records, place)
        if kind in (_FILE_PASS, _END):
            return bool(kind == _FILE_PASS)
        place += 4 + length
    return False
