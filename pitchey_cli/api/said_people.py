"""What is said of organisations, members, tokens and the audit log; see said.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pitchey_cli.api.route import Said
from pitchey_cli.domain.access import Area, Role


class QuotaSaid(Said):
    """What an organisation may have; null is any number."""

    queued: int | None
    running: int | None
    bytes: int | None


class OrganisationSaid(Said):
    """An organisation."""

    schema_: int = Field(alias="schema")
    name: str
    created_at: datetime
    quota: QuotaSaid


class OrganisationsSaid(Said):
    """Organisations."""

    organisations: list[OrganisationSaid]


class MemberSaid(Said):
    """A member."""

    schema_: int = Field(alias="schema")
    organisation: str
    member: str
    role: Role
    added_at: datetime


class MembersSaid(Said):
    """Members."""

    members: list[MemberSaid]


class TokenSaid(Said):
    """A token, without its secret."""

    schema_: int = Field(alias="schema")
    id: str
    name: str
    organisation: str | None
    role: Role
    scopes: list[Area]
    member: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewTokenSaid(TokenSaid):
    """A token that has just been made, as a program shows it."""

    token: str


class TokensSaid(Said):
    """Tokens."""

    tokens: list[TokenSaid]


class ActorSaid(Said):
    """Who asks."""

    name: str
    organisation: str | None
    role: Role
    scopes: list[Area]


class AuditEntrySaid(Said):
    """A line of the audit log."""

    schema_: int = Field(alias="schema")
    id: int
    at: datetime
    actor: str
    organisation: str | None
    action: str
    target: str
    data: dict[str, Any]


class AuditSaid(Said):
    """The audit log, the newest first."""

    entries: list[AuditEntrySaid]
    next: str | None
