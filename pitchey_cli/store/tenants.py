"""The part of the store's port that is about organisations, their members and tokens, and what they do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # `pitchey status` starts without
    from pitchey_cli.domain.access import ApiToken, AuditEntry, Member, Organisation, Quota, Role, Use


class Tenants(Protocol):
    """Who there is, and what they have done. What somebody may do is decided in domain/access.py."""

    def add_organisation(self, name: str, *, now: datetime) -> bool:
        """Make an organisation known; False when it is already."""

    def organisations(self) -> Sequence[Organisation]:
        """Those that are known, by name. Jobs may be of others: a name is enough for them."""

    def organisation(self, name: str) -> Organisation:
        """One organisation; InputNotFound when it is not known."""

    def use_of(self, name: str, quota: Quota) -> Use:
        """What an organisation has of what it may have. Jobs that wait are counted to just beyond the quota."""

    def set_quota(self, name: str, quota: Quota) -> None:
        """Bound what an organisation may have; InputNotFound when it is not known."""

    def remove_organisation(self, name: str, *, now: datetime) -> bool:
        """Forget an organisation with its members and its quota, and revoke its tokens; False when it is not known."""

    def set_member(self, organisation: str, member: str, role: Role, *, now: datetime) -> None:
        """Give a member a role, in place of the one before; InputNotFound when the organisation is not known."""

    def remove_member(self, organisation: str, member: str) -> bool:
        """Forget a member; False when there is none of that name."""

    def members(self, organisation: str) -> Sequence[Member]:
        """The members of an organisation, by name."""

    def member(self, organisation: str, name: str) -> Member | None:
        """One member."""

    def add_token(self, token: ApiToken) -> None:
        """Keep a token with the digest of its secret; InputNotFound when its organisation is not known."""

    def tokens(self, *, organisation: str | None = None) -> Sequence[ApiToken]:
        """Tokens, the oldest first, without their digests.

        Args:
            organisation: only of this one; empty: of the whole installation; None: all.
        """

    def token(self, token_id: str) -> ApiToken | None:
        """One token, with its digest."""

    def has_tokens(self) -> bool:
        """Whether there was ever one. Costs microseconds."""

    def revoke_token(self, token_id: str, *, now: datetime) -> bool:
        """End a token for good; False when there is none, or it has been already."""

    def note_token_used(self, token_id: str, *, now: datetime) -> None:
        """Remember when a token was used last."""

    def note_action(self, entry: AuditEntry) -> None:
        """Add to the audit log. What is in it is never changed, and never removed: the database itself refuses."""

    def audit_log(
        self, *, organisation: str | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[AuditEntry]:
        """What was done, the newest first.

        Args:
            organisation: only to what is of this one; None: everything.
        """
