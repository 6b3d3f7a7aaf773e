"""The proxy of slots beside a test that is no coroutine, and a TLS server that stands for an allowed host."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import shutil
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.egress import Egress
from pitchey_cli.engines import images
from pitchey_cli.engines.discovery import connect
from pitchey_cli.proxy.dialling import resolve
from pitchey_cli.proxy.server import EgressProxy, Visit
from processors.code.slot_protocol import PROXY_DIR, PROXY_VARIABLE
from processors.vocabulary import Service
from tests.conftest import RESOURCES
from tests.resources.slots import Extra, Ground


def slot_ground(kind: str, directory: Path) -> Iterator[Ground]:
    """An engine that holds the image of the code service; nothing is left on it."""
    url = os.environ.get(f"PITCHEY_TEST_{kind.upper()}")
    if not url:
        pytest.fail(f"There is no {kind} for the tests: `make test` starts one.")
    engine = connect(kind, url, state_dir=directory)
    for _ in images.ensure(engine, Service.CODE, images.find_ca_bundle(None)):
        pass
    engine.close()
    ground = Ground(kind, url, images.current_tag(Service.CODE))
    yield ground
    left = ground.left()
    ground.end()
    assert left == []


CERTIFICATE = RESOURCES / "sandbox" / "network" / "allowed.example.pem"  #: of allowed.example and other.example


class _Site(BaseHTTPRequestHandler):
    files: Mapping[str, bytes] = {}

    def do_GET(self) -> None:
        body = self.files.get(self.path)
        if body is None and self.files:
            self.send_error(404)
            return
        body = body or f"hello from {self.headers['Host']}".encode()
        self.send_response(200)
        if self.path.endswith("/"):
            self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def site(files: Callable[[str], Mapping[str, bytes]] = lambda base: {}) -> Iterator[int]:
    """A TLS server on loopback; its port.

    Args:
        files: by path, when it is told its own URL; none to say hello at any.
    """

    class Site(_Site):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Site.files = files(f"https://allowed.example:{server.server_address[1]}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Network:
    """A proxy that runs, and what it tells."""

    directory: Path
    visits: list[Visit] = field(default_factory=list)

    @property
    def extra(self) -> Extra:
        """What a slot with it has."""
        return Extra(mounts={PROXY_DIR: self.directory}, environment={PROXY_VARIABLE: "1"})

    def problems(self) -> str:
        return "\n".join(visit.line() for visit in self.visits)


@contextmanager
def network(
    directory: Path,
    egress: Egress,
    *,
    addresses: Mapping[str, Sequence[str]] | None = None,
    ca_bundle: Path | None = CERTIFICATE,
) -> Iterator[Network]:
    """Run a proxy in a thread.

    Args:
        addresses: of names; None to ask the system.
    """
    directory.mkdir(mode=0o755)
    if ca_bundle is not None:
        shutil.copyfile(ca_bundle, directory / "ca-bundle.crt")
    found = Network(directory)

    async def lookup(host: str, port: int) -> Sequence[Address]:
        if addresses is None:
            return await resolve(host, port)
        if host not in addresses:
            raise OSError(-2, "Name or service not known")
        return [ipaddress.ip_address(text) for text in addresses[host]]

    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    is_ready = threading.Event()

    async def serve() -> None:
        async with EgressProxy(directory / "proxy.sock", egress, found.visits.append, lookup=lookup):
            is_ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert is_ready.wait(10)
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
