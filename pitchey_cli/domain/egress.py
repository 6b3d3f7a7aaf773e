"""Where programs that nobody trusts may go: by the name they ask for, and by the address that it has. Pure.

A rule is `host.example`, `*.host.example` (what is below it, not itself), `*` (any name) or an address, each with
`:port` where it is not 443. Addresses are reached by their number only where they are listed by it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pitchey_cli.domain.addresses import Address, is_forbidden, is_of_this_host, is_public, unmapped
from pitchey_cli.domain.errors import UsageError

HTTPS_PORT = 443

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_MOST_CHARACTERS = 253
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a program asks for."""

    host: str  #: a name in small letters, or an address in its usual form
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> Address | None:
        """The address, where it is asked for by its number."""
        return _address(self.host)


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Hosts that are meant by one entry of a list."""

    host: str  #: a name, an address, `*`, or `*.` and a name
    port: int = HTTPS_PORT

    def matches(self, target: Target) -> bool:
        """Whether the target is meant."""
        if target.port != self.port:
            return False
        if target.address is not None or not self.host.startswith(_ANY):
            return target.host == self.host
        return target.host.endswith(self.host[1:])


@dataclass(frozen=True, slots=True)
class Egress:
    """Who may be reached."""

    allowed: tuple[HostPattern, ...]
    private: tuple[HostPattern, ...] = ()  #: of those, the ones that may be in a private network
    setting: str = "code.allowed_hosts"  #: what would allow more, for the sentences
    private_setting: str = "code.private_hosts"
    allows_this_host: bool = False  #: for tests alone; no setting says it


def parse_patterns(text: str, *, where: str) -> tuple[HostPattern, ...]:
    """Read a list with commas between.

    Raises:
        UsageError: an entry is no host; names it, and the setting.
    """
    return tuple(_parse_pattern(entry.strip(), where) for entry in text.split(",") if entry.strip())


def _parse_pattern(entry: str, where: str) -> HostPattern:
    try:
        prefix = "*." if entry.startswith("*.") else ""
        if entry == _ANY or entry.startswith("*:"):
            name = parse_target(f"any{entry[1:]}", HTTPS_PORT)
            return HostPattern(_ANY, name.port)
        target = parse_target(entry.removeprefix(prefix), HTTPS_PORT)
    except ValueError as error:
        hint = "Entries are host.example, *.host.example, * or an address, each with :port where it is not 443."
        raise UsageError(f"{where}: {entry!r} is no host: {error}.", hint=hint) from None
    if prefix and target.address is not None:
        raise UsageError(f"{where}: {entry!r} is no host: there is nothing below an address.")
    return HostPattern(prefix + target.host, target.port)


def parse_target(text: str, default_port: int | None = None) -> Target:
    """Read `host:port`.

    Raises:
        ValueError: it is none; says why.
    """
    if text.startswith("["):
        host, closing, rest = text[1:].partition("]")
        if not closing or (rest and not rest.startswith(":")):
            raise ValueError("the brackets of an address of version 6 are not closed")
        port_text = rest[1:] if rest else None
    else:
        host, colon, after = text.partition(":")
        port_text = after if colon else None
    if port_text is None:
        if default_port is None:
            raise ValueError("it has no port")
        port = default_port
    elif port_text.isascii() and port_text.isdecimal() and 0 < int(port_text[:6]) < 1 << 16:
        port = int(port_text)
    else:
        raise ValueError("its port is no number from 1 to 65535")
    return Target(_plain(host, is_bracketed=text.startswith("[")), port)


def _plain(host: str, *, is_bracketed: bool) -> str:
    address = _address(host)
    if address is not None:
        return str(address)
    if is_bracketed:
        raise ValueError("there is no address in the brackets")
    name = host.lower().removesuffix(".")
    labels = name.split(".")
    if not name or len(name) > _MOST_CHARACTERS or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("it has no name that a host can have")
    # 127.1, 2130706433 and 0x7f.0.0.1 are addresses to the system's resolver, whatever they look like.
    if labels[-1].isdecimal() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        raise ValueError("it is an address in an unusual form")
    return name


def _address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def refusal(egress: Egress, target: Target) -> str | None:
    """Say why a target may not be asked for; None when it may, as far as its name tells."""
    if any(pattern.matches(target) for pattern in egress.allowed):
        address = target.address
        return None if address is None else address_refusal(egress, target, address)
    if target.address is not None:
        return f"{target} is an address; only those that {egress.setting} lists by number may be reached"
    if any(pattern.matches(Target(target.host, pattern.port)) for pattern in egress.allowed):
        return f"{target} is not on a port that may be reached; {egress.setting} could allow it"
    return f"{target.host} is not among the hosts that may be reached; {egress.setting} could allow it"


def address_refusal(egress: Egress, target: Target, address: Address, own: Collection[Address] = ()) -> str | None:
    """Say why an address of an allowed target may not be connected to; None when it may.

    Args:
        own: addresses of this machine. A public one is no way in from outside: no firewall stands before it here.
    """
    where = f"{target.host} is at {address}" if target.address is None else f"{target.host} is"
    if is_of_this_host(address):
        return None if egress.allows_this_host else f"{where}, which is this machine; nothing allows that"
    if is_forbidden(address):
        return f"{where}, which is never reached from here"
    is_named = target.address is not None  # the number itself is on the list
    if is_named or any(pattern.matches(target) for pattern in egress.private):
        return None
    if unmapped(address) in own:
        return f"{where}, which is an address of this machine; {egress.private_setting} could allow it"
    if is_public(address):
        return None
    return f"{where}, which is not a public address; {egress.private_setting} could allow it"


def exact(hosts: Iterable[str]) -> tuple[HostPattern, ...]:
    """Patterns for hosts that are known by name, as `host` or `host:port`."""
    targets = (parse_target(host, HTTPS_PORT) for host in hosts)
    return tuple(dict.fromkeys(HostPattern(target.host, target.port) for target in targets))
