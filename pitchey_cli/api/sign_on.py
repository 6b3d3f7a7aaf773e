"""Signing on with a Better Auth: its cookie, its bearer token, or a JWT that it has signed.

A cookie and a bearer token are a session, which its server is asked about, and then believed for a while; that somebody
signed out is seen when that while is over. A JWT is checked here, with the keys that the server publishes, and holds
until it expires. Who somebody is here, the settings `sign_on.*` say (domain/sign_on.py); their organisation has to be
known.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import httpx
import jwt
from pydantic_core import from_json
from starlette.datastructures import Headers

from pitchey_cli.api.desk import Desk
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.access import Actor
from pitchey_cli.domain.errors import Denied, InputNotFound, Unauthenticated
from pitchey_cli.domain.sign_on import Person, Terms, origin_of

_COOKIES = ("better-auth.session_token=", "__Secure-better-auth.session_token=")
#: asymmetric ones alone: with a shared secret whoever can check a token could make one
_ALGORITHMS = ("EdDSA", "ES256", "ES512", "PS256", "RS256")
_PATIENCE_SECONDS = 5.0
_ANSWER_BYTES = 1 << 20
_KEYS_SECONDS = 300.0
_KEYS_AGAIN_SECONDS = 10.0  # an unknown key is a new one, or made up: the server is asked again, but not for each
_MOST_REMEMBERED = 10_000


class Nobody(Unauthenticated):
    """The sign-on server knows nobody by what was shown."""


@dataclass
class BetterAuth:
    """Knows people by what their sign-on server says of them."""

    desk: Desk
    terms: Terms
    client: httpx.AsyncClient
    _remembered: OrderedDict[bytes, tuple[float, Person]] = field(default_factory=OrderedDict)
    _asking: dict[bytes, asyncio.Task[Person]] = field(default_factory=dict)
    _keys: jwt.PyJWKSet | None = None
    _keys_at: float = float("-inf")

    async def actor(self, headers: Headers) -> Actor | None:
        """Who it is; None when nothing of that server is shown.

        Raises:
            Unauthenticated: it knows nobody by that.
            Denied: it does, and they are nobody here; or a strange page uses the cookie of whoever looks at it.
            Refused: the sign-on server does not answer.
        """
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and (bearer := shown.strip()):
            person = await (
                self._of_jwt(bearer) if bearer.count(".") == 2 else self._of_session(f"Bearer {bearer}", "")
            )
        elif cookie := _cookie(headers.get("cookie", "")):
            self._refuse_strange_pages(headers)
            person = await self._of_session("", cookie)
        else:
            return None
        actor = self.terms.actor(person)
        try:
            self.desk.gate.organisation(actor.organisation)
        except InputNotFound as error:
            hint = f"`pitchey org add {actor.organisation}` makes it known; sign_on.organisations maps names."
            raise Denied(f"The organisation {actor.organisation!r} is not known here.", hint=hint) from error
        return actor

    def _refuse_strange_pages(self, headers: Headers) -> None:
        """A browser sends its cookies whoever's page asks; the page is told by Origin, which no page can forge."""
        origin = headers.get("origin", "")
        is_own = not origin or urlsplit(origin).netloc == headers.get("host", "")
        if not is_own and origin not in self.terms.origins:
            raise Denied(
                f"A page of {origin[:100]} may not use the session.", hint="The setting sign_on.origins says which may."
            )

    # --- sessions

    async def _of_session(self, bearer: str, cookie: str) -> Person:
        key = hashlib.sha256(f"{bearer}\0{cookie}".encode()).digest()
        known = self._remembered.get(key)
        if known is not None and time.monotonic() - known[0] < self.terms.cache_seconds:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:  # many requests of one page come at once: the server is asked once
            asking = self._asking[key] = asyncio.create_task(self._ask_session(bearer, cookie))
            asking.add_done_callback(lambda done: self._note(key, done))
        return await asyncio.shield(asking)

    def _note(self, key: bytes, done: asyncio.Task[Person]) -> None:
        self._asking.pop(key, None)
        self._remembered.pop(key, None)
        if done.cancelled() or done.exception() is not None:
            return
        self._remembered[key] = (time.monotonic(), done.result())
        while len(self._remembered) > _MOST_REMEMBERED:
            self._remembered.popitem(last=False)

    async def _ask_session(self, bearer: str, cookie: str) -> Person:
        shown = {"Authorization": bearer} if bearer else {"Cookie": cookie}
        found = await self._ask("/get-session", shown)
        if not isinstance(found, dict):  # it answers 200 with null where it knows nobody
            raise Nobody("The sign-on server knows no such session.", hint="Sign in there again.")
        user, session = found["user"], found["session"]
        active = session.get("activeOrganizationId") or ""
        if not active:
            return Person(user["id"], user.get("email") or user["name"])
        organisations, member = await asyncio.gather(
            self._ask("/organization/list", shown), self._ask("/organization/get-active-member-role", shown)
        )
        slug = next((each["slug"] for each in organisations if each["id"] == active), "")
        return Person(user["id"], user.get("email") or user["name"], slug, active, _roles(member["role"]))

    async def _ask(self, path: str, shown: Mapping[str, str]) -> Any:
        headers = {"Origin": origin_of(self.terms.url), **shown}
        body = bytearray()
        try:
            async with (
                asyncio.timeout(_PATIENCE_SECONDS),
                self.client.stream("GET", f"{self.terms.url}{path}", headers=headers) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > _ANSWER_BYTES:
                        raise _silent()
        except (httpx.HTTPError, TimeoutError) as error:
            raise _silent() from error
        if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise Nobody("The sign-on server knows no such session.", hint="Sign in there again.")
        if answer.status_code != HTTPStatus.OK:
            raise _silent()
        try:
            return from_json(bytes(body))
        except ValueError as error:
            raise _silent() from error

    # --- JWTs

    async def _of_jwt(self, text: str) -> Person:
        try:
            head = jwt.get_unverified_header(text)
            key = await self._key(str(head.get("kid", "")))
            claims = jwt.decode(
                text,
                key,
                algorithms=_ALGORITHMS,
                audience=self.terms.audience,
                issuer=self.terms.issuer,
                options={"require": ["exp", "sub", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Nobody("This JWT has expired.", hint="GET /token of the sign-on server gives another.") from error
        except jwt.PyJWTError as error:
            raise Nobody(
                f"This JWT is not valid: {error}.", hint="It is to be signed by the sign-on server."
            ) from error
        said = {name: value for name, value in claims.items() if isinstance(value, str)}
        name = said.get("email") or said.get("name") or said["sub"]
        organisation, organisation_id = said.get("organisation", ""), said.get("organisationId", "")
        return Person(said["sub"], name, organisation, organisation_id, _roles(said.get("role", "")))

    async def _key(self, kid: str) -> jwt.PyJWK:
        """The key that the server signs with, of those that it publishes."""
        age = time.monotonic() - self._keys_at
        if age > _KEYS_SECONDS or (age > _KEYS_AGAIN_SECONDS and self._published(kid) is None):
            self._keys, self._keys_at = jwt.PyJWKSet.from_dict(await self._ask("/jwks", {})), time.monotonic()
        key = self._published(kid)
        if key is None:
            raise jwt.InvalidKeyError("nobody knows the key that it is signed with")
        return key

    def _published(self, kid: str) -> jwt.PyJWK | None:
        return next((key for key in self._keys.keys if key.key_id == kid), None) if self._keys else None


def made(desk: Desk, terms: Terms) -> BetterAuth:
    """The sign-on server that is set."""
    client = httpx.AsyncClient(follow_redirects=False, timeout=_PATIENCE_SECONDS, trust_env=False)
    return BetterAuth(desk, terms, client)


def _cookie(header: str) -> str:
    """Of all cookies only the session's is shown to the sign-on server."""
    return next((part for part in (part.strip() for part in header.split(";")) if part.startswith(_COOKIES)), "")


def _roles(text: str) -> tuple[str, ...]:
    """Somebody may have several, with commas between."""
    return tuple(filter(None, (role.strip() for role in text.split(","))))


def _silent() -> Refused:
    text = "The sign-on server does not answer as it should, so nobody knows who this is."
    return Refused(
        HTTPStatus.SERVICE_UNAVAILABLE, "sign-on", text, hint="Try again, or use a token of `pitchey token add`."
    )
