"""What instances need that share no files with this host, built from settings."""

from __future__ import annotations

import ssl
from pathlib import Path

from pitchey_cli.artifacts.port import Artifacts, Presigner
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.engines.port import Engine, EngineKind
from pitchey_cli.wiring.here import Wiring


def ca_file(wiring: Wiring) -> Path | None:
    """The certificate authorities that porters are given: the image has none.

    Those of the bucket of the artifacts first: porters reach nothing else.

    Raises:
        UsageError: its profile names a file that is none.
    """
    if wiring.settings.engine.shares_files:
        return None
    url = wiring.policies.kept_at()
    profile = wiring.files.profile(url) if url is not None else None
    if profile is not None and profile.ca_bundle:
        if not (own := Path(profile.ca_bundle)).is_file():
            text = f"ca_bundle of the S3 profile {profile.name}: there is no file at {own}."
            raise UsageError(text, hint="Instances are given the authorities as one file.")
        return own
    found = wiring.engines.ca_bundle() or Path(ssl.get_default_verify_paths().cafile or "")
    return found if found.is_file() else None


def presigner(wiring: Wiring, engine: Engine, artifacts: Artifacts) -> Presigner | None:
    """Who makes links for instances that share no files; None where they all do.

    Raises:
        UsageError: there is nobody who could, or the engine knows no such instances.
    """
    if wiring.settings.engine.shares_files:
        return None
    if engine.kind is not EngineKind.DOCKER:
        text = f"Instances on {engine.kind} share the files of this host."
        raise UsageError(text, hint="`engine.shares_files = false` is for Docker.")
    found = wiring.files.presigner(artifacts)
    if found is None:
        text = "Instances that share no files with this host need an object store, and the artifacts are in none."
        raise UsageError(text, hint="`artifacts.url = s3://BUCKET/PREFIX` puts them there.")
    return found
