"""Answers: JSON, pages with cursors, and what lets a client keep what it has."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

from pitchey_cli.api.call import JSON, Call
from pitchey_cli.domain.errors import UsageError

_ETAGS = re.compile(r'(?:W/)?("[^"]*")')
_MOST = 2**63 - 1


def json_answer(value: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """JSON, which nobody on the way keeps."""
    return Response(to_json(value), status, headers={"Cache-Control": "no-store", **(headers or {})}, media_type=JSON)


def kept_answer(call: Call, body: bytes, *, named_by: bytes | None = None) -> Response:
    """JSON with an ETag: whoever has it already is told so, and sent nothing.

    Args:
        body: JSON. It may be long: whoever reads what is in it writes it, on a thread.
        named_by: what the ETag is the hash of, where a part of the answer is another one each time.
    """
    etag = f'"{hashlib.sha256(body if named_by is None else named_by).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if has(call, etag):
        return Response(None, HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


def has(call: Call, etag: str) -> bool:
    """Whether a client has what an ETag names, by its If-None-Match."""
    given = call.header("if-none-match")
    return given is not None and (given.strip() == "*" or etag in _ETAGS.findall(given))


def empty_answer() -> Response:
    """It is done, and there is nothing to say."""
    return Response(None, HTTPStatus.NO_CONTENT)


def page(call: Call, name: str, found: list[Any], *, limit: int, next_after: int | None) -> Response:
    """One page of a list.

    Args:
        next_after: where the next one begins; it is given out only when this one is full.
    """
    cursor = cursor_of(next_after) if len(found) == limit and next_after is not None else None
    if cursor is not None:
        url = call.request.url.include_query_params(cursor=cursor)
        call.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return json_answer({name: found, "next": cursor})


def cursor_of(number: int) -> str:
    """A place in a list, as clients keep it: they are not to make one up."""
    return base64.urlsafe_b64encode(f"c{number}".encode()).decode().rstrip("=")


def place_of(cursor: str | None) -> int | None:
    """The place that a cursor names.

    Raises:
        UsageError: it is none of ours.
    """
    if cursor is None:
        return None
    try:
        text = base64.urlsafe_b64decode(f"{cursor}{'=' * (-len(cursor) % 4)}").decode()
        number = int(text.removeprefix("c")) if text.startswith("c") and text[1:].isdigit() else -1
    except ValueError:
        number = -1
    if not 0 <= number <= _MOST:
        raise UsageError(f"cursor {cursor[:40]!r} is none.", hint="Take `next` of the page before, as it is.")
    return number
