"""The marks of contents in a bucket: small objects that are only ever written over the one that was read.

What they mean, and why that is enough for several nodes, is told in s3.py.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from botocore import exceptions

from pitchey_cli.artifacts.buckets import Bucket, is_conflict, is_missing
from pitchey_cli.domain.errors import StoreError


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark, as it was read or written."""

    etag: str
    used_at: datetime  #: by the server's clock
    server_now: datetime
    generation: str  #: empty: a tombstone


class Marks:
    """The marks below a prefix of a bucket."""

    def __init__(self, bucket: Bucket, prefix: str) -> None:
        self._bucket, self._prefix = bucket, prefix

    @property
    def folder(self) -> str:
        """How all of their keys begin."""
        return f"{self._prefix}use/"

    def read(self, sha256: str) -> Mark | None:
        """The mark of a content; None when there never was one, or nothing is left of it."""
        key = self._key(sha256)
        with self._bucket.translated(key):
            try:
                answer = self._bucket.client.get_object(Bucket=self._bucket.name, Key=key)
            except exceptions.ClientError as error:
                if is_missing(error):
                    return None
                raise
            with answer["Body"] as body:
                said = json.loads(body.read())
        return Mark(answer["ETag"], answer["LastModified"], _date(answer), str(said["generation"]))

    def write(self, sha256: str, generation: str, over: Mark | None) -> Mark | None:
        """Write a mark over the one that was read; None when that is not there any more."""
        key = self._key(sha256)
        body = json.dumps({"generation": generation, "nonce": secrets.token_hex(16)}).encode()
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if over is None else {"IfMatch": over.etag}
        with self._bucket.translated(key, "be written"):
            try:
                answer = self._bucket.client.put_object(
                    Bucket=self._bucket.name, Key=key, Body=body, ContentType="application/json", **condition
                )
            except exceptions.ClientError as error:
                # The mark that was read may have gone: there is nothing that could match then.
                if is_conflict(error) or (over is not None and is_missing(error)):
                    return None
                raise
        now = _date(answer)
        return Mark(answer["ETag"], now, now, generation)

    def forget(self, sha256: str, tombstone: Mark) -> None:
        """Remove a tombstone, where the server can see to it that nobody has written over it meanwhile."""
        if self._has_conditional_deletes:
            self._delete_if(self._key(sha256), tombstone.etag)

    def owner(self, candidate: str) -> str:
        """The database whose contents these are; the candidate where there was none."""
        return self._noted("owner", candidate)

    def place_id(self, *, make: bool) -> str:
        """The id of this prefix, which is made where there is none; or empty."""
        if make:
            return self._noted("id", secrets.token_hex(8))
        key = f"{self.folder}id"
        with self._bucket.translated(key):
            try:
                with self._bucket.client.get_object(Bucket=self._bucket.name, Key=key)["Body"] as body:
                    return body.read().decode()
            except exceptions.ClientError as error:
                if is_missing(error):
                    return ""
                raise

    def _noted(self, what: str, candidate: str) -> str:
        """What is noted of all contents; the candidate where nothing was."""
        key = f"{self.folder}{what}"
        client, name = self._bucket.client, self._bucket.name
        with self._bucket.translated(key, "be written"):
            try:
                client.put_object(Bucket=name, Key=key, Body=candidate.encode(), IfNoneMatch="*")
            except exceptions.ClientError as error:
                if not is_conflict(error):
                    raise
        with self._bucket.translated(key), client.get_object(Bucket=name, Key=key)["Body"] as body:
            return body.read().decode()

    def check_conditions(self) -> None:
        """Make sure that the server heeds the condition of a write: without that, removing would not be safe.

        Raises:
            StoreError: it does not.
        """
        name = secrets.token_hex(32)
        first = self.write(name, "", None)
        try:
            second = None if first is None else self.write(name, "", first)
            is_heeded = (
                second is not None and self.write(name, "", None) is None and self.write(name, "", first) is None
            )
            if not is_heeded:
                hint = "Amazon S3, Cloudflare R2, MinIO and SeaweedFS do, in their versions of 2025 and later."
                text = f"The server of the bucket {self._bucket.name} does not heed If-Match and If-None-Match."
                raise StoreError(text, hint=hint)
        finally:
            self._bucket.delete([self._key(name)])

    def _delete_if(self, key: str, etag: str) -> None:
        with self._bucket.translated(key, "be removed"):
            try:
                self._bucket.client.delete_object(Bucket=self._bucket.name, Key=key, IfMatch=etag)
            except exceptions.ClientError as error:
                if not is_conflict(error) and not is_missing(error):
                    raise

    @cached_property
    def _has_conditional_deletes(self) -> bool:
        """Whether the server heeds the condition of a delete: asked once, with a wrong one."""
        key = f"{self._prefix}probe/{secrets.token_hex(8)}"
        with self._bucket.translated(key, "be written"):
            client = self._bucket.client
            client.put_object(Bucket=self._bucket.name, Key=key, Body=b"probe")
            try:
                client.delete_object(Bucket=self._bucket.name, Key=key, IfMatch=f'"{secrets.token_hex(16)}"')
            except exceptions.ClientError as error:
                client.delete_object(Bucket=self._bucket.name, Key=key)
                return is_conflict(error)
        return False

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}use/{sha256[:2]}/{sha256}"


def _date(answer: Any) -> datetime:
    try:
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    except (KeyError, ValueError, TypeError):  # a server without a clock of its own
        return datetime.now(UTC)
