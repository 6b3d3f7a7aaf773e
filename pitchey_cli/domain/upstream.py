"""The proxy that this host itself has to go through, as its environment names it, and what goes past it. Pure."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from pitchey_cli.domain.egress import Target
from pitchey_cli.domain.errors import UsageError

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Upstream:
    """Another proxy, that everything goes through but what goes past it."""

    host: str
    port: int
    is_tls: bool = False
    authorization: str = ""  #: the value of the header, where it wants one
    past: tuple[str, ...] = ()  #: names, networks and `*`, as NO_PROXY has them

    def takes(self, target: Target) -> bool:
        """Whether a target is asked for through it."""
        return not any(_is_meant(entry, target) for entry in self.past)


def find_upstream(environ: Mapping[str, str]) -> Upstream | None:
    """The proxy for HTTPS that the environment names.

    Raises:
        UsageError: what it names is no proxy for HTTP.
    """
    name = next((name for name in ("https_proxy", "HTTPS_PROXY") if environ.get(name)), None)
    if name is None:
        return None
    text = environ[name]
    url = urlsplit(text if "://" in text else f"http://{text}")
    try:
        port = url.port or _PORTS.get(url.scheme)
    except ValueError:
        port = None
    if not url.hostname or port is None:  # not the text itself: there may be a password in it
        raise UsageError(f"{name} is no proxy that can be used.", hint="It looks like http://proxy.example:3128.")
    authorization = ""
    if url.username is not None:
        login = f"{unquote(url.username)}:{unquote(url.password or '')}"
        authorization = "Basic " + base64.b64encode(login.encode()).decode()
    past = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    entries = tuple(entry.strip().lower() for entry in past.split(",") if entry.strip())
    return Upstream(url.hostname, port, url.scheme == "https", authorization, entries)


def _is_meant(entry: str, target: Target) -> bool:
    if entry == "*":
        return True
    if target.address is not None:
        try:
            return target.address in ipaddress.ip_network(entry.strip("[]"), strict=False)
        except (ValueError, TypeError):
            return False
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal():
        if int(port) != target.port:
            return False
        entry = name
    domain = entry.removeprefix("*").removeprefix(".")
    return bool(domain) and (target.host == domain or target.host.endswith(f".{domain}"))
