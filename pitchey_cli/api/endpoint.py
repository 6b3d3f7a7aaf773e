"""From a request to a handler and back: who asks, may they, in what time; whatever goes wrong is a problem detail."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import re
import secrets
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, get_type_hints

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pitchey_cli import __version__
from pitchey_cli.api import problems
from pitchey_cli.api.admission import Admission, check, too_many
from pitchey_cli.api.call import Call, query_of
from pitchey_cli.api.desk import Desk
from pitchey_cli.api.hands import no_answer
from pitchey_cli.api.problems import Refused
from pitchey_cli.api.route import Body, Query, Route
from pitchey_cli.domain.access import ALL_ORGANISATIONS, Actor, Role
from pitchey_cli.domain.errors import NotKept, PitcheyError, StoreError, Unauthenticated
from pitchey_cli.operations.specs import checked_as

Handler = Callable[..., Awaitable[Response]]
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NOBODY = Actor("nobody", Role.VIEWER, ALL_ORGANISATIONS)
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Pitchey-Version": __version__}


@dataclass
class Endpoint:
    """One row of the table, as ASGI has it."""

    route: Route
    desk: Desk
    admission: Admission

    def __post_init__(self) -> None:
        self._query, self._body = parameters(self.route.handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request_id = id_of(scope)
        exchange = _Exchange(receive, send, self.desk.wiring.settings.api.request_seconds)
        request = Request(scope, exchange.receive, exchange.send)
        exchange.headers = {**_ALWAYS, "X-Request-Id": request_id}
        try:
            response = await self._answer(request, request_id, exchange.headers)
            await response(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return  # nobody is there to be answered; what came of an upload is kept
        except Exception as error:
            if not exchange.has_begun:
                is_ours = request.headers.get("user-agent", "").startswith("pitchey/")
                answer = answer_to(error, request_id, is_for_command_line=is_ours)
                await answer(scope, exchange.receive, exchange.send)
            elif not isinstance(error, TimeoutError):  # a client that takes nothing for so long has gone
                raise

    async def _answer(self, request: Request, request_id: str, headers: MutableMapping[str, str]) -> Response:
        refuse_ambiguous(request.headers)
        actor = await self._admitted(request, headers)
        call = Call(request, self.desk, actor, request_id, admit=partial(self._permitted, request))
        asked = [await self._read(kind, call) for kind in (self._query, self._body) if kind is not None]
        if self._query is None and request.query_params:
            checked_as(Query, query_of(request), "This request")
        seconds = self.route.seconds or self.desk.wiring.settings.api.request_seconds
        try:
            async with asyncio.timeout(None if self.route.is_long else seconds):
                response = await self.route.handler(call, *asked)
        except TimeoutError as error:
            raise no_answer(seconds) from error
        headers.update(call.headers)
        return response

    async def _read(self, kind: type[Query] | type[Body], call: Call) -> Query | Body:
        if issubclass(kind, Query):
            return checked_as(kind, query_of(call.request), "This request")
        raw = await call.json()
        if not isinstance(raw, dict):
            raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "The body is JSON, and no object.")
        return checked_as(kind, raw, "The body")

    async def _admitted(self, request: Request, headers: MutableMapping[str, str]) -> Actor:
        if self.route.role is None:
            return _NOBODY
        try:
            actor = await self.admission.actor(request)
        except Unauthenticated:
            client = request.client.host if request.client else ""
            self._count(f"nobody {client}", headers)
            raise
        self._count(actor.id, headers)
        self._check(actor)
        return actor

    async def _permitted(self, request: Request) -> Actor:
        actor = await self.admission.actor(request)
        self._check(actor)
        return actor

    def _check(self, actor: Actor) -> None:
        if self.route.role is not None:
            area = None if self.route.is_of_any_area else self.route.area
            check(actor, self.route.role, area, of_all=self.route.is_of_all)

    def _count(self, who: str, headers: MutableMapping[str, str]) -> None:
        verdict = self.desk.rates.take(who, now=time.monotonic())
        headers.update(verdict.headers())
        if not verdict.is_allowed:
            raise too_many(verdict.retry_in_seconds)


class _Exchange:
    """The two ends of a connection, with limits to how long the other side may take, and the headers of all answers."""

    def __init__(self, receive: Receive, send: Send, seconds: float) -> None:
        self._receive, self._send, self._seconds = receive, send, seconds
        self._is_body_read = False
        self.has_begun = False
        self.headers: dict[str, str] = {}

    async def receive(self) -> Message:
        if self._is_body_read:  # what comes then is that the client goes
            return await self._receive()
        try:
            async with asyncio.timeout(self._seconds):
                message = await self._receive()
        except TimeoutError as error:
            text = f"Nothing more of the body came for {self._seconds:g} s."
            headers = {"Connection": "close"}
            raise Refused(HTTPStatus.REQUEST_TIMEOUT, "too-slow", text, headers=headers) from error
        self._is_body_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(raw=message["headers"])
            for name, value in self.headers.items():
                headers.setdefault(name, value)
        async with asyncio.timeout(self._seconds):
            await self._send(message)


def refuse_ambiguous(headers: Headers) -> None:
    """Refuse a request that others may read otherwise: a proxy before this, for one.

    Raises:
        Refused: a header that is one stands twice, the body has two lengths, or it is packed.
    """
    twice = next((name for name in _STAND_ONCE if len(headers.getlist(name)) > 1), None)
    if twice is not None:
        text = f"The request has the header {twice} twice."
        raise Refused(HTTPStatus.BAD_REQUEST, "ambiguous", text, hint="Leave one of them out.")
    if "transfer-encoding" in headers and "content-length" in headers:  # RFC 9112, 6.1
        text, hint = "The request says two lengths of its body.", "Leave Content-Length out, or Transfer-Encoding."
        raise Refused(HTTPStatus.BAD_REQUEST, "ambiguous", text, hint=hint, headers={"Connection": "close"})
    packed = headers.get("content-encoding", "identity").strip().lower()
    if packed != "identity":
        text, hint = f"The body is packed: {packed[:40]!r}.", "Send it as it is, without Content-Encoding."
        answer = {"Accept-Encoding": "identity", "Connection": "close"}  # RFC 9110, 15.5.16
        raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "packed", text, hint=hint, headers=answer)


_STAND_ONCE = ("authorization", "content-type", "idempotency-key", "last-event-id", "range", "upload-offset")


def parameters(handler: Handler) -> tuple[type[Query] | None, type[Body] | None]:
    """What a handler takes of the query and of the body, by the types of its parameters."""
    hints = get_type_hints(handler)
    kinds: list[Any] = [hints[name] for name in inspect.signature(handler).parameters]
    query = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Query)), None)
    body = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Body)), None)
    return query, body


def answer_to(error: Exception, request_id: str, *, is_for_command_line: bool = False) -> Response:
    """What an error is to whoever asked; what nobody foresaw goes into the log."""
    # The words of these are for whoever owns the machine: they name its files.
    if isinstance(error, StoreError) and not isinstance(error, NotKept):
        _log(f"request {request_id}: {error} {error.hint}")
        text = "The database or the disk of the server is in trouble."
        return problems.problem(StoreError(text, hint="Try again later."), request_id=request_id)
    if isinstance(error, PitcheyError):
        return problems.problem(error, request_id=request_id, is_for_command_line=is_for_command_line)
    _log(f"request {request_id}: {''.join(traceback.format_exception(error))}")
    return problems.unforeseen(request_id=request_id)


def _log(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"{text.rstrip()}\n")
        sys.stderr.flush()


def id_of(scope: Scope) -> str:
    """The id of a request: the client's own where it is harmless, else a new one."""
    given = next((value for name, value in scope["headers"] if name == b"x-request-id"), b"").decode("latin-1")
    return given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
