"""A signer of links on a real bucket, by boto3 alone, around the artifacts of one machine."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.port import Artifact
from pitchey_cli.domain.errors import InputNotFound, StoreError
from tests.servers.s3 import Bucket


@dataclass
class BucketPresigner:
    """Signs for a bucket, and takes into the artifacts."""

    artifacts: LocalArtifacts
    bucket: Bucket
    seconds: int | None = None  #: for all links, whatever is asked for

    def get_url(self, sha256: str, *, seconds: int) -> str:
        self.bucket.put(sha256, self.artifacts.path(sha256).read_bytes())
        return self._signed("get_object", sha256, seconds)

    def put_url(self, key: str, *, seconds: int, size_limit: int | None = None) -> str:
        return self._signed("put_object", f"incoming/{key}", seconds)

    def take(self, key: str, *, limit_bytes: int) -> Artifact:
        try:
            data = self.bucket.get(f"incoming/{key}")
        except ClientError as error:
            raise InputNotFound(f"Nothing was put at {key}.") from error
        except BotoCoreError as error:
            raise StoreError("The bucket does not answer.") from error
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            artifact = self.artifacts.add(Path(file.name), limit_bytes=limit_bytes, may_be_empty=True)
        self.discard(key)
        return artifact

    def discard(self, key: str) -> None:
        self.bucket.client.delete_object(Bucket=self.bucket.name, Key=f"incoming/{key}")

    def _signed(self, method: str, key: str, seconds: int) -> str:
        wanted = {"Bucket": self.bucket.name, "Key": key}
        return str(self.bucket.client.generate_presigned_url(method, Params=wanted, ExpiresIn=self.seconds or seconds))
