"""URLs as they may be shown: without the passwords in them."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_SECRET = re.compile("password", re.IGNORECASE)


def masked(url: str) -> str:
    """A URL without its passwords."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc
    except ValueError:
        return "***"
    who, at, where = netloc.rpartition("@")
    if ":" in who:
        netloc = f"{who.partition(':')[0]}:***{at}{where}"
    query = parts.query
    if _SECRET.search(query):
        pairs = [(name, "***" if _SECRET.search(name) else value) for name, value in parse_qsl(query)]
        query = urlencode(pairs, safe="*/")
    bare = urlunsplit(parts._replace(scheme="", netloc="", query=query))
    return f"{parts.scheme}://{netloc}{bare}" if "://" in url else bare
