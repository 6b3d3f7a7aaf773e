"""The application: the table of routes as ASGI has it, and problem details for what is not in it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, WebSocketRoute
from starlette.routing import Route as Path
from starlette.websockets import WebSocket

from pitchey_cli.api.admission import Admission, SignOn
from pitchey_cli.api.desk import Desk
from pitchey_cli.api.endpoint import Endpoint, answer_to, id_of
from pitchey_cli.api.problems import Refused
from pitchey_cli.api.sockets import EventSocket
from pitchey_cli.api.table import ROUTES, SOCKET_AREA, SOCKET_PATH, SOCKET_ROLE
from processors.vocabulary import Service


def make(desk: Desk, sign_ons: Sequence[SignOn] = ()) -> Starlette:
    """The application.

    Args:
        sign_ons: ways to say who one is, beside tokens.
    """
    admission = Admission(desk, sign_ons)
    paths = [Path(_as_path(each.path), Endpoint(each, desk, admission), methods=[each.method]) for each in ROUTES]
    events = WebSocketRoute(SOCKET_PATH, EventSocket(desk, admission, SOCKET_ROLE, SOCKET_AREA))
    others = WebSocketRoute("/{path:path}", _no_socket)
    made = Starlette(routes=[*paths, events, others], exception_handlers={HTTPException: _not_in_the_table})
    made.router.redirect_slashes = False  # a path is in the table, or it is not
    return made


class _Service(StringConvertor):
    """The name of a service, and nothing else: what is at other paths takes what it takes, and not what these do."""

    regex = "|".join(Service)


register_url_convertor("service", _Service())


def _as_path(path: str) -> str:
    return path.replace("{service}", "{service:service}")


async def _no_socket(socket: WebSocket) -> None:
    text, hint = f"There is no WebSocket at {socket.url.path[:200]}.", f"There is one at {SOCKET_PATH}."
    refused = Refused(HTTPStatus.NOT_FOUND, "not-found", text, hint=hint)
    await socket.send_denial_response(answer_to(refused, id_of(socket.scope)))


async def _not_in_the_table(request: Request, error: Exception) -> Response:
    status = HTTPStatus(error.status_code) if isinstance(error, HTTPException) else HTTPStatus.NOT_FOUND
    path = request.url.path[:200]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        taken = _methods_at(request)
        text, hint = f"{path} takes no {request.method[:20]}.", f"It takes {taken}."
        refused = Refused(status, "method", text, hint=hint, headers={"Allow": taken})
    else:
        near = difflib.get_close_matches(path, _PLAIN_PATHS, n=1, cutoff=0.7)
        hint = (f"Did you mean {near[0]}? " if near else "") + "GET /openapi.json lists what there is."
        refused = Refused(status, "not-found", f"There is nothing at {path}.", hint=hint)
    return answer_to(refused, id_of(request.scope))


def _methods_at(request: Request) -> str:
    """What a path takes: each method that it has is a route of its own."""
    paths = (each for each in request.app.routes if isinstance(each, Path))
    found = (each.methods or set() for each in paths if each.matches(request.scope)[0] is not Match.NONE)
    return ", ".join(sorted(set().union(*found)))


#: those without a name in them, but for that of a service
_PLAIN_PATHS = sorted(
    {each.path for each in ROUTES if "{" not in each.path} | {f"/v1/{service}" for service in Service}
)
