"""Who may do what: organisations, roles, and the tokens that programs show. Pure: digests in, decisions out.

A token is `pitchey_<id>_<secret>`. The id finds its row; of the secret only the SHA-256 is kept. That is enough of a
hash: the secret is 260 random bits and no password, so there is nothing to guess, and nothing to be slow about.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from pitchey_cli.domain.job import JOB_ID_ALPHABET
from pitchey_cli.values import dataclass

ALL_ORGANISATIONS = ""  #: whoever is of no organisation works for the whole installation
TOKEN_PREFIX = "pitchey"
ID_LENGTH = 12
SECRET_LENGTH = 52  # letters of five bits each
_TOKEN = re.compile(rf"{TOKEN_PREFIX}_([{JOB_ID_ALPHABET}]{{{ID_LENGTH}}})_([{JOB_ID_ALPHABET}]{{{SECRET_LENGTH}}})")


class Role(StrEnum):
    """What somebody may do; each may do all that those before it may."""

    VIEWER = "viewer"  #: look
    SUBMITTER = "submitter"  #: submit jobs, and cancel or retry them
    OPERATOR = "operator"  #: budgets, schedules, dead letters, warm instances
    ADMIN = "admin"  #: members, tokens, webhooks, the audit log

    def includes(self, other: Role) -> bool:
        """Whether this one may do what the other may."""
        return _RANK[self] >= _RANK[other]


_RANK = {role: rank for rank, role in enumerate(Role)}


class Area(StrEnum):
    """What a token can be narrowed to: a part of what there is."""

    JOBS = "jobs"  #: jobs, batches, pipelines, dead letters, events
    SCHEDULES = "schedules"
    POOLS = "pools"  #: instances and scaling
    COST = "cost"  #: cost and budgets
    ACCESS = "access"  #: organisations, members, tokens, the audit log
    WEBHOOKS = "webhooks"
    SYSTEM = "system"  #: models, metrics


@dataclass(frozen=True)
class Actor:
    """Somebody who does something."""

    name: str  #: as the audit log has it: `token ci-runner (0123...)`, `user ada`
    role: Role
    organisation: str = ALL_ORGANISATIONS
    areas: frozenset[Area] = frozenset()  #: empty: all
    id: str = ""  #: of the token, the session or the address: what rates are counted by

    @property
    def is_of_all(self) -> bool:
        """Whether it works for the whole installation."""
        return self.organisation == ALL_ORGANISATIONS

    def may(self, role: Role, area: Area) -> bool:
        """Whether it may do what needs a role in an area."""
        return self.role.includes(role) and (not self.areas or area in self.areas)


@dataclass(frozen=True)
class Quota:
    """What an organisation may have at most; None: any number. What it may spend is a budget."""

    queued: int | None = None  #: jobs that wait
    running: int | None = None  #: jobs that run at once
    bytes: int | None = None  #: of the files that its jobs refer to


@dataclass(frozen=True)
class Use:
    """What of its quota an organisation has."""

    queued: int = 0
    running: int = 0
    bytes: int | None = None  #: None where there is no limit to it: nobody counts then


@dataclass(frozen=True)
class Organisation:
    """Somebody whose jobs, files and costs are apart from others'."""

    name: str
    created_at: datetime
    quota: Quota = Quota()


@dataclass(frozen=True)
class Member:
    """A person of an organisation, as a sign-on names it."""

    organisation: str
    name: str
    role: Role
    added_at: datetime


@dataclass(frozen=True)
class ApiToken:
    """A token without its secret."""

    id: str
    name: str
    organisation: str
    role: Role
    areas: frozenset[Area]
    member: str  #: whose it is, of the organisation: it may do no more than they may; empty: nobody's in particular
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    digest: str = field(default="", repr=False)  #: of the secret; not for showing

    def is_valid(self, now: datetime) -> bool:
        """Whether it has been neither revoked nor outlived."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True)
class AuditEntry:
    """Something that was changed, and by whom."""

    at: datetime
    actor: str
    organisation: str  #: whose things were changed; empty: the whole installation's
    action: str  #: submit, cancel, budget.set, token.add, ...
    target: str
    data: dict[str, object] = field(default_factory=dict)
    id: int = 0


def token_text(token_id: str, secret: str) -> str:
    """What a program shows."""
    return f"{TOKEN_PREFIX}_{token_id}_{secret}"


def parts_of(text: str) -> tuple[str, str] | None:
    """The id and the secret of a token; None of what is none."""
    found = _TOKEN.fullmatch(text)
    return (found[1], found[2]) if found else None


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_secret_of(token: ApiToken | None, secret: str) -> bool:
    """Whether a secret is that of a token. It takes as long for a token that there is not."""
    kept = token.digest if token is not None else "0" * 64
    return hmac.compare_digest(kept, digest_of(secret)) and token is not None


def least(one: Role, other: Role) -> Role:
    """What two roles may both do."""
    return one if other.includes(one) else other
