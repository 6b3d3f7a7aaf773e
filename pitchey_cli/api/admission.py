"""Who asks, and whether they may. The only place where a request becomes somebody's."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from pitchey_cli.api.desk import Desk
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.access import ALL_ORGANISATIONS, Actor, Area, Role
from pitchey_cli.domain.errors import Denied
from pitchey_cli.domain.listening import is_name_of_this_machine
from pitchey_cli.operations import access

_USED_AT_MOST_EVERY = timedelta(minutes=1)  # that the last use of a token is written down


class SignOn(Protocol):
    """A way to say who one is, beside the tokens: a session of a sign-on server, for one."""

    async def actor(self, headers: Headers) -> Actor | None:
        """Who it is; None when the headers say nothing of this way.

        Raises:
            Unauthenticated: they do, and it is not true.
        """


class Admission:
    """Knows who asks: by a token, by another way to sign on, or because only this machine can ask."""

    def __init__(self, desk: Desk, sign_ons: Sequence[SignOn] = ()) -> None:
        self._desk = desk
        self._sign_ons = sign_ons
        self._noted: dict[str, float] = {}

    async def actor(self, connection: HTTPConnection) -> Actor:
        """Who asks.

        Raises:
            Unauthenticated: nobody who is known.
            Denied: a page of somebody else asks, where there are no tokens.
        """
        headers = connection.headers
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and shown.strip().startswith("pitchey_"):
            return await self._of_token(shown.strip())
        for sign_on in self._sign_ons:
            found = await sign_on.actor(headers)
            if found is not None:
                return found
        if "authorization" in headers or not self._is_open():
            raise access.nobody()
        self._refuse_strange_pages(headers)
        return Actor("somebody on this machine, without a token", Role.ADMIN, ALL_ORGANISATIONS, id="this machine")

    def _is_open(self) -> bool:
        """Whether it answers without a token: nobody ever made one or signs on, and only this machine gets here."""
        return self._desk.address.is_private and not self._sign_ons and not self._desk.gate.has_tokens()

    async def _of_token(self, text: str) -> Actor:
        at = self._desk.wiring.clock.now()
        actor = await self._desk.glance(lambda store: access.authenticate(store, text, now=at))
        now = time.monotonic()
        if now - self._noted.get(actor.id, -_USED_AT_MOST_EVERY.total_seconds()) >= _USED_AT_MOST_EVERY.total_seconds():
            self._noted[actor.id] = now
            writer, used_at = self._desk.writer, self._desk.wiring.clock.now()
            await writer.call(writer.store.note_token_used, actor.id, now=used_at)
        return actor

    def _refuse_strange_pages(self, headers: Headers) -> None:
        """Where no token is asked for, a browser on this machine must not be a way in for the pages that it shows."""
        host = headers.get("host", "")
        if not self._desk.address.path and not is_name_of_this_machine(host):
            raise Denied(
                f"{host[:100]!r} is no name of this machine.", hint="Ask for 127.0.0.1 or localhost, or use a token."
            )
        origin = headers.get("origin", "")
        if origin and origin.partition("://")[2] != host:
            raise Denied("A page of somebody else asks.", hint="`pitchey token add NAME` makes a token for it.")


def check(actor: Actor, role: Role, area: Area | None, *, of_all: bool) -> None:
    """Make sure that somebody may do something.

    Args:
        area: None where the token may be narrowed to anything.
        of_all: it is about the whole installation.

    Raises:
        Denied: says what it takes.
    """
    if not actor.role.includes(role):
        raise Denied(f"This takes the role {role}, and yours is {actor.role}.", hint="An admin can give it to you.")
    if area is not None and not actor.may(role, area):
        scopes = ", ".join(sorted(actor.areas))
        raise Denied(f"This is about {area}, and the token is only for {scopes}.", hint=f"It takes --scope {area}.")
    if of_all and not actor.is_of_all:
        raise Denied(
            f"That belongs to the whole installation, and not to {actor.organisation}.",
            hint="It takes a token of all organisations: `pitchey token add NAME --all-organisations`.",
        )


def too_many(retry_in_seconds: float) -> Refused:
    """Somebody has made more requests than they may."""
    text = "These are more requests than api.requests_per_minute lets one token make."
    hint = f"Try again in {retry_in_seconds:.1f} s."
    return Refused(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", text, hint=hint)
