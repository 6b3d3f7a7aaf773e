"""Where what is written may lead: to the web, into itself, or to files beside it."""

from __future__ import annotations

import re

_WEB = re.compile(r"(https?:|mailto:|tel:)", re.IGNORECASE)
_BESIDE = re.compile(r"#.*|(?!.*//)[\w./-]+", re.DOTALL)  # two slashes could begin the name of a machine


def leads_to_the_web(link: str | None) -> bool:
    """Whether a link may be followed from anywhere."""
    return link is not None and _WEB.match(link) is not None


def is_safe(link: str | None) -> bool:
    """Whether a link may be followed: it runs nothing, and asks no machine that it does not name."""
    return leads_to_the_web(link) or (link is not None and _BESIDE.fullmatch(link) is not None)


def is_beside(path: str | None) -> bool:
    """Whether a picture is a file that was written too: what shows it fetches it, so it may be nothing else."""
    return bool(path) and path is not None and not re.search(r"^/|[:\\\x00-\x1f]|(^|/)\.\.(/|$)", path)
