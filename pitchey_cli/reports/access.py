"""Organisations, members, tokens and the audit log, for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from pitchey_cli.domain.access import ApiToken, AuditEntry, Member, Organisation, Quota
from pitchey_cli.reports.as_json import SCHEMA, time
from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import ago, size


def organisation(value: Organisation) -> dict[str, Any]:
    """One organisation."""
    quota = value.quota
    return {
        "schema": SCHEMA,
        "name": value.name,
        "createdAt": time(value.created_at),
        "quota": {"queued": quota.queued, "running": quota.running, "bytes": quota.bytes},
    }


def member(value: Member) -> dict[str, Any]:
    """One member."""
    added = time(value.added_at)
    return {
        "schema": SCHEMA,
        "organisation": value.organisation,
        "member": value.name,
        "role": value.role,
        "addedAt": added,
    }


def token(value: ApiToken) -> dict[str, Any]:
    """One token, without its secret."""
    return {
        "schema": SCHEMA,
        "id": value.id,
        "name": value.name,
        "organisation": value.organisation or None,
        "role": value.role,
        "scopes": sorted(value.areas),
        "member": value.member or None,
        "createdAt": time(value.created_at),
        "expiresAt": time(value.expires_at),
        "lastUsedAt": time(value.last_used_at),
        "revokedAt": time(value.revoked_at),
    }


def audit_entry(value: AuditEntry) -> dict[str, Any]:
    """One line of the audit log."""
    return {
        "schema": SCHEMA,
        "id": value.id,
        "at": time(value.at),
        "actor": value.actor,
        "organisation": value.organisation or None,
        "action": value.action,
        "target": value.target,
        "data": value.data,
    }


def organisations(found: Sequence[Organisation]) -> Table:
    """A table of organisations."""
    table = plain_table("organisation", "queued", "running", "files")
    for each in found:
        quota = each.quota
        files = "" if quota.bytes is None else size(quota.bytes)
        table.add_row(cell(each.name), _bound(quota.queued), _bound(quota.running), files)
    return table


def members(found: Sequence[Member]) -> Table:
    """A table of members."""
    table = plain_table("member", "role", "since")
    for each in found:
        table.add_row(cell(each.name), each.role, f"{each.added_at:%Y-%m-%d}")
    return table


def tokens(found: Sequence[ApiToken], *, now: datetime) -> Table:
    """A table of tokens."""
    table = plain_table("id", "name", "organisation", "role", "scopes", "last used", "state")
    for each in found:
        used = "never" if each.last_used_at is None else ago(each.last_used_at, now)
        owner = f"{each.organisation or 'all'}{f' ({each.member})' if each.member else ''}"
        scopes = " ".join(sorted(each.areas)) or "all"
        table.add_row(each.id, cell(each.name), cell(owner), each.role, scopes, used, _state(each, now))
    return table


def audit(found: Sequence[AuditEntry]) -> Table:
    """A table of the audit log."""
    table = plain_table("at", "who", "organisation", "what", "to", "more")
    for each in found:
        more = ", ".join(f"{key} {_said(value)}" for key, value in each.data.items())
        texts = (each.actor, each.organisation or "-", each.action, each.target, more)
        table.add_row(f"{each.at:%Y-%m-%d %H:%M:%S}", *map(cell, texts))
    return table


def token_sentence(value: ApiToken) -> str:
    """What a token is for, to whoever has made it."""
    whom = f"for {value.organisation}" if value.organisation else "for all organisations"
    until = f", until {value.expires_at:%Y-%m-%d %H:%M} UTC" if value.expires_at else ""
    scopes = f", only for {', '.join(sorted(value.areas))}" if value.areas else ""
    ends = f"`pitchey token revoke {value.id}` ends it."
    article = "an" if value.role[0] in "aeiou" else "a"
    return f"It is {article} {value.role} {whom}{scopes}{until}, and is shown this once. {ends}"


def quota_sentence(name: str, quota: Quota) -> str:
    """What an organisation may have."""
    bounds = [
        f"{quota.queued:,} jobs that wait" if quota.queued is not None else "",
        f"{quota.running:,} that run" if quota.running is not None else "",
        f"{size(quota.bytes)} of files" if quota.bytes is not None else "",
    ]
    said = ", ".join(filter(None, bounds))
    return f"{name} may have {said}." if said else f"{name} may have as much as there is."


def _said(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _bound(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _state(value: ApiToken, now: datetime) -> str:
    if value.revoked_at is not None:
        return "revoked"
    if value.expires_at is None:
        return "valid"
    return f"until {value.expires_at:%Y-%m-%d}" if value.is_valid(now) else "expired"
