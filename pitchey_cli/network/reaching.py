"""Hosts that strangers name: which addresses they are at, and which of these may be reached.

The host can reach what whoever names a URL cannot: metadata services, databases on loopback, the neighbours. So the
name is resolved here, every address is checked, and the connection goes to an address that was checked: a second
look-up could answer differently. Proxies of the environment are not to be used: one would resolve the name itself.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.errors import Denied, InputNotFound, NetworkError, UsageError


def addresses_of(host: str, port: int, *, may_reach: Callable[[Address], bool], hint: str) -> list[Address]:
    """Look a host up; the addresses that may be reached. Blocks.

    Args:
        hint: what to do when none may be.

    Raises:
        UsageError: the host has no name that could be one.
        InputNotFound: there is no such host.
        Denied: it has no address that may be reached.
        NetworkError: it could not be looked up this time.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise UsageError(f"{host} is not the name of a host.") from error
    except socket.gaierror as error:
        if error.errno == socket.EAI_AGAIN:
            raise NetworkError(f"{host} could not be looked up: {error.strerror}.") from error
        raise InputNotFound(f"There is no host {host}.", hint="Check the spelling of the URL.") from error
    addresses = list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))
    allowed = [address for address in addresses if may_reach(address)]
    if not allowed:
        raise Denied(f"{host} is at {addresses[0]}, which is not a public address.", hint=hint)
    return allowed
