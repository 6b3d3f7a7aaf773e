"""Settings of who reaches this machine, and of what it reaches."""

from __future__ import annotations

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
class WebhookSettings:
    """How other programs are told."""

    allow_private: bool = setting(False, "Let webhooks go to private and loopback addresses.")
    keep_days: float = setting(7.0, "Deliveries that have ended are listed for so long.", least=0.1, most=3650)
