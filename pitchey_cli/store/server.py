"""Which PostgreSQL server and database: a URL, how it is shown, and how connections to it behave.

The password may be in the URL, in PGPASSWORD or in a password file; it is in nothing that we print.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pitchey_cli.domain.errors import StoreError, UsageError
from pitchey_cli.domain.urls import masked

SCHEMES = ("postgresql", "postgres")
CONNECT_SECONDS = 5
#: The first with client_connection_check_interval, by which a server notices that whom it works for is gone
#: (PostgreSQL's manual, "Release 14").
OLDEST_VERSION = 14
#: What was sent and is not acknowledged for so long was lost: the network between us is cut.
UNHEARD_MILLISECONDS = 8000


@dataclass(frozen=True)
class Server:
    """A database on a PostgreSQL server."""

    url: str

    @classmethod
    def parse(cls, url: str) -> Server:
        """Check a URL.

        Raises:
            UsageError: it names no PostgreSQL database.
        """
        try:
            parts = urlsplit(url)
            is_ours = parts.scheme in SCHEMES and "://" in url and (parts.port is None or parts.port > 0)
        except ValueError:
            is_ours = False
        if not is_ours:
            hint = "It is postgresql://USER@HOST:PORT/DATABASE; empty means SQLite in the state directory."
            raise UsageError(f"{masked(url)!r} is no URL of a PostgreSQL database.", hint=hint)
        return cls(url)

    def __str__(self) -> str:
        return masked(self.url)

    def __repr__(self) -> str:
        return f"Server({masked(self.url)!r})"

    def check_version(self, number: int) -> None:
        """Raise StoreError for a server that is too old.

        Args:
            number: as libpq has it, 130004 for 13.4.
        """
        major, minor = divmod(number, 10000)
        if major >= OLDEST_VERSION:
            return
        said = f"{major}.{minor}" if major >= 10 else f"{major}.{minor // 100}.{minor % 100}"  # 9.6.24 had three parts
        text = f"{self} is PostgreSQL {said}; Pitchey needs {OLDEST_VERSION} or newer."
        raise StoreError(text, hint="Upgrade the server (`pg_upgrade`), or name another one in store.url.")

    @property
    def manners(self) -> dict[str, Any]:
        """How to connect, beside what the URL says, which goes before."""
        chosen = {
            "connect_timeout": CONNECT_SECONDS,
            "application_name": "pitchey",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 2,
            "tcp_user_timeout": UNHEARD_MILLISECONDS,
        }
        said = dict(parse_qsl(urlsplit(self.url).query))
        return {name: value for name, value in chosen.items() if name not in said}
