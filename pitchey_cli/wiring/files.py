"""Where files are kept, and what brings them in and out: the artifacts, and the buckets that the settings name."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pitchey_cli import settings as configuration
from pitchey_cli.domain import layout
from pitchey_cli.domain.buckets import DEFAULT_PROFILE
from pitchey_cli.policies import Policies
from pitchey_cli.values import dataclass

if TYPE_CHECKING:
    from pitchey_cli.artifacts.inputs import Inputs
    from pitchey_cli.artifacts.outputs import Outputs
    from pitchey_cli.artifacts.port import Artifacts, Presigner
    from pitchey_cli.domain.buckets import BucketUrl, Profile
    from pitchey_cli.domain.whereabouts import Whereabouts
    from pitchey_cli.operations.doctor import Asked


def _ask_profile(profile: Profile) -> None:
    from pitchey_cli.artifacts.buckets import check_keys

    check_keys(profile)


@dataclass(frozen=True)
class Files:
    """What is set about files, and the adapters that it asks for."""

    settings: configuration.Settings
    state_dir: Path

    @property
    def policies(self) -> Policies:
        """What is set, in the words of the domain."""
        return Policies(self.settings)

    def artifacts(self, *, is_hurried: bool = False) -> Artifacts:
        """Where files are kept.

        Args:
            is_hurried: a bucket that does not answer is not waited for.
        """
        from pitchey_cli.artifacts.local import LocalArtifacts

        url = self.policies.kept_at()
        if url is None:
            return LocalArtifacts(layout.artifacts(self.state_dir))
        from pitchey_cli.artifacts.buckets import Bucket
        from pitchey_cli.artifacts.s3 import S3Artifacts

        return S3Artifacts(
            Bucket(self.profile(url), url.bucket, is_own=True, is_hurried=is_hurried),
            url.key,
            LocalArtifacts(layout.cache(self.state_dir)),
            cache_bytes=self.settings.artifacts.cache_bytes,
            report=_say,
        )

    def inputs(self, artifacts: Artifacts) -> Inputs:
        """What fetches inputs that lie elsewhere."""
        from pitchey_cli.artifacts.inputs import Inputs
        from pitchey_cli.artifacts.known import Known

        policies, settings = self.policies, self.settings
        return Inputs(
            artifacts,
            Known(layout.fetched(self.state_dir), artifacts),
            policies.profiles(),
            policies.grants(),
            settings.limits.input_bytes,
            settings.network.allow_private_urls,
        )

    def outputs(self, artifacts: Artifacts) -> Outputs:
        """What brings outputs to buckets."""
        from pitchey_cli.artifacts.outputs import Outputs

        return Outputs(artifacts, self.policies.profiles(), self.policies.grants())

    def presigner(self, artifacts: Artifacts) -> Presigner | None:
        """What lets others fetch artifacts and leave some; None where they are not kept in a bucket."""
        from pitchey_cli.artifacts.port import Presigner

        return artifacts if isinstance(artifacts, Presigner) else None

    def listed(self, url: BucketUrl) -> list[str]:
        """The keys below a folder in a bucket."""
        from pitchey_cli.artifacts.buckets import found_below

        return found_below(self.profile(url), url)

    def whereabouts(self, artifacts: Artifacts, *, make: bool = False) -> Whereabouts:
        """Where the artifacts of this machine are.

        Args:
            make: give that place an id where it has none.

        Raises:
            PitcheyError: it cannot be asked.
        """
        from pitchey_cli.domain.whereabouts import Whereabouts

        url = self.policies.kept_at()
        own = f"{layout.artifacts(self.state_dir.absolute())} on the disk of {self.policies.node_name()}"
        return Whereabouts(artifacts.place_id(make=make), str(url) if url else own)

    def ask_bucket(self) -> None:
        """Make sure that the bucket of the artifacts is there, and does what is asked of one; once, and in a hurry.

        Raises:
            PitcheyError: says why not.
        """
        from pitchey_cli.artifacts.s3 import S3Artifacts

        artifacts = self.artifacts(is_hurried=True)
        assert isinstance(artifacts, S3Artifacts)  # else nobody asks
        artifacts.check_conditions()

    def asked(self) -> list[Asked]:
        """What `doctor` asks of the profiles of S3 that are set, and of the bucket of the artifacts."""
        from pitchey_cli.operations.doctor import Asked

        url, chosen, profiles = self.policies.kept_at(), self.settings.s3, self.policies.profiles()
        is_default_set = chosen.endpoint_url or chosen.access_key or DEFAULT_PROFILE in chosen.profiles
        names = [name for name in profiles if name != DEFAULT_PROFILE or is_default_set]
        asked = [Asked(f"s3 {name}", "the keys are good", partial(_ask_profile, profiles[name])) for name in names]
        if url is not None:
            asked.append(Asked("artifacts", f"{url} can be written, and heeds conditions", self.ask_bucket))
        return asked

    def profile(self, url: BucketUrl) -> Profile:
        """What leads to a bucket.

        Raises:
            ProfileMissing: there is none of that name.
        """
        from pitchey_cli.artifacts.inputs import profile_of

        return profile_of(self.policies.profiles(), url.profile or self.policies.grants().default)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
