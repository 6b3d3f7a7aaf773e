"""Where the tokens of contexts are kept: in the keyring of the desktop, else in a file that its owner alone may read.

The keyring is that of the library `keyring`, which is used where it is installed and has somewhere to keep anything.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import Denied, Unauthenticated
from pitchey_cli.remote import contexts
from pitchey_cli.remote.address import token_in_file
from pitchey_cli.remote.contexts import FILE, KEYRING, Context

_SERVICE = "pitchey"  #: what entries of the keyring belong to


def keep(name: str, token: str, environ: Mapping[str, str]) -> str:
    """Keep a token; where: `keyring` or `file`."""
    keyring = _keyring()
    if keyring is not None:
        try:
            keyring.set_password(_SERVICE, name, token)
        except Exception:
            keyring = None
    if keyring is not None:
        path_of(name, environ).unlink(missing_ok=True)
        return KEYRING
    contexts.write_private(path_of(name, environ), f"{token}\n")
    return FILE


def kept(name: str, context: Context, environ: Mapping[str, str]) -> str:
    """The token of a context.

    Raises:
        Unauthenticated: it is not there any more.
        Denied: others may read the file that it is in.
    """
    hint = f"`pitchey context add {name} ...` keeps it again; PITCHEY_TOKEN says it for once."
    if context.token == KEYRING:
        found = None
        if (keyring := _keyring()) is not None:
            with contextlib.suppress(Exception):  # as above
                found = keyring.get_password(_SERVICE, name)
        if not found:
            raise Unauthenticated(f"The keyring does not give the token of {name}.", hint=hint)
        return str(found)
    path = path_of(name, environ)
    if not path.exists():
        raise Unauthenticated(f"The token of {name} is not at {path} any more.", hint=hint)
    if path.stat().st_mode & 0o077:
        raise Denied(f"Others may read the token at {path}.", hint=f"chmod 600 {path}")
    return token_in_file(path)


def forget(name: str, context: Context, environ: Mapping[str, str]) -> None:
    """Forget the token of a context."""
    if context.token == KEYRING and (keyring := _keyring()) is not None:
        with contextlib.suppress(Exception):  # as above
            keyring.delete_password(_SERVICE, name)
    path_of(name, environ).unlink(missing_ok=True)


def path_of(name: str, environ: Mapping[str, str]) -> Path:
    """The file that a token is in, where there is no keyring."""
    return contexts.directory(environ) / "tokens" / name


def _keyring() -> Any:
    """The library, if it is there and has a backend that keeps anything."""
    try:
        keyring = importlib.import_module("keyring")
        backend = keyring.get_keyring()
    except Exception:
        return None
    return keyring if getattr(backend, "priority", 0) > 0 else None
