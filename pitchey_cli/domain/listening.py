"""Where the API listens, and who can reach that. Pure: a text in, an address out."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.values import dataclass

_HINT = "127.0.0.1:8080, [::1]:8080, 0.0.0.0:8080, or unix:/run/pitchey/api.sock; port 0 takes a free one."
_LONGEST_SOCKET_BYTES = 107  # of the name of a Unix socket, sun_path in unix(7)


@dataclass(frozen=True)
class Address:
    """A host and a port, or the path of a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""  #: of a Unix socket; empty for TCP
    has_tls: bool = False

    @property
    def is_private(self) -> bool:
        """Whether only this machine reaches it."""
        return bool(self.path) or self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback

    def __str__(self) -> str:
        """As people call it."""
        if self.path:
            return f"unix:{self.path}"
        scheme = "https" if self.has_tls else "http"
        return f"{scheme}://[{self.host}]:{self.port}" if ":" in self.host else f"{scheme}://{self.host}:{self.port}"


def address_of(text: str, *, what: str = "--api") -> Address:
    """Read `HOST:PORT` or `unix:PATH`.

    Args:
        what: where it is said; for the message.

    Raises:
        UsageError: it is neither. Names of hosts are not looked up: what listens should not depend on a name server.
    """
    if text.startswith(("unix:", "/", "./")):
        path = str(Path(text.removeprefix("unix:")).expanduser().absolute())
        if len(path.encode()) > _LONGEST_SOCKET_BYTES:
            raise UsageError(f"{path} is too long for a Unix socket.", hint="107 bytes at most.")
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        number = int(port) if colon and port.isascii() and port.isdigit() else -1
        if host != "localhost":
            ipaddress.ip_address(host)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise UsageError(f"{what}: {text!r} is no address to listen on.", hint=_HINT)
    return Address("127.0.0.1" if host == "localhost" else host, number)


def is_name_of_this_machine(host_header: str) -> bool:
    """Whether a Host header names this machine by a name that nobody else can give it.

    A page of a stranger whose name is made to lead to 127.0.0.1 (DNS rebinding) sends its own name here.
    """
    host = host_header.rsplit(":", 1)[0] if not host_header.endswith("]") else host_header
    host = host.strip("[]").lower()
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
