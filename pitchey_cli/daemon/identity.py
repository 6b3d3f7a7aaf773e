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
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_text(made + "\n", encoding="ascii")
        temporary.replace(path)
        return made
    except OSError as error:
        raise StoreError(f"{path} cannot be used: {error.strerror}.") from error
