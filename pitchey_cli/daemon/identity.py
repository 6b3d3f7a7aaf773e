"""Who this node is: an id that is made once and kept in the state directory, whatever the node is called."""

from __future__ import annotations

import secrets
from pathlib import Path

from pitchey_cli.domain import layout
from pitchey_cli.domain.errors import StoreError

_LENGTH = 16  # hexadecimal digits: 64 bits


def kept_id(state_dir: Path) -> str:
    """The id of the node of a state directory. Whoever calls this holds the directory, so nobody else makes one.

    Raises:
        StoreError: it can be neither read nor written.
    """
    path = layout.node_id(state_dir)
    try:
        if path.exists():
            found = path.read_text(encoding="ascii", errors="replace").strip()
            if len(found) == _LENGTH and not set(found) - set("0123456789abcdef"):
                return found
            raise StoreError(f"{path} holds no id of a node.", hint="Remove it: a new one is made.")
        made = secrets.token_hex(_LENGTH // 2)
        _write(path, made)
        note_original(state_dir)
        return made
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}.") from error


def is_copy(state_dir: Path) -> bool:
    """Whether the id came here with a copy of the directory: a copied file is another one, and a moved one is not."""
    try:
        return _noted_at(state_dir).read_text(encoding="ascii").strip() != _own_number(state_dir)
    except (OSError, ValueError):
        return False


def note_original(state_dir: Path) -> None:
    """Note that the id is this directory's own from now on.

    Raises:
        StoreError: it cannot be written.
    """
    path = _noted_at(state_dir)
    try:
        _write(path, _own_number(state_dir))
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}.") from error


def _own_number(state_dir: Path) -> str:
    return str(layout.node_id(state_dir).stat().st_ino)


def _noted_at(state_dir: Path) -> Path:
    return layout.node_id(state_dir).with_suffix(".file")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text + "\n", encoding="ascii")
    temporary.replace(path)
