"""How an object comes to be a file: several ranges at once, each taken up again where it broke off."""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from botocore import exceptions
from urllib3.exceptions import HTTPError

from pitchey_cli.artifacts.buckets import THREADS, Bucket, meaning, watched
from pitchey_cli.artifacts.copying import CHUNK_BYTES, translated
from pitchey_cli.artifacts.port import ProgressCallback
from pitchey_cli.domain.errors import InputRejected, NetworkError

RANGE_BYTES = 8 * 2**20  #: that one request is for
_PIECE_BYTES = 2**18
_PAUSES = (0.2, 1.0, 3.0, 6.0)  # seconds before a range is asked for again that broke off, without anything new
_BROKEN = (exceptions.BotoCoreError, exceptions.HTTPClientError, HTTPError, OSError)


def download(
    bucket: Bucket, key: str, known: Mapping[str, Any], target: Path, *, progress: ProgressCallback | None = None
) -> None:
    """Fetch an object whose head is known. Whether it is what it should be, whoever knows that looks at.

    Raises:
        InputNotFound: it has vanished since.
        InputRejected: it has changed since.
        NetworkError: it broke off again and again.
        StoreError: the disk is full.
    """
    size, etag = int(known["ContentLength"]), str(known.get("ETag", ""))
    work = _Download(bucket, key, size, etag, progress)
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
            work.run(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise translated(error, bucket.called(key)) from error


class _Download:
    def __init__(self, bucket: Bucket, key: str, size: int, etag: str, progress: ProgressCallback | None) -> None:
        self._bucket, self._key, self._size, self._etag, self._progress = bucket, key, size, etag, progress
        self._done = 0
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def run(self, descriptor: int) -> None:
        starts = range(0, self._size, RANGE_BYTES)
        with ThreadPoolExecutor(min(THREADS, len(starts)), thread_name_prefix="pitchey-range") as pool:
            tasks = [pool.submit(self._range, descriptor, start) for start in starts]
            try:
                watched(tasks, self._tell)
            finally:
                self._is_over.set()
                for task in tasks:
                    task.cancel()

    def _tell(self) -> None:
        """Say how far it is; whoever is told may end it."""
        if self._progress is not None:
            self._progress(self._done, self._size)

    def _range(self, descriptor: int, start: int) -> None:
        here, end, broken = start, min(start + RANGE_BYTES, self._size), 0
        while here < end and not self._is_over.is_set():
            before = here
            try:
                here = self._piece(descriptor, here, end)
                problem: Exception = NetworkError("It ended early.")
            except _Cut as cut:
                here, problem = cut.here, cut.problem
            if here >= end:
                return
            broken = 0 if here > before else broken + 1
            if broken >= len(_PAUSES):
                raise meaning(problem, self._bucket.profile, self._bucket.called(self._key), "be read") from problem
            if self._is_over.wait(_PAUSES[broken]):
                return

    def _piece(self, descriptor: int, here: int, end: int) -> int:
        """Read from one answer as far as it goes; where that is."""
        more: dict[str, Any] = {"IfMatch": self._etag} if self._etag else {}
        client, wanted = self._bucket.client, f"bytes={here}-{end - 1}"
        with self._bucket.translated(self._key):
            answer = client.get_object(Bucket=self._bucket.name, Key=self._key, Range=wanted, **more)
        with answer["Body"] as body:
            if int(answer.get("ContentLength", 0)) > end - here:
                raise InputRejected(f"{self._bucket.called(self._key)}: the server answers no ranges.")
            try:
                while piece := body.read(_PIECE_BYTES):
                    os.pwrite(descriptor, piece, here)
                    here += len(piece)
                    with self._lock:
                        self._done += len(piece)
                    if self._is_over.is_set():
                        return here
            except _BROKEN as error:
                if isinstance(error, OSError) and error.errno is not None and not isinstance(error, ConnectionError):
                    raise  # the disk's, and not the network's
                raise _Cut(here, error) from error
        return here


class _Cut(Exception):
    """An answer broke off."""

    def __init__(self, here: int, problem: Exception) -> None:
        super().__init__(str(problem))
        self.here, self.problem = here, problem


def is_as_said(path: Path, known: Mapping[str, Any]) -> bool:
    """Whether the content has the checksum of the whole that the server knows; one of parts says nothing of it."""
    said = {name: str(known.get(f"Checksum{name}", "")) for name in ("SHA256", "CRC32")}
    wanted = {name: text for name, text in said.items() if text and "-" not in text}
    if not wanted:
        return True
    digest, crc = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(CHUNK_BYTES):
            if "SHA256" in wanted:
                digest.update(piece)
            else:
                crc = zlib.crc32(piece, crc)
    if "SHA256" in wanted:
        return base64.b64encode(digest.digest()).decode() == wanted["SHA256"]
    return base64.b64encode(crc.to_bytes(4, "big")).decode() == wanted["CRC32"]
