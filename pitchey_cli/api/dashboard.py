"""The dashboard: one page and what it is made of, served as it lies in `pages/`, with nothing from elsewhere.

The page is a client as any other: it asks the routes of the table, with a token that whoever looks at it has typed in.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from starlette.responses import Response

from pitchey_cli.api.answers import has
from pitchey_cli.api.call import Call
from pitchey_cli.domain.errors import InputNotFound

HTML = "text/html; charset=utf-8"
_PAGE = "index.html"
_TYPES = MappingProxyType(
    {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml", "html": HTML}
)
#: scripts and styles of ours alone, no frame around it, nothing sent anywhere else; pictures of outputs are blobs
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def get_dashboard(call: Call) -> Response:
    """The dashboard, for a browser: the queue, the pools, jobs and their logs, cost; it asks for a token itself."""
    return _answer(call, _PAGE)


async def get_dashboard_file(call: Call) -> Response:
    """A script, a style or a picture of the dashboard."""
    name = call.part("file")
    if name not in _names():
        raise InputNotFound(f"The dashboard has no file {name[:80]!r}.", hint="It begins at /.")
    return _answer(call, name)


@cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in files(__package__).joinpath("pages").iterdir())


@cache
def _content(name: str) -> tuple[bytes, str]:
    content = files(__package__).joinpath("pages", name).read_bytes()
    return content, f'"{hashlib.sha256(content).hexdigest()[:32]}"'


def _answer(call: Call, name: str) -> Response:
    content, etag = _content(name)
    # Looked for anew each time, so that an upgrade is seen at once; what has not changed is not sent again.
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": _POLICY}
    if has(call, etag):
        return Response(None, 304, headers=headers)
    return Response(content, headers=headers, media_type=_TYPES[name.rpartition(".")[2]])
