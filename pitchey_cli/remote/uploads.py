"""Send files to a server so that it goes on where it broke off: tus 1.0, in pieces, found again by what is in them.

The file is hashed before it is sent. So the server knows it again whatever has ended in the middle, the network, this
command or the server itself; and what it has in the end is compared with that hash.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import httpx

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.artifacts.port import ProgressCallback
from pitchey_cli.domain.errors import InputRejected
from pitchey_cli.remote.client import Client, Refused
from pitchey_cli.remote.failures import of_answer

_VERSION = {"Tus-Resumable": "1.0.0"}
_CHUNK_BYTES = 256 * 1024
_PIECE_BYTES = 64 * 1024 * 1024  # of one request: a proxy before the server may take no more


def upload(client: Client, path: Path, called: str, progress: ProgressCallback | None) -> str:
    """Send a file, or the rest of it; what a job names it by.

    Args:
        called: its name there.

    Raises:
        InputRejected: it changes while it is sent.
        PitcheyError: the server does not take it, or stays away for too long.
    """
    try:
        with path.open("rb") as file:
            size, changed = os.fstat(file.fileno()).st_size, os.fstat(file.fileno()).st_mtime_ns
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            sending = _Sending(client, file, size, progress)
            place = sending.begin(called, digest)
            while not sending.is_done:
                sending.go_on(place)
            if os.fstat(file.fileno()).st_mtime_ns != changed:
                raise InputRejected(f"{path} changed while it was sent.", hint="Try again when it is whole.")
    except OSError as error:
        raise translated(error, path) from error
    if progress is not None:
        progress(size, size)
    return place.rpartition("/")[2]


class _Sending:
    """One file on its way."""

    def __init__(self, client: Client, file: BinaryIO, size: int, progress: ProgressCallback | None) -> None:
        self._client, self._file, self._size, self._progress = client, file, size, progress
        self._patience = client.patience()
        self.offset = 0
        self.is_done = False  #: the server has said of the last piece, which may be empty, that all is there and right

    def begin(self, called: str, digest: str) -> str:
        """Announce the file; where its pieces go."""
        metadata = ",".join(f"{key} {_base64(value)}" for key, value in (("filename", called), ("sha256", digest)))
        headers = {**_VERSION, "Upload-Length": str(self._size), "Upload-Metadata": metadata}
        answer = self._client.request("POST", "/v1/uploads", headers=headers, is_safe=True)
        self._has(answer)
        return str(answer.headers["location"])

    def go_on(self, place: str) -> None:
        """Send the next piece. Where that breaks off, ask how much has come."""
        end = min(self._size, self.offset + _PIECE_BYTES)
        headers = {
            **_VERSION,
            "Upload-Offset": str(self.offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(end - self.offset),
        }
        before = self.offset
        try:
            self._has(self._client.send("PATCH", place, headers=headers, content=self._piece(end)))
            self.is_done = self.offset == self._size
        except httpx.TransportError as error:
            self._client.check_passing(error, self._patience)
            self._patience.pause()
            self._ask(place)
        except Refused as refused:
            if refused.answer.status_code not in (409, 423) or self._patience.is_over:
                raise of_answer(refused.answer, self._client.where) from refused
            self._patience.pause()
            self._ask(place)
        if self.offset > before:
            self._patience = self._client.patience()

    def _ask(self, place: str) -> None:
        self._has(self._client.request("HEAD", place, headers=_VERSION))

    def _has(self, answer: httpx.Response) -> None:
        self.offset = int(answer.headers["upload-offset"])

    def _piece(self, end: int) -> Iterator[bytes]:
        at = self.offset
        self._file.seek(at)
        while at < end and (data := self._file.read(min(_CHUNK_BYTES, end - at))):
            yield data
            at += len(data)
            if self._progress is not None:
                self._progress(at, self._size)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
