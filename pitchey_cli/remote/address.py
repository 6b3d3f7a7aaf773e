"""Where a server is: `https://HOST[:PORT]`, `http://HOST:PORT` or `unix:PATH`. Pure: a text in, an address out."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.domain.listening import address_of, is_name_of_this_machine
from pitchey_cli.values import dataclass

_HINT = "https://pitchey.example, http://127.0.0.1:8080, or unix:/run/pitchey/api.sock."


@dataclass(frozen=True)
class ServerAddress:
    """A server."""

    url: str  #: without a slash at its end; of a Unix socket what HTTP needs to call it
    path: str = ""  #: of a Unix socket

    @property
    def is_overheard(self) -> bool:
        """Whether others on the way could read a token that is sent there."""
        return not self.path and self.url.startswith("http:") and not is_name_of_this_machine(urlsplit(self.url).netloc)

    def __str__(self) -> str:
        """As people call it."""
        return f"unix:{self.path}" if self.path else self.url


def server_at(text: str, *, what: str) -> ServerAddress:
    """Read an address.

    Args:
        what: where it is said; for the message.

    Raises:
        UsageError: it is none, or has a token or a password in it, which would be seen by others.
    """
    if text.startswith(("unix:", "/", "./")):
        return ServerAddress("http://localhost", address_of(text, what=what).path)
    try:
        parts = urlsplit(text)
        port_is_one = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        port_is_one = False
    if not port_is_one or parts.scheme not in ("http", "https") or not parts.hostname or not text.isprintable():
        raise UsageError(f"{what}: {text[:100]!r} is no address of a server.", hint=_HINT)
    if parts.username or parts.password:
        hint = "Leave it out: a token comes from PITCHEY_TOKEN, --token-file or the keyring."
        raise UsageError(f"{what}: what stands before the @ would be seen by others.", hint=hint)
    if parts.query or parts.fragment:
        raise UsageError(f"{what}: {text[:100]!r} has more than an address.", hint=_HINT)
    return ServerAddress(text.rstrip("/"))


def token_in_file(path: Path) -> str:
    """A token out of a file: its first line.

    Raises:
        UsageError: it is not there, may not be read, or has none.
    """
    try:
        lines = path.expanduser().read_text(encoding="utf-8").split("\n", 1)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"The token cannot be read from {path}: {reason}.") from error
    return checked_token(lines[0].strip(), f"The first line of {path}")


def checked_token(text: str, what: str) -> str:
    """A token that can be sent as it is.

    Raises:
        UsageError: it cannot; the text itself is not repeated.
    """
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise UsageError(f"{what} is no token.", hint="`pitchey token add NAME` makes one: pitchey_...")
    return text
