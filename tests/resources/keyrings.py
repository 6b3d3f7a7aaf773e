"""Keyrings of the library `keyring`: one in a file, as a desktop has one, and one that is locked."""

from __future__ import annotations

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):  # type: ignore[misc]
    """Keeps everything in the file that KEYRING_FILE names."""

    priority = 1

    def _kept(self) -> dict[str, str]:
        place = Path(os.environ["KEYRING_FILE"])
        return dict(json.loads(place.read_text())) if place.exists() else {}

    def _keep(self, kept: dict[str, str]) -> None:
        Path(os.environ["KEYRING_FILE"]).write_text(json.dumps(kept))

    def get_password(self, service: str, username: str) -> str | None:
        return self._kept().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._keep({**self._kept(), f"{service}/{username}": password})

    def delete_password(self, service: str, username: str) -> None:
        kept = self._kept()
        if kept.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("There is none.")
        self._keep(kept)


class LockedKeyring(KeyringBackend):  # type: ignore[misc]
    """One that nobody unlocks."""

    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("It is locked.")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("It is locked.")

    def delete_password(self, service: str, username: str) -> None:
        raise KeyringLocked("It is locked.")
