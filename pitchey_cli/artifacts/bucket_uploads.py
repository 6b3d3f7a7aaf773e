"""How a file comes to be an object: in parts, several at once; what an earlier try has left is gone on with.

An object is there as a whole or not at all: the server puts the parts together in one step, after the last.
"""

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

from pitchey_cli.artifacts.buckets import Bucket, code_of, is_refused, watched
from pitchey_cli.artifacts.copying import CHUNK_BYTES, translated
from pitchey_cli.artifacts.port import ProgressCallback
from pitchey_cli.domain.errors import NetworkError

PART_BYTES = 16 * 2**20  #: of one request; larger where there would be too many
_MOST_PARTS = 10_000  # Amazon S3 User Guide, "Multipart upload limits"
_PARTS_AT_ONCE = 4  # each is in memory while it is sent


def upload(
    bucket: Bucket,
    key: str,
    source: Path,
    *,
    sha256: str,
    media_type: str = "application/octet-stream",
    progress: ProgressCallback | None = None,
) -> None:
    """Write a file, over what may be there. The server compares a checksum of each part, where it knows them.

    Args:
        sha256: of the whole, in hexadecimal; it is kept with the object as its metadata `sha256`.

    Raises:
        InputNotFound: there is no such bucket.
        Denied: it may not be written.
        NetworkError, StoreError: it may work another time, and goes on where it has ended.
    """
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise translated(error, source) from error
    try:
        size = os.fstat(descriptor).st_size
        said = {"ContentType": media_type, "Metadata": {"sha256": sha256}}
        if size <= PART_BYTES:
            _put(bucket, key, os.pread(descriptor, size, 0), sha256, said)
        elif not _Upload(bucket, key, descriptor, size, said, progress).run():
            _Upload(bucket, key, descriptor, size, said, progress).run()  # that one has ended: this one is our own
        if progress is not None:
            progress(size, size)
    finally:
        os.close(descriptor)


def _put(bucket: Bucket, key: str, content: bytes, sha256: str, said: Mapping[str, Any]) -> None:
    if bucket.profile.checksums:
        said = {**said, "ChecksumSHA256": base64.b64encode(bytes.fromhex(sha256)).decode()}
    with bucket.translated(key, "be written"):
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=content, **said)


class _Upload:
    def __init__(
        self,
        bucket: Bucket,
        key: str,
        descriptor: int,
        size: int,
        said: Mapping[str, Any],
        progress: ProgressCallback | None,
    ) -> None:
        self._bucket, self._key, self._descriptor, self._size = bucket, key, descriptor, size
        self._said, self._progress = said, progress
        least = -(-size // _MOST_PARTS)
        self._part_bytes = max(PART_BYTES, -(-least // CHUNK_BYTES) * CHUNK_BYTES)
        self._at: dict[str, Any] = {"Bucket": bucket.name, "Key": key}
        self._has_gone_on = False
        self._done = 0
        self._lock = threading.Lock()
        self._is_over = threading.Event()

    def run(self) -> bool:
        """Send what is not there, and let it be put together.

        Returns:
            False where it was begun for another content: what is said of the object is said of that.
        """
        with self._bucket.translated(self._key, "be written"):
            there = self._begin()
            count = -(-self._size // self._part_bytes)
            with ThreadPoolExecutor(_PARTS_AT_ONCE, thread_name_prefix="pitchey-part") as pool:
                tasks = [pool.submit(self._part, number, there.get(number)) for number in range(1, count + 1)]
                try:
                    watched(tasks, self._tell)
                finally:
                    self._is_over.set()
                    for task in tasks:
                        task.cancel()
            parts: Any = [task.result() for task in tasks]
            try:
                self._bucket.client.complete_multipart_upload(**self._at, MultipartUpload={"Parts": parts})
            except exceptions.ClientError as error:
                # Somebody else has put it together, or has given it up, or sends something else under the same key.
                if code_of(error) in ("NoSuchUpload", "InvalidPart"):
                    raise NetworkError(f"The upload of {self._bucket.called(self._key)} was ended.") from error
                raise
            return not self._has_gone_on or self._is_as_said()

    def _is_as_said(self) -> bool:
        """Whether what is said of the object is what should be. It was said when the upload was begun."""
        try:
            head = self._bucket.client.head_object(Bucket=self._bucket.name, Key=self._key)
        except exceptions.ClientError as error:
            if is_refused(error):  # nor to read
                return True
            raise
        return {"ContentType": head.get("ContentType"), "Metadata": head.get("Metadata")} == self._said

    def _begin(self) -> dict[int, str]:
        """Go on with the newest upload of this key that is there, or begin one; the parts that it has.

        Returns:
            By the number of the part: its size and ETag as text.
        """
        client = self._bucket.client
        try:
            left = client.list_multipart_uploads(Bucket=self._bucket.name, Prefix=self._key).get("Uploads", [])
        except exceptions.ClientError as error:
            if not is_refused(error):
                raise
            left = []  # who may write need not be allowed to look
        mine = sorted((each for each in left if each["Key"] == self._key), key=lambda each: each["Initiated"])
        if not mine:
            more: dict[str, Any] = {"ChecksumAlgorithm": "CRC32"} if self._bucket.profile.checksums else {}
            begun = client.create_multipart_upload(**self._at, **self._said, **more)
            self._at["UploadId"] = begun["UploadId"]
            return {}
        self._at["UploadId"], self._has_gone_on = mine[-1]["UploadId"], True
        found: dict[int, str] = {}
        for page in client.get_paginator("list_parts").paginate(**self._at):
            for each in page.get("Parts", []):
                found[each["PartNumber"]] = f"{each['Size']} {each['ETag']}"
        return found

    def _tell(self) -> None:
        """Say how far it is; whoever is told may end it."""
        if self._progress is not None:
            self._progress(self._done, self._size)

    def _part(self, number: int, there: str | None) -> dict[str, Any]:
        """Send a part, unless the server has one of the same content already; what names it at the end."""
        start = (number - 1) * self._part_bytes
        content = os.pread(self._descriptor, min(self._part_bytes, self._size - start), start)
        # Without a key of one's own to encrypt with, an ETag is the MD5; with one it is not, and the part is sent anew.
        etag = f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"' if there is not None else ""
        if there is not None and there == f"{len(content)} {etag}":
            crc = _crc32(content) if self._bucket.profile.checksums else ""  # lists of parts may have none
        elif self._is_over.is_set():
            return {}
        else:
            more: dict[str, Any] = {"ChecksumAlgorithm": "CRC32"} if self._bucket.profile.checksums else {}
            sent = self._bucket.client.upload_part(**self._at, PartNumber=number, Body=content, **more)
            etag, crc = sent["ETag"], sent.get("ChecksumCRC32", "")
        with self._lock:
            self._done += len(content)
        return {"PartNumber": number, "ETag": etag} | ({"ChecksumCRC32": crc} if crc else {})


def _crc32(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()
