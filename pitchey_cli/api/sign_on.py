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
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import jwt
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import from_json
from starlette.datastructures import Headers

from pitchey_cli.api.desk import Desk
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.access import Actor
from pitchey_cli.domain.errors import Denied, InputNotFound, Unauthenticated
from pitchey_cli.domain.sign_on import Person, Terms, origin_of

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)
_COOKIES = ("better-auth.session_token=", "__Secure-better-auth.session_token=")
#: asymmetric ones alone: with a shared secret whoever can check a token could make one
_ALGORITHMS = ("EdDSA", "ES256", "ES512", "PS256", "RS256")
_PATIENCE_SECONDS = 5.0
_ANSWER_BYTES = 1 << 20
_KEYS_SECONDS = 300.0
_KEYS_AGAIN_SECONDS = 10.0  # an unknown key is a new one, or made up: the server is asked again, but not for each
_MOST_REMEMBERED = 10_000
_NO_SECONDS = 5.0  # that a session which the server does not know is not asked about again
_LEEWAY_SECONDS = 30.0  # that the clocks of two machines may differ
_AT_ONCE = 8  # questions about sessions
_MOST_WAITING = 200


class Nobody(Unauthenticated):
    """The sign-on server knows nobody by what was shown."""


class _User(BaseModel):
    id: str
    name: str = ""
    email: str | None = None


class _State(BaseModel):
    active: str | None = Field(None, alias="activeOrganizationId")


class _Session(BaseModel):
    user: _User
    session: _State


class _Organisation(BaseModel):
    id: str
    slug: str


class _Member(BaseModel):
    role: str


@dataclass
class _Gate:
    """So many questions at once, and so many that wait; others are turned away."""

    at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    waiting: int = 0

    async def __aenter__(self) -> None:
        if self.waiting >= _MOST_WAITING:
            raise _silent()
        self.waiting += 1
        try:
            await self.at_once.acquire()
        finally:
            self.waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self.at_once.release()


@dataclass
class BetterAuth:
    """Knows people by what their sign-on server says of them."""

    desk: Desk
    terms: Terms
    client: httpx.AsyncClient
    _remembered: OrderedDict[bytes, tuple[float, Person]] = field(default_factory=OrderedDict)
    _refused: OrderedDict[bytes, float] = field(default_factory=OrderedDict)
    _asking: dict[bytes, asyncio.Task[Person]] = field(default_factory=dict)
    # Whoever invents sessions waits for others who do, and not somebody who has been here.
    _known: _Gate = field(default_factory=_Gate)
    _unknown: _Gate = field(default_factory=_Gate)
    _keys: jwt.PyJWKSet | None = None
    _keys_at: float = float("-inf")
    _getting_keys: asyncio.Lock = field(default_factory=asyncio.Lock)

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
        now, known = time.monotonic(), self._remembered.get(key)
        if known is not None and now - known[0] < self.terms.cache_seconds:
            return known[1]
        if now - self._refused.get(key, float("-inf")) < _NO_SECONDS:
            raise _nobody()
        asking = self._asking.get(key)
        if asking is None:  # many requests of one page come at once: the server is asked once
            gate = self._unknown if known is None else self._known
            asking = self._asking[key] = asyncio.create_task(self._ask_session(gate, bearer, cookie))
            asking.add_done_callback(lambda done: self._note(key, done))
        return await asyncio.shield(asking)

    def _note(self, key: bytes, done: asyncio.Task[Person]) -> None:
        self._asking.pop(key, None)
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Nobody):
            self._remembered.pop(key, None)
            _keep(self._refused, key, time.monotonic())
        elif error is None and not done.cancelled():
            _keep(self._remembered, key, (time.monotonic(), done.result()))

    async def _ask_session(self, gate: _Gate, bearer: str, cookie: str) -> Person:
        shown = {"Authorization": bearer} if bearer else {"Cookie": cookie}
        async with gate:
            found = await self._ask("/get-session", shown)
            if found is None:  # it answers 200 with null where it knows nobody
                raise _nobody()
            session = _read(_Session, found)
            user, active = session.user, session.session.active or ""
            person = Person(user.id, user.email or user.name or user.id)
            if not active:
                return person
            role = _read(_Member, await self._ask("/organization/get-active-member-role", shown)).role
            slug = await self._slug(active, shown) if self.terms.has_slugs else ""
        return replace(person, organisation=slug, organisation_id=active, roles=_roles(role))

    async def _slug(self, organisation_id: str, shown: Mapping[str, str]) -> str:
        listed = await self._ask("/organization/list", shown)
        organisations = [_read(_Organisation, each) for each in listed] if isinstance(listed, list) else []
        return next((each.slug for each in organisations if each.id == organisation_id), "")

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
            raise _nobody()
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
                leeway=_LEEWAY_SECONDS,
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
        return Person(said["sub"], name, organisation, organisation_id, _roles(said.get("organisationRole", "")))

    async def _key(self, kid: str) -> jwt.PyJWK:
        """The key that the server signs with, of those that it publishes."""
        async with self._getting_keys:
            age = time.monotonic() - self._keys_at
            if age > _KEYS_SECONDS or (age > _KEYS_AGAIN_SECONDS and self._published(kid) is None):
                self._keys_at = time.monotonic()
                await self._get_keys()
        key = self._published(kid)
        if key is None:
            raise jwt.InvalidKeyError("nobody knows the key that it is signed with")
        return key

    async def _get_keys(self) -> None:
        """Those that are had count on, when others are not to be had."""
        try:
            found = await self._ask("/jwks", {})
            self._keys = jwt.PyJWKSet.from_dict(found if isinstance(found, dict) else {})
        except (Refused, jwt.PyJWTError) as error:
            if self._keys is None:
                self._keys_at = float("-inf")
                raise _silent() from error

    def _published(self, kid: str) -> jwt.PyJWK | None:
        return next((key for key in self._keys.keys if key.key_id == kid), None) if self._keys else None


def made(desk: Desk, terms: Terms) -> BetterAuth:
    """The sign-on server that is set."""
    # No cookie of one answer may go out with another question: it is somebody's session.
    none = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    client = httpx.AsyncClient(cookies=none, follow_redirects=False, timeout=_PATIENCE_SECONDS, trust_env=False)
    return BetterAuth(desk, terms, client)


def _keep(kept: OrderedDict[bytes, T], key: bytes, value: T) -> None:
    """Remember it, and forget what is oldest when that is too much."""
    kept.pop(key, None)
    kept[key] = value
    while len(kept) > _MOST_REMEMBERED:
        kept.popitem(last=False)


def _read(model: type[M], said: object) -> M:
    try:
        return model.model_validate(said)
    except ValidationError as error:
        raise _silent() from error


def _nobody() -> Nobody:
    return Nobody("The sign-on server knows no such session.", hint="Sign in there again.")


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
