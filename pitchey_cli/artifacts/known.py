"""What was fetched before: which content a URL had under which ETag.

Each use asks the server first: what it then says of the URL, to whoever asks with the rights of now, is looked up here.
So nobody gets a content that they could not have fetched. A file for each URL, named by a hash of it: a URL may be
signed, and a signature is not to lie on a disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from pitchey_cli.artifacts.port import Artifact, Artifacts
from pitchey_cli.domain.errors import InputNotFound

_MOST = 10_000  #: URLs; half of them go when there are more


class Known:
    """Remembers contents, in a folder of its own."""

    def __init__(self, folder: Path, artifacts: Artifacts) -> None:
        self._folder, self._artifacts = folder, artifacts

    def find(self, url: str, *, etag: str, size: int) -> Artifact | None:
        """The artifact that has this content, where it is still there; its grace begins anew."""
        if not etag or etag.startswith("W/"):  # a weak one does not promise the same bytes
            return None
        try:
            said = json.loads(self._place(url).read_bytes())
        except (OSError, ValueError):
            return None
        if not isinstance(said, dict) or said.get("etag") != etag or said.get("size") != size:
            return None
        with suppress(InputNotFound):
            if not self._artifacts.refresh([str(said.get("sha256"))]):
                return Artifact(str(said["sha256"]), size)
        return None

    def note(self, url: str, artifact: Artifact, *, etag: str) -> None:
        """Remember a content. That it cannot be is no error: it will be fetched again."""
        if not etag or etag.startswith("W/"):
            return
        place = self._place(url)
        beside = place.with_suffix(f".{os.getpid()}")
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room()
            beside.write_text(json.dumps({"etag": etag, "size": artifact.size, "sha256": artifact.sha256}))
            beside.replace(place)

    def _make_room(self) -> None:
        with os.scandir(self._folder) as entries:
            there = [*entries]
        if len(there) <= _MOST:  # nearly always: only else they are asked for their times
            return
        for entry in sorted(there, key=lambda each: each.stat().st_mtime)[: _MOST // 2]:
            with suppress(OSError):
                Path(entry).unlink()

    def _place(self, url: str) -> Path:
        return self._folder / hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
