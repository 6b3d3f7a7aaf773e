"""Which addresses anybody on the internet could reach, and which nobody may be led to. Pure.

A name that a stranger chooses may lead to what only this host can reach: its own services, its neighbours, and the
metadata services of clouds, which hand out credentials.
"""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215; what it leads to is the network's own affair
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, 2.5.5.1: as long as addresses of version 4, and out of use
#: Not link-local, as most of them are: those of AWS and Google (IPv6), Azure, Alibaba and Oracle.
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in ("fd00:ec2::254", "fd20:ce::254", "168.63.129.16", "100.100.100.200", "192.0.0.192")
)

#: what whoever named a place that is not public may do
WAY_TO_PRIVATE = (
    "Is it spelled so? What is in a private network can be submitted as a file, or the operator sets "
    "network.allow_private_urls."
)


def said_by(host: str) -> Address | None:
    """The address that a host says itself, in whatever way it is written; None of a name that has to be looked up.

    As the system reads it, so that `0x7f.1` and `2130706433` are what they lead to. `localhost` and what is below it
    are never looked up (RFC 6761, 6.3).
    """
    plain = host.strip("[]").rstrip(".").lower()
    if plain == "localhost" or plain.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(plain)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(plain))
    except (OSError, UnicodeError):
        return None


def is_public(address: Address) -> bool:
    """Whether anybody on the internet could reach the address; what it wraps counts as well."""
    if (inner := _wrapped(address)) is not None:
        return is_public(inner)
    if address in _METADATA:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address.scope_id is not None or address.is_site_local or address in _LOCAL_NAT64
    ):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def is_of_this_host(address: Address) -> bool:
    """Whether it leads back to the machine itself."""
    inner = _wrapped(address)
    return is_of_this_host(inner) if inner is not None else address.is_loopback or address.is_unspecified


def is_forbidden(address: Address) -> bool:
    """Whether nobody may be led there, not even into a network of their own: metadata services, everybody at once."""
    if (inner := _wrapped(address)) is not None:
        return is_forbidden(inner)
    is_scoped = isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None
    if address in _COMPATIBLE and int(address) > 1 and is_forbidden(ipaddress.IPv4Address(int(address))):
        return True  # never public, so this alone is asked of what it wraps
    return address in _METADATA or address.is_link_local or address.is_multicast or is_scoped


def unmapped(address: Address) -> Address:
    """The address to which the system connects: one of version 4 may be written as one of version 6."""
    return address if isinstance(address, ipaddress.IPv4Address) else address.ipv4_mapped or address


def _wrapped(address: Address) -> ipaddress.IPv4Address | None:
    """The address of version 4 that one of version 6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
