"""Inputs that lie elsewhere: http and https URLs, and objects in buckets. How a URL begins says who fetches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from pitchey_cli.artifacts.http import fetch, spool
from pitchey_cli.artifacts.known import Known
from pitchey_cli.artifacts.port import LARGER_INPUT, Artifact, Artifacts, ProgressCallback
from pitchey_cli.domain.addresses import is_public
from pitchey_cli.domain.buckets import Grants, Profile, bucket_url, check_known, is_bucket_url
from pitchey_cli.domain.errors import InputRejected, NetworkError
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION


@dataclass(frozen=True)
class Inputs:
    """Fetches what lies elsewhere."""

    artifacts: Artifacts
    known: Known
    profiles: Mapping[str, Profile]
    grants: Grants
    limit_bytes: int
    allow_private: bool

    def __call__(
        self, url: str, *, organisation: str = DEFAULT_ORGANISATION, progress: ProgressCallback | None = None
    ) -> tuple[Artifact, str]:
        """Fetch; the artifact, and what to call it.

        Raises:
            PitcheyError: as http.fetch; Denied as well where the organisation may not use a profile.
        """
        if is_bucket_url(url):
            self.grants.check(url, organisation)
            return self._object(url, progress)
        return fetch(
            url,
            self.artifacts,
            self.known,
            limit_bytes=self.limit_bytes,
            may_reach=None if self.allow_private else is_public,
            progress=progress,
        )

    def _object(self, text: str, progress: ProgressCallback | None) -> tuple[Artifact, str]:
        from pitchey_cli.artifacts.bucket_downloads import download, is_as_said  # late: boto3
        from pitchey_cli.artifacts.buckets import Bucket

        url = bucket_url(text)
        if url.is_prefix:
            raise InputRejected(f"{url} is a folder, where one object is meant.", hint="Name the object in it.")
        profile = profile_of(self.profiles, url.profile or self.grants.default)
        bucket, name = Bucket(profile, url.bucket), _name_of(url.key)
        head = bucket.head(url.key)
        size, etag = int(head["ContentLength"]), str(head.get("ETag", ""))
        if size > self.limit_bytes:
            raise InputRejected(f"{url} has {size:,} bytes; the limit is {self.limit_bytes:,}.", hint=LARGER_INPUT)
        if not size:
            raise InputRejected(f"{url} is empty.", hint="Has it been written to the end there?")
        key = f"{profile.endpoint_url} s3://{profile.name}@{url.bucket}/{url.key}"  # a bucket may be each tenant's own
        if (found := self.known.find(key, etag=etag, size=size)) is not None:
            return found, name
        with spool() as file:
            download(bucket, url.key, head, file, progress=progress)
            if not is_as_said(file, head):  # nobody else knows what its content should be
                raise NetworkError(f"{url} is not what its checksum says (profile {profile.name}).")
            artifact = self.artifacts.add(file, limit_bytes=self.limit_bytes)
        self.known.note(key, artifact, etag=etag)
        return artifact, name


def profile_of(profiles: Mapping[str, Profile], name: str) -> Profile:
    """A profile by its name.

    Raises:
        ProfileMissing: there is none.
    """
    check_known(name, profiles)
    return profiles[name]


def _name_of(key: str) -> str:
    name = "".join(char for char in PurePosixPath(key).name if char.isprintable() and char not in "/\\").strip(". ")
    return name[:200] or "download"
