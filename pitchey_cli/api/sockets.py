"""Events over a WebSocket: one JSON object in each message, from the same query as the stream of events.

A browser cannot send an Authorization header here. It offers the subprotocols `pitchey.events` and `bearer.TOKEN`, of
which the first is taken; the second is a header all the same, and no part of an address that gets into logs.
"""

from __future__ import annotations

import asyncio
import json

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from pitchey_cli.api import models
from pitchey_cli.api.admission import Admission, check
from pitchey_cli.api.call import Call, query_of
from pitchey_cli.api.desk import Desk
from pitchey_cli.api.endpoint import answer_to, id_of
from pitchey_cli.api.events import Ear, ear_of, heard
from pitchey_cli.domain.access import Actor, Area, Role
from pitchey_cli.domain.errors import PitcheyError
from pitchey_cli.operations.specs import checked_as
from pitchey_cli.reports import as_json

PROTOCOL = "pitchey.events"
_BEARER = "bearer."
_GOING_AWAY, _NO_MORE = 1001, 1008  # RFC 6455, 7.4.1


class EventSocket:
    """The end of a WebSocket, as ASGI has it."""

    def __init__(self, desk: Desk, admission: Admission, role: Role, area: Area) -> None:
        self._desk = desk
        self._admission = admission
        self._role, self._area = role, area

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket, request_id = WebSocket(scope, receive, send), id_of(scope)
        request = Request({**scope, "type": "http", "method": "GET", "headers": _with_token(scope)})

        async def admit() -> Actor:
            actor = await self._admission.actor(request)
            check(actor, self._role, self._area, of_all=False)
            return actor

        try:
            call = Call(request, self._desk, await admit(), request_id, admit=admit)
            asked = checked_as(models.EventsQuery, query_of(request), "This request")
            ear = await ear_of(call, asked, request.headers.get("last-event-id"))
        except PitcheyError as error:
            await socket.send_denial_response(answer_to(error, request_id))
            return
        await socket.accept(subprotocol=PROTOCOL if PROTOCOL in scope.get("subprotocols", ()) else None)
        leaving = asyncio.create_task(_until_left(socket))
        telling = asyncio.create_task(_tell(socket, call, ear))
        await asyncio.wait({leaving, telling}, return_when=asyncio.FIRST_COMPLETED)
        for task in (leaving, telling):
            task.cancel()
        await asyncio.gather(leaving, telling, return_exceptions=True)


def _with_token(scope: Scope) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = list(scope["headers"])
    shown = next((each for each in scope.get("subprotocols", ()) if each.startswith(_BEARER)), None)
    if shown is not None and "authorization" not in Headers(raw=headers):
        headers.append((b"authorization", f"Bearer {shown.removeprefix(_BEARER)}".encode("latin-1", "replace")))
    return headers


async def _tell(socket: WebSocket, call: Call, ear: Ear) -> None:
    code = _GOING_AWAY
    try:
        async for found in heard(call, ear):
            for event in found.events:
                await socket.send_text(json.dumps(as_json.event(event), ensure_ascii=False))
            if not found.events:
                await socket.send_text(json.dumps({"id": found.last}))
    except PitcheyError:
        code = _NO_MORE
    except WebSocketDisconnect:
        return
    if socket.application_state is WebSocketState.CONNECTED:
        await socket.close(code)


async def _until_left(socket: WebSocket) -> None:
    """What a client sends is read, and means nothing."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
