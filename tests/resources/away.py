"""A daemon with its API, and a command line that has nothing of it but an address."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import Pitchey
from tests.integration.test_api_daemon import start


@dataclass
class Away:
    """A daemon with its API, and a command line that has nothing of it but an address."""

    here: Pitchey  #: beside the database
    away: Pitchey  #: with a state directory of its own, which stays empty
    daemon: subprocess.Popen[str]
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Start the daemon again, at the same address."""
        self.daemon, self.port = started(self.here, self.port)

    def folder(self) -> Path:
        return self.away.cwd


def started(pitchey: Pitchey, port: int = 0) -> tuple[subprocess.Popen[str], int]:
    daemon = start(pitchey, f"127.0.0.1:{port}")
    return daemon.process, int(daemon.address.rpartition(":")[2])
