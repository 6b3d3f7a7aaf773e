"""Where jobs' outputs go beside the artifacts: into buckets that whoever asks for them names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pitchey_cli.artifacts.inputs import profile_of
from pitchey_cli.artifacts.port import Artifacts, ProgressCallback
from pitchey_cli.domain.buckets import BucketUrl, Grants, Profile


@dataclass(frozen=True)
class Outputs:
    """Brings artifacts to buckets."""

    artifacts: Artifacts
    profiles: Mapping[str, Profile]
    grants: Grants

    def check(self, url: BucketUrl, *, organisation: str) -> None:
        """Make sure that outputs can be written below a URL, before the work is done."""
        from pitchey_cli.artifacts.buckets import Bucket  # late: boto3

        self.grants.check(str(url), organisation)
        Bucket(self._profile(url), url.bucket).check_writable(url.key)

    def deliver(
        self,
        sha256: str,
        url: BucketUrl,
        *,
        organisation: str,
        media_type: str,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Write an artifact as an object: whole, or not at all."""
        from pitchey_cli.artifacts.bucket_uploads import upload  # late: boto3
        from pitchey_cli.artifacts.buckets import Bucket

        self.grants.check(str(url), organisation)
        bucket, source = Bucket(self._profile(url), url.bucket), self.artifacts.path(sha256)
        upload(bucket, url.key, source, sha256=sha256, media_type=media_type, progress=progress)

    def link(self, url: BucketUrl, *, organisation: str, seconds: int) -> str:
        """A link with which anybody can fetch an object, for so long."""
        from pitchey_cli.artifacts.buckets import Bucket  # late: boto3

        self.grants.check(str(url), organisation)
        return Bucket(self._profile(url), url.bucket).link(url.key, seconds=seconds)

    def _profile(self, url: BucketUrl) -> Profile:
        return profile_of(self.profiles, url.profile or self.grants.default)
