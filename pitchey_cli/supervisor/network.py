"""The way out of a slot that may have one: a directory with the socket of a proxy, for as long as the slot is there."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pitchey_cli.domain.egress import Egress
from pitchey_cli.domain.surroundings import Surroundings
from pitchey_cli.domain.upstream import find_upstream
from pitchey_cli.engines.port import Mount
from pitchey_cli.proxy.server import EgressProxy, Visit
from processors.code.slot_protocol import CA_BUNDLE, PROXY_DIR, PROXY_SOCKET, PROXY_VARIABLE

ENVIRONMENT = ((PROXY_VARIABLE, "1"),)  #: of the container of a slot that has a way out


class Network:
    """Makes ways out."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._upstream = find_upstream(surroundings.proxies)
        self._ca_bundle = Path(surroundings.ca_bundle) if surroundings.ca_bundle else None

    @property
    def has_ca_bundle(self) -> bool:
        """Whether slots are given certificates of the host's own."""
        return self._ca_bundle is not None

    @asynccontextmanager
    async def way_out(self, egress: Egress, on_visit: Callable[[Visit], object]) -> AsyncIterator[Mount]:
        """One that lets a slot reach whom `egress` allows; to be mounted into it, and into no other."""
        # In the current directory, which is the instance's own and closed to others: names of sockets have to be short.
        directory = Path(f"out-{secrets.token_hex(6)}")
        try:
            await asyncio.to_thread(self._furnish, directory)
            socket = directory / Path(PROXY_SOCKET).name
            async with EgressProxy(socket, egress, on_visit, upstream=self._upstream):
                yield Mount(Path.cwd() / directory, PROXY_DIR, is_read_only=True)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def _furnish(self, directory: Path) -> None:
        directory.mkdir()
        directory.chmod(0o755)  # whatever the umask: the forwarder in the slot is nobody's user
        if self._ca_bundle is not None:
            bundle = directory / Path(CA_BUNDLE).name
            shutil.copyfile(self._ca_bundle, bundle)
            bundle.chmod(0o644)
