"""Connections to who may be reached: to the very address that was checked, or through the proxy of this host.

A name is looked up once. A second look-up could answer differently, and so lead to an address that nobody has checked.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psutil

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.egress import Egress, Target, address_refusal
from pitchey_cli.domain.upstream import Upstream
from pitchey_cli.proxy.request import HEAD_BYTES, Refused

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]

_MOST_ADDRESSES = 8  # that are tried

# Programs choose the names, and whoever answers for a name may take a minute for it. Threads of their own, or else the
# slots of everybody would be made and removed by those that are left.
_lookups = ThreadPoolExecutor(max_workers=8, thread_name_prefix="lookup")


async def resolve(host: str, port: int) -> Sequence[Address]:
    """Ask the system where a host is.

    Raises:
        OSError: nobody knows.
    """
    look = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_lookups, look)
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))


def own_addresses() -> set[Address]:
    """Those of this machine's interfaces, as they are now."""
    return {
        ipaddress.ip_address(entry.address)
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family in (socket.AF_INET, socket.AF_INET6)
    }


async def dial(target: Target, egress: Egress, lookup: Resolve) -> Streams:
    """Connect to a target directly.

    Raises:
        Refused: it has no address that may be reached, or none that answers.
    """
    literal = target.address
    try:
        addresses = [literal] if literal is not None else await lookup(target.host, target.port)
    except OSError as error:
        raise Refused(502, f"{target.host} could not be looked up: {error.strerror or error}") from error
    own = own_addresses()
    refusals = [address_refusal(egress, target, address, own) for address in addresses]
    allowed = [address for address, problem in zip(addresses, refusals, strict=True) if problem is None]
    if not allowed:
        raise Refused(403, next(filter(None, refusals), f"{target.host} has no address"))
    problem: OSError | None = None
    for address in allowed[:_MOST_ADDRESSES]:
        try:
            return await asyncio.open_connection(str(address), target.port, limit=HEAD_BYTES)
        except OSError as error:
            problem = error
    raise Refused(502, f"{target} does not answer: {_reason(problem)}")


async def dial_through(upstream: Upstream, target: Target) -> Streams:
    """Have another proxy connect to a target. Where that is, it finds out itself.

    Raises:
        Refused: it does not answer, or says no.
    """
    tls = ssl.create_default_context() if upstream.is_tls else None
    try:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port, ssl=tls, limit=HEAD_BYTES)
    except OSError as error:
        raise Refused(502, f"the proxy of this host does not answer: {_reason(error)}") from error
    try:
        login = f"Proxy-Authorization: {upstream.authorization}\r\n" if upstream.authorization else ""
        writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{login}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        words = head.split(b"\r\n", 1)[0].decode("ascii", "replace").split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].startswith("2"):
            status = words[1] if len(words) > 1 and words[1].isdecimal() else "nonsense"
            raise Refused(502, f"the proxy of this host answers {status} when it is asked for {target}")
    except (OSError, EOFError, asyncio.LimitOverrunError) as error:
        await discard(writer)
        raise Refused(502, f"the proxy of this host has ended the connection to {target}") from error
    except BaseException:
        await discard(writer)
        raise
    return reader, writer


async def discard(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once, whoever still wants something of it."""
    writer.transport.abort()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def _reason(error: OSError | None) -> str:
    return "nobody is there" if error is None else error.strerror or str(error) or type(error).__name__
