"""The certificate that a server shows: read from its files, and read again when these have changed.

What renews a certificate replaces two files, one after the other. Until both belong together the ones before are shown.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from pitchey_cli.domain.errors import UsageError


@dataclass
class Certificate:
    """Files in PEM: a certificate with what leads to its authority behind it, and its key."""

    chain: Path
    key: Path | None = None  #: None: it is in the same file
    _context: ssl.SSLContext = field(init=False)
    _seen: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        """Read them.

        Raises:
            UsageError: they cannot be read, or do not belong together.
        """
        self._context = self._load(_new_context())
        self._seen = self._state()

    @property
    def context(self) -> ssl.SSLContext:
        """What connections are made with; the same one for ever, whatever is renewed."""
        return self._context

    def renew(self) -> bool:
        """Show what is in the files now to whoever connects from now on; False when they are as they were.

        Raises:
            UsageError: they cannot be read, or do not belong together; what was read before is still shown.
        """
        if (now := self._state()) == self._seen:
            return False
        self._seen = now  # trouble is told once, and not again until they change again
        self._load(_new_context())  # first into one that nobody uses: half of a pair would spoil it
        self._load(self._context)
        return True

    def _load(self, context: ssl.SSLContext) -> ssl.SSLContext:
        def refuse() -> str:
            raise UsageError(
                f"The key of {self.chain} has a password.", hint="Take one that has none: mode 0600 is it."
            )

        try:
            context.load_cert_chain(self.chain, self.key, password=refuse)
        except ssl.SSLError as error:
            where = f"{self.chain} and {self.key}" if self.key else f"{self.chain}"
            reason = (
                "they do not belong together" if "MISMATCH" in str(error) else "there is no certificate with its key"
            )
            raise UsageError(
                f"TLS: {where}: {reason}.", hint="Both are PEM; the key may be in the same file."
            ) from error
        except OSError as error:
            which = error.filename or (f"{self.chain} or {self.key}" if self.key else self.chain)
            raise UsageError(f"TLS: {which} cannot be read: {error.strerror}.") from error
        return context

    def _state(self) -> tuple[object, ...]:
        return tuple(_signature(each) for each in (self.chain, self.key) if each is not None)


def _signature(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_mtime_ns, found.st_size, found.st_ino


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
