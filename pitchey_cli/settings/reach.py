"""Settings of who reaches this machine, and of what it reaches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from pitchey_cli.domain.limits import GIB, MIB
from pitchey_cli.settings.setting import setting
from pitchey_cli.values import dataclass


@dataclass(frozen=True)
class ApiSettings:
    """How the daemon is asked over HTTP."""

    listen: str = setting("", "HOST:PORT or unix:PATH to serve the API on; empty: none. --api goes before it.")
    tls_cert: str = setting("", "File with the certificate for TLS, as PEM; --tls-cert goes before it.")
    tls_key: str = setting("", "File with its key, where that is another one; --tls-key goes before it.")
    requests_per_minute: int = setting(30_000, "Of one token; more are answered with 429.", least=1)
    body_bytes: int = setting(4 * MIB, "Largest body without files; of files the limit is input_bytes.", least=1024)
    request_seconds: float = setting(30.0, "Longest time for an answer, and between two pieces of a body.", least=1)
    wait_seconds: float = setting(60.0, "Longest ?wait= for a job.", least=0, most=3600)
    upload_hours: float = setting(24.0, "How long an upload is kept that nobody goes on with.", least=0.01)
    upload_bytes: int = setting(64 * GIB, "Of one organisation's uploads that no job has taken yet.", least=1024)


@dataclass(frozen=True)
class SignOnSettings:
    """Another server that knows people: a Better Auth. Its sessions and tokens are good for the API."""

    url: str = setting("", "Where it answers, as https://app.example/api/auth; empty: there is none.")
    roles: str = setting("owner=admin,admin=admin,member=submitter", "What its roles mean: THEIRS=OURS,THEIRS=OURS.")
    organisations: str = setting("", "What its organisations are called here: ID=NAME,ID=NAME; others are nobody.")
    slugs: bool = setting(
        False, "Any other organisation is called here as there. Only where strangers cannot make organisations there."
    )
    origins: str = setting("", "Pages that may use its cookie here, as https://app.example; with commas between.")
    audience: str = setting("pitchey", "For whom its JWTs have to be made.")
    issuer: str = setting("", "By whom its JWTs have to be made; empty: the scheme and host of url.")
    cache_seconds: float = setting(30.0, "How long what it said of a session is believed.", least=0, most=3600)


@dataclass(frozen=True)
class NetworkSettings:
    """Where inputs may be fetched from."""

    allow_private_urls: bool = setting(False, "Let inputs come from private and loopback addresses.")


@dataclass(frozen=True)
class S3Settings:
    """Buckets that inputs come from and outputs go to. These keys are the profile `default`."""

    endpoint_url: str = setting("", "Where the server answers; empty: Amazon's own.")
    region: str = setting("", "Its region; R2 takes auto.")
    access_key: str = setting("", "Whose name requests carry; empty: boto3 looks where it always does.", is_secret=True)
    secret_key: str = setting("", "What they are signed with.", is_secret=True)
    session_token: str = setting("", "That comes with keys which last for a while.", is_secret=True)
    path_style: bool = setting(False, "The bucket is part of the path, as MinIO and SeaweedFS have it.")
    checksums: bool = setting(True, "False for servers that know nothing of x-amz-checksum.")
    ca_bundle: str = setting("", "That has signed the certificate of the server; empty: the usual ones.")
    profile: str = setting("default", "The profile of s3:// URLs that name none.")
    organisations: str = setting(
        "", "Whose jobs may use which profiles: acme=media+archive; `default` may use all, others none."
    )
    #: tables by name, each with the keys of a profile; of the file alone, and checked by whoever uses them
    profiles: Mapping[str, Any] = field(default_factory=dict, metadata={"is_table": True})


@dataclass(frozen=True)
class ArtifactSettings:
    """Where files are kept."""

    url: str = setting("", "s3://bucket/prefix/ to keep them in a bucket that nodes share; empty: on this disk.")
    cache_bytes: int = setting(20 * GIB, "Of them on this disk, when they are kept in a bucket.", least=0)


@dataclass(frozen=True)
class WebhookSettings:
    """How other programs are told."""

    allow_private: bool = setting(False, "Let webhooks go to private and loopback addresses.")
    keep_days: float = setting(7.0, "Deliveries that have ended are listed for so long.", least=0.1, most=3650)
