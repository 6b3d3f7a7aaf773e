"""Organisations, members, tokens and the audit log in the store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.store import rows
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.reading import Reader

if TYPE_CHECKING:  # what `pitchey status` does not need is loaded when it is called
    from pitchey_cli.domain.access import ApiToken, AuditEntry, Member, Organisation, Quota, Role, Use

_END = 2**63 - 1


class Tenancy(Reader):
    """Who there is, in a store."""

    def add_organisation(self, name: str, *, now: datetime) -> bool:
        """Make an organisation known; False when it is already."""
        row = self._db.row(QUERIES["insert_organisation"], {"name": name, "now": rows.micros(now)})
        return row is not None

    def organisations(self) -> Sequence[Organisation]:
        """Those that are known, by name."""
        return [_organisation(row) for row in self._db.rows(QUERIES["organisations"])]

    def organisation(self, name: str) -> Organisation:
        """One organisation; InputNotFound when it is not known."""
        row = self._db.row(QUERIES["organisation"], {"name": name})
        if row is None:
            raise _unknown(name)
        return _organisation(row)

    def use_of(self, name: str, quota: Quota) -> Use:
        """What an organisation has of what it may have."""
        from pitchey_cli.domain.access import Use

        queued = self._db.value(QUERIES["queued_of_organisation"], {"organisation": name})
        for state in ("scheduled", "held"):
            limit = _END if quota.queued is None else max(0, quota.queued + 1 - queued)
            question = {"state": state, "organisation": name, "limit": limit}
            queued += self._db.value(QUERIES["waiting_of_organisation"], question)
        of_all = {row["name"]: row["running"] for row in self._db.rows(QUERIES["running_quotas"])}
        row = self._db.row(QUERIES["organisation"], {"name": name})
        return Use(queued, of_all.get(name, 0), None if row is None else row["bytes"])

    def set_quota(self, name: str, quota: Quota) -> None:
        """Bound what an organisation may have; InputNotFound when it is not known."""
        bounds = {"queued": quota.queued, "running": quota.running, "bytes": quota.bytes}
        if self._db.row(QUERIES["set_quota"], {"name": name, **bounds}) is None:
            raise _unknown(name)

    def remove_organisation(self, name: str, *, now: datetime) -> bool:
        """Forget an organisation with its members and its quota, and revoke its tokens; False when it is not known."""
        with self._db.transaction():
            self._db.run(QUERIES["revoke_tokens_of"], {"organisation": name, "now": rows.micros(now)})
            return self._db.row(QUERIES["remove_organisation"], {"name": name}) is not None

    def set_member(self, organisation: str, member: str, role: Role, *, now: datetime) -> None:
        """Give a member a role, in place of the one before; InputNotFound when the organisation is not known."""
        with self._db.transaction():
            self.organisation(organisation)
            self._db.run(QUERIES["set_member"], (organisation, member, role.value, rows.micros(now)))

    def remove_member(self, organisation: str, member: str) -> bool:
        """Forget a member; False when there is none of that name."""
        key = {"organisation": organisation, "member": member}
        return self._db.row(QUERIES["remove_member"], key) is not None

    def members(self, organisation: str) -> Sequence[Member]:
        """The members of an organisation, by name."""
        return [_member(row) for row in self._db.rows(QUERIES["members"], {"organisation": organisation})]

    def member(self, organisation: str, name: str) -> Member | None:
        """One member."""
        row = self._db.row(QUERIES["member"], {"organisation": organisation, "member": name})
        return None if row is None else _member(row)

    def add_token(self, token: ApiToken) -> None:
        """Keep a token with the digest of its secret; InputNotFound when its organisation is not known."""
        with self._db.transaction():
            if token.organisation:
                self.organisation(token.organisation)
            self._db.run(
                QUERIES["insert_token"],
                (
                    token.id,
                    token.name,
                    token.organisation,
                    token.role.value,
                    ",".join(sorted(token.areas)),
                    token.member,
                    token.digest,
                    rows.micros(token.created_at),
                    rows.micros_or_none(token.expires_at),
                ),
            )

    def tokens(self, *, organisation: str | None = None) -> Sequence[ApiToken]:
        """Tokens, the oldest first, without their digests."""
        found = self._db.rows(QUERIES["tokens"], {"organisation": organisation})
        return [replace(_token(row), digest="") for row in found]

    def token(self, token_id: str) -> ApiToken | None:
        """One token, with its digest."""
        row = self._db.row(QUERIES["token"], {"token_id": token_id})
        return None if row is None else _token(row)

    def has_tokens(self) -> bool:
        """Whether there was ever one. Costs microseconds."""
        return bool(self._db.value(QUERIES["has_tokens"]))

    def revoke_token(self, token_id: str, *, now: datetime) -> bool:
        """End a token for good; False when there is none, or it has been already."""
        change = {"token_id": token_id, "now": rows.micros(now)}
        return self._db.row(QUERIES["revoke_token"], change) is not None

    def note_token_used(self, token_id: str, *, now: datetime) -> None:
        """Remember when a token was used last."""
        self._db.run(QUERIES["note_token_used"], {"token_id": token_id, "now": rows.micros(now)})

    def note_action(self, entry: AuditEntry) -> None:
        """Add to the audit log."""
        told = (entry.actor, entry.organisation, entry.action, entry.target, rows.encode(entry.data))
        self._db.run(QUERIES["insert_audit"], (rows.micros(entry.at), *told))

    def audit_log(
        self, *, organisation: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[AuditEntry]:
        """What was done, the newest first."""
        question = {"before_id": _END if before_id is None else before_id, "limit": limit}
        if organisation is None:
            found = self._db.rows(QUERIES["audit_log"], question)
        else:
            found = self._db.rows(QUERIES["audit_log_of"], {**question, "organisation": organisation})
        return [_entry(row) for row in found]


def _unknown(name: str) -> InputNotFound:
    hint = f"`pitchey org list` names them, `pitchey org add {name}` makes it known."
    return InputNotFound(f"There is no organisation {name!r}.", hint=hint)


def _organisation(row: rows.Row) -> Organisation:
    from pitchey_cli.domain.access import Organisation, Quota

    quota = Quota(row["most_queued"], row["most_running"], row["most_bytes"])
    return Organisation(row["name"], rows.moment(row["created_at"]), quota)


def _member(row: rows.Row) -> Member:
    from pitchey_cli.domain.access import Member, Role

    return Member(row["organisation"], row["member"], Role(row["role"]), rows.moment(row["added_at"]))


def _token(row: rows.Row) -> ApiToken:
    from pitchey_cli.domain.access import ApiToken, Area, Role

    return ApiToken(
        id=row["id"],
        name=row["name"],
        organisation=row["organisation"],
        role=Role(row["role"]),
        areas=frozenset(Area(name) for name in row["areas"].split(",") if name),
        member=row["member"],
        created_at=rows.moment(row["created_at"]),
        expires_at=rows.moment_or_none(row["expires_at"]),
        last_used_at=rows.moment_or_none(row["last_used_at"]),
        revoked_at=rows.moment_or_none(row["revoked_at"]),
        digest=row["digest"],
    )


def _entry(row: rows.Row) -> AuditEntry:
    from pitchey_cli.domain.access import AuditEntry

    return AuditEntry(
        at=rows.moment(row["at"]),
        actor=row["actor"],
        organisation=row["organisation"],
        action=row["action"],
        target=row["target"],
        data=json.loads(row["data"]),
        id=row["id"],
    )
