"""One request in a handler's hands: who asks, what they ask, and a store in which there is only what they may see."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import TypeVar

from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from pitchey_cli.api.desk import Desk
from pitchey_cli.api.problems import Refused, too_large
from pitchey_cli.domain.access import Actor
from pitchey_cli.domain.pools import DEFAULT_ORGANISATION
from pitchey_cli.store.port import Store

T = TypeVar("T")
JSON = "application/json"


@dataclass
class Call:
    """A request of somebody who may make it."""

    request: Request
    desk: Desk
    actor: Actor
    id: str
    admit: Callable[[], Awaitable[Actor]]  #: look once more whether they may: a stream lasts longer than a token may
    headers: dict[str, str] = field(default_factory=dict)  #: that the answer gets beside its own

    @property
    def now(self) -> datetime:
        """The time."""
        return self.desk.wiring.clock.now()

    @property
    def organisation(self) -> str:
        """Whose jobs are submitted when nobody says it."""
        return self.actor.organisation or DEFAULT_ORGANISATION

    def part(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def header(self, name: str) -> str | None:
        """A header of the request."""
        return self.request.headers.get(name)

    async def read(self, fn: Callable[[Store], T]) -> T:
        """Run a function that only reads, with a store that is apart for whoever asks."""
        return await self.desk.readers.call(lambda store: fn(self.desk.for_actor(store, self.actor)))

    async def glance(self, fn: Callable[[Store], T]) -> T:
        """Read a few rows by their keys, with a store that is apart for whoever asks."""
        return await self.desk.glance(lambda store: fn(self.desk.for_actor(store, self.actor)))

    async def work(self, fn: Callable[[Store], T]) -> T:
        """Run a function that takes long, and may change something on the way, on a connection of its own."""
        return await self.desk.workers.call(lambda store: fn(self.desk.for_actor(store, self.actor)))

    async def write(self, fn: Callable[[Store], T]) -> T:
        """Run a function that changes something; all of it is on disk when this returns, or nothing of it is."""
        store = self.desk.for_actor(self.desk.writer.store, self.actor)
        return await self.desk.writer.call(partial(fn, store))

    async def at_work(self) -> list[str]:
        """The nodes that are up on a queue that several share; one organisation is told no names."""
        nodes = await self.desk.at_work()
        return nodes if self.actor.is_of_all or not nodes else ["another machine"]

    # --- the body

    @property
    def media_type(self) -> str:
        """What the body is said to be, in small letters and without parameters."""
        return (self.header("content-type") or "").partition(";")[0].strip().lower()

    async def json(self) -> object:
        """The body, read as JSON; none at all is an object without fields.

        Raises:
            Refused: it is something else, too large, too deep or no JSON.
        """
        if not self.media_type and not self._has_body:
            return {}
        if self.media_type != JSON:
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "media-type",
                f"The body is {self.media_type or 'of no said type'}, where it should be JSON.",
                hint=f"Content-Type: {JSON}",
            )
        body = await self.body(limit_bytes=self.desk.wiring.settings.api.body_bytes)
        return as_json(body, "The body") if body else {}

    @property
    def _has_body(self) -> bool:
        return self.header("transfer-encoding") is not None or self.header("content-length") not in (None, "0")

    async def body(self, *, limit_bytes: int) -> bytes:
        """The whole body.

        Raises:
            Refused: it is larger than it may be, or the client has gone.
        """
        self.check_length(limit_bytes)
        found = bytearray()
        try:
            async for chunk in self.request.stream():
                found += chunk
                if len(found) > limit_bytes:
                    raise too_large("The body", limit_bytes)
        except ClientDisconnect as error:
            raise gone() from error
        return bytes(found)

    def check_length(self, limit_bytes: int) -> None:
        """Refuse a body that says of itself that it is too large, before any of it is read."""
        said = self.header("content-length") or "0"
        digits = said.lstrip("0")  # as many of them as somebody likes: Python makes no number of thousands
        if said.isascii() and said.isdigit() and (len(digits) > 18 or int(digits or 0) > limit_bytes):
            raise too_large("The body", limit_bytes)

    async def until_gone(self) -> None:
        """Return when the client has gone. Only after the body has been read."""
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self.request.receive()


def gone() -> Refused:
    """The client has gone in the middle; nobody reads this."""
    return Refused(HTTPStatus.BAD_REQUEST, "incomplete", "The request ended before its body did.")


def as_json(data: bytes, what: str) -> object:
    """Read JSON strictly: UTF-8, no NaN, no depth without end, no field twice.

    Raises:
        Refused: it is none; says where.
    """
    try:
        found = from_json(data, allow_inf_nan=False)
    except ValueError as error:
        text = str(error)
        if "recursion" in text:
            hint = "It is nested too deeply."
        elif not _is_utf8(data):
            hint = "It is not UTF-8."
        else:
            hint = f"{text[:1].upper()}{text[1:]}."
        raise Refused(HTTPStatus.BAD_REQUEST, "not-json", f"{what} is not JSON.", hint=hint) from error
    json.loads(data, object_pairs_hook=partial(_once, what))  # the reader above keeps the last of two and says nothing
    return found


def _once(what: str, pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) == len(pairs):
        return
    names = [name for name, _ in pairs]
    twice = next(name for name in names if names.count(name) > 1)
    text = f"{what} has the field {twice[:80]!r} twice in one object."
    raise Refused(HTTPStatus.BAD_REQUEST, "not-json", text, hint="Leave one of them out: which is meant is not known.")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def query_of(request: Request) -> Mapping[str, object]:
    """What the query says: one value for each name, or the list of them where a name stands twice."""
    found: dict[str, object] = {}
    for name in request.query_params:
        values = request.query_params.getlist(name)
        found[name] = values if len(values) > 1 else values[0]
    return found
