"""Errors as problem details (RFC 9457), in the words that the command line has for them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from pydantic.alias_generators import to_camel
from starlette.responses import Response

from pitchey_cli.domain.errors import (
    BudgetReached,
    DaemonError,
    Denied,
    EngineError,
    InputNotFound,
    InputRejected,
    NameTaken,
    NetworkError,
    PitcheyError,
    QuotaReached,
    StaleToken,
    StoreError,
    TimedOut,
    Unauthenticated,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
_MOST_SAID = 600  # characters of a sentence: of what somebody sends without end, nobody reads more

#: the first class that an error is one of says its status and its code
_MEANINGS: Mapping[type[PitcheyError], tuple[HTTPStatus, str]] = {
    Unauthenticated: (HTTPStatus.UNAUTHORIZED, "unauthenticated"),
    Denied: (HTTPStatus.FORBIDDEN, "denied"),
    InputNotFound: (HTTPStatus.NOT_FOUND, "not-found"),
    InputRejected: (HTTPStatus.UNPROCESSABLE_ENTITY, "input-rejected"),
    NameTaken: (HTTPStatus.CONFLICT, "name-taken"),
    UsageError: (HTTPStatus.UNPROCESSABLE_ENTITY, "usage"),
    QuotaReached: (HTTPStatus.TOO_MANY_REQUESTS, "quota-reached"),
    BudgetReached: (HTTPStatus.CONFLICT, "budget-reached"),
    StaleToken: (HTTPStatus.CONFLICT, "stale"),
    TimedOut: (HTTPStatus.GATEWAY_TIMEOUT, "timed-out"),
    NetworkError: (HTTPStatus.BAD_GATEWAY, "network"),
    DaemonError: (HTTPStatus.SERVICE_UNAVAILABLE, "no-daemon"),
    EngineError: (HTTPStatus.SERVICE_UNAVAILABLE, "no-engine"),
    StoreError: (HTTPStatus.SERVICE_UNAVAILABLE, "store"),
}


class Refused(PitcheyError):
    """A request that is refused for how it is made, and not for what it asks.

    Args:
        status: of the answer.
        code: a stable word for programs.
        headers: that go with the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


#: the way out of what is refused without one of its own, by code
WAYS_OUT = {
    "too-large": "Files go as parts of a form, as an upload (/v1/uploads), or by their URL.",
    "too-slow": "Send it again, without pauses.",
    "incomplete": "Send it again.",
    "not-a-form": "As `curl -F input=@talk.mp4 -F job=...` sends it: each part has a name of its own.",
    "not-an-object": 'As {"spec": {...}}.',
    "not-a-number": "Say it in digits, as 1048576.",
    "media-type": "GET /openapi.json says what each route takes.",
    "usage": "GET /openapi.json says what each route takes.",
    "not-found": "GET /openapi.json says what there is, and the lists of the API which ids there are.",
    "input-rejected": "Send another one; GET /openapi.json says what each route takes.",
    "denied": "GET /v1/me says who asks, and what they may do.",
    "metadata": "As `filename dGFsay5tcDQ=`: each name, a blank, and its value as base 64.",
}


def too_large(what: str, limit_bytes: int, *, hint: str | None = None) -> Refused:
    """Something is larger than it may be."""
    text = f"{what} has more than {limit_bytes:,} bytes, which is the limit."
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return Refused(status, "too-large", text, hint=hint, headers={"Connection": "close"})


def meaning_of(error: PitcheyError) -> tuple[HTTPStatus, str]:
    """The status and the code of an error."""
    if isinstance(error, Refused):
        return error.status, error.code
    found = (meaning for kind, meaning in _MEANINGS.items() if isinstance(error, kind))
    return next(found, (HTTPStatus.INTERNAL_SERVER_ERROR, "failed"))


def problem(error: PitcheyError, *, request_id: str, is_for_command_line: bool = False) -> Response:
    """The answer to a request that met an error.

    Args:
        is_for_command_line: options keep the names that they have there; a program is told of its fields.
    """
    status, code = meaning_of(error)
    headers = dict(error.headers) if isinstance(error, Refused) else {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="pitchey"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", "5")
    is_of_request = isinstance(error, Refused) or not is_for_command_line  # what a command asks needs no description
    said = (str(error), error.hint or (WAYS_OUT.get(code, "") if is_of_request else ""))
    detail, hint = said if is_for_command_line else map(_of_fields, said)
    return _answer(status, code, detail, hint, request_id, headers)


def _of_fields(text: str) -> str:
    """A sentence about options as one about fields: `--run-at` is `runAt` here. Commands stay what they are."""
    parts = text.split("`")
    parts[::2] = [_OPTION.sub(lambda found: _FIELDS.get(found[1], _in_camel(found[1])), part) for part in parts[::2]]
    return "`".join(parts)


def _in_camel(option: str) -> str:
    return to_camel(option.replace("-", "_"))


_FIELDS = {"for": "lasting"}  #: options whose fields have other names
_OPTION = re.compile(r"(?<![\w'-])--([a-z]+(?:-[a-z]+)*)\b")


def unforeseen(*, request_id: str) -> Response:
    """The answer to a request that met a mistake of ours. What it was is in the log, and no business of strangers."""
    text = "Something unforeseen happened while this was answered."
    hint = "The log of the daemon has it, by the id of this request. Please report it."
    return _answer(HTTPStatus.INTERNAL_SERVER_ERROR, "unforeseen", text, hint, request_id, {})


def _answer(
    status: HTTPStatus, code: str, detail: str, hint: str, request_id: str, headers: Mapping[str, str]
) -> Response:
    document = {
        "type": f"urn:pitchey:problem:{code}",
        "title": status.phrase,
        "status": int(status),
        "detail": detail if len(detail) <= _MOST_SAID else f"{detail[:_MOST_SAID]}...",
        "code": code,
        "hint": hint or None,
        "requestId": request_id,
    }
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "backslashreplace")
    return Response(body, status, headers={"Cache-Control": "no-store", **headers}, media_type=MEDIA_TYPE)
