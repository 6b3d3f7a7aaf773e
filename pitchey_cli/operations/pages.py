"""A page in a file of its own: whole or not there at all, and in the place of nothing but an older one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from pitchey_cli.domain.errors import Denied, InputNotFound, StoreError, UsageError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_HEAD_BYTES = 512  # within which a page says what has made it


def check_target(target: Path, *, generator: str, overwrite: bool) -> None:
    """Refuse a place that the page may not take, before any work.

    Raises:
        UsageError: a folder is there, or a file that is no page of this generator.
        InputNotFound: there is no folder to write it in.
    """
    if target.is_dir():
        raise UsageError(f"{target} is a folder.", hint="Name a file in it.")
    if not target.parent.is_dir():
        raise InputNotFound(f"There is no folder {target.parent}.")
    if os.path.lexists(target) and not overwrite and not _is_page(target, generator):
        raise UsageError(f"{target} exists already, and is no report of ours.", hint="--overwrite replaces it.")


def write(text: str, target: Path) -> int:
    """Put a page in its place; its size.

    Raises:
        Denied: it cannot be written there.
        StoreError: there is no room.
    """
    temporary = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
    try:
        with temporary.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
        return target.stat().st_size
    except PermissionError as error:
        raise Denied(f"{target.parent} may not be written.") from error
    except OSError as error:
        text = f"{target} could not be written: {error.strerror}."
        if error.errno in _FULL:
            raise StoreError(text, hint="Make room and try again.") from error
        raise Denied(text, hint="Name a file in another folder.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_page(target: Path, generator: str) -> bool:
    if not target.is_file():
        return False
    try:
        with target.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    return f'<meta name="generator" content="{generator}">'.encode() in head
