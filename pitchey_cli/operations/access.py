"""Organisations, their members, and the tokens that programs show."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from pitchey_cli.domain.access import (
    ID_LENGTH,
    SECRET_LENGTH,
    Actor,
    ApiToken,
    Area,
    Quota,
    Role,
    digest_of,
    is_secret_of,
    least,
    parts_of,
    token_text,
)
from pitchey_cli.domain.errors import Denied, InputNotFound, Unauthenticated, UsageError
from pitchey_cli.domain.job import JOB_ID_ALPHABET
from pitchey_cli.domain.moments import span
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.operations.naming import name
from pitchey_cli.store.port import Store

E = TypeVar("E", bound=StrEnum)
_NO_TOKEN = "Show a token: Authorization: Bearer pitchey_...; `pitchey token add NAME` makes one."


def role_named(text: str) -> Role:
    """A role by its name."""
    return _one_of(Role, text, "role")


def areas_named(texts: Collection[str]) -> frozenset[Area]:
    """Areas by their names."""
    return frozenset(_one_of(Area, text, "area") for text in texts)


def _one_of(kind: type[E], text: str, what: str) -> E:
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"There is no {what} {text!r}.", hint=f"There are {', '.join(kind)}.") from None


# --- organisations and members


def add_organisation(store: Store, text: str, *, now: datetime) -> bool:
    """Make an organisation known; False when it is already."""
    return store.add_organisation(_name(text, "the organisation"), now=now)


def remove_organisation(store: Store, organisation: str, *, now: datetime) -> None:
    """Forget an organisation: its tokens end. Its jobs stay.

    Raises:
        UsageError: it is that of all jobs that name none.
        InputNotFound: it is not known.
    """
    if organisation == DEFAULT_ORGANISATION:
        hint = "`pitchey token revoke`, `pitchey role revoke` and `pitchey org quota` take from it what it has."
        raise UsageError(f"{organisation} is the organisation of all jobs that name none, and stays.", hint=hint)
    if not store.remove_organisation(organisation, now=now):
        raise InputNotFound(f"There is no organisation {organisation!r}.", hint="`pitchey org list` names them.")


def set_quota(store: Store, organisation: str, **bounds: int | None) -> Quota:
    """Change some of an organisation's bounds.

    Args:
        bounds: queued, running, bytes; a negative one takes the bound away, None leaves it.
    """
    with store.transaction():
        before = store.organisation(organisation).quota
        said = {key: None if value < 0 else value for key, value in bounds.items() if value is not None}
        after = replace(before, **said)
        if after != before:
            store.set_quota(organisation, after)
    return after


def grant(store: Store, organisation: str, member: str, role: Role, *, now: datetime) -> None:
    """Give a member a role."""
    store.set_member(organisation, _name(member, "the member", most=200), role, now=now)


def revoke_role(store: Store, organisation: str, member: str) -> None:
    """Forget a member: their tokens may do nothing any more.

    Raises:
        InputNotFound: there is none of that name.
    """
    if not store.remove_member(organisation, member):
        hint = f"`pitchey role list --organisation {organisation}` names them."
        raise InputNotFound(f"{organisation} has no member {member!r}.", hint=hint)


# --- tokens


def add_token(
    store: Store,
    by: Actor | None,
    text: str,
    *,
    organisation: str,
    role: Role,
    areas: frozenset[Area] = frozenset(),
    member: str = "",
    lasts: str = "",
    now: datetime,
) -> tuple[ApiToken, str]:
    """Make a token.

    Args:
        by: who makes it: it may do no more than they may; None: whoever owns the machine.
        organisation: empty for the whole installation.
        lasts: for how long, as 90d; empty: until it is revoked.

    Returns:
        The token, and what a program shows; that is kept nowhere.

    Raises:
        Denied: it would be able to do more than whoever makes it.
        InputNotFound: there is no such organisation, or it has no such member.
    """
    if by is not None and not _is_within(by, role, areas):
        areas_too = f", and for {', '.join(sorted(by.areas))}" if by.areas else ""
        hint = f"Ask for {by.role}{areas_too}, or use a token that may do more."
        raise Denied(f"A token that is made with this one may do no more than it: {by.role} at most.", hint=hint)
    if member and organisation and store.member(organisation, member) is None:
        hint = f"`pitchey role grant {member} ROLE --organisation {organisation}` makes them one."
        raise InputNotFound(f"{organisation} has no member {member!r}.", hint=hint)
    if member and not organisation:
        raise UsageError("A member is of an organisation.", hint="Name it with --organisation.")
    secret = letters(SECRET_LENGTH)
    token = ApiToken(
        id=letters(ID_LENGTH),
        name=_name(text, "the token"),
        organisation=organisation,
        role=role,
        areas=areas,
        member=member,
        created_at=now,
        expires_at=now + span(lasts, what="--expires") if lasts else None,
        digest=digest_of(secret),
    )
    store.add_token(token)
    return replace(token, digest=""), token_text(token.id, secret)


def _is_within(by: Actor, role: Role, areas: frozenset[Area]) -> bool:
    return by.role.includes(role) and (not by.areas or bool(areas and areas <= by.areas))


def revoke_token(store: Store, text: str, *, now: datetime) -> ApiToken:
    """End a token for good.

    Args:
        text: its id, or its name where only one that is not revoked has it.

    Raises:
        InputNotFound: there is none.
        UsageError: several have the name.
    """
    found = [each for each in store.tokens() if each.revoked_at is None and text in (each.id, each.name)]
    found = [each for each in found if each.id == text] or found
    if not found:
        raise InputNotFound(f"There is no token {text!r}.", hint="`pitchey token list` shows them.")
    if len(found) > 1:
        raise UsageError(f"{len(found)} tokens are called {text!r}.", hint=f"Say which: {_ids(found)}.")
    store.revoke_token(found[0].id, now=now)
    return found[0]


def _ids(tokens: Sequence[ApiToken]) -> str:
    return ", ".join(each.id for each in tokens)


def authenticate(store: Store, text: str, *, now: datetime) -> Actor:
    """Who shows a token.

    Raises:
        Unauthenticated: it is none, nobody's, expired or revoked. Which of these is told to whoever knows the secret.
    """
    parts = parts_of(text)
    token_id, secret = parts or ("", "")
    token = store.token(token_id)
    is_theirs = is_secret_of(token, secret)  # asked in any case: it is as much work for a token that there is not
    if token is None or not is_theirs:
        raise Unauthenticated("Nobody knows this token.", hint=_NO_TOKEN)
    if token.revoked_at is not None:
        raise Unauthenticated(f"The token {token.name!r} has been revoked.", hint=_NO_TOKEN)
    if not token.is_valid(now):
        text = f"The token {token.name!r} has expired"
        raise Unauthenticated(f"{text}, at {token.expires_at:%Y-%m-%d %H:%M} UTC.", hint=_NO_TOKEN)
    role = token.role
    if token.member:
        member = store.member(token.organisation, token.member)
        if member is None:
            hint = f"`pitchey role grant {token.member} ROLE --organisation {token.organisation}` makes them one."
            raise Unauthenticated(f"{token.member} is no member of {token.organisation} any more.", hint=hint)
        role = least(role, member.role)
    return Actor(f"token {token.name} ({token.id})", role, token.organisation, token.areas, token.id)


def nobody() -> Unauthenticated:
    """What to say to whoever shows no token."""
    return Unauthenticated("This takes a token.", hint=_NO_TOKEN)


def letters(count: int) -> str:
    """So many random letters."""
    # 32 letters: five bits of a random byte choose one, each as likely as the others.
    return "".join(JOB_ID_ALPHABET[byte & 31] for byte in secrets.token_bytes(count))


def _name(text: str, what: str, *, most: int = 100) -> str:
    if not text or len(text) > most:
        hint = "Say one." if not text else "Say a shorter one."
        raise UsageError(f"The name of {what} has 1 to {most} characters, and not {len(text)}.", hint=hint)
    if not text.isprintable():
        raise UsageError(f"{what}: {text[:40]!r} is no name.", hint="Printable characters.")
    return name(text, what) if most <= 100 else text
