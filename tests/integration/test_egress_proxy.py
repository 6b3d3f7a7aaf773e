"""The proxy for slots, with real sockets on loopback: what gets through, what does not, and that all of it ends."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.egress import Egress, parse_patterns
from pitchey_cli.domain.upstream import Upstream
from pitchey_cli.proxy.server import EgressProxy, ProxyLimits, Visit

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """A server on loopback; its port."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class Ground:
    """A proxy for one port, and what it tells."""

    def __init__(self, directory: Path, port: int, **changes: Any) -> None:
        self.visits: list[Visit] = []
        self.news = asyncio.Event()
        self.path = directory / "proxy.sock"
        self.asked: list[str] = []
        allowed = changes.pop("allowed", f"*:{port}")
        loopback = changes.pop("allows_this_host", True)
        self.addresses: dict[str, list[str]] = changes.pop("addresses", {})
        private = parse_patterns(changes.pop("private", ""), where="private")
        egress = Egress(parse_patterns(allowed, where="allowed"), private, allows_this_host=loopback)
        self.proxy = EgressProxy(self.path, egress, self.take, lookup=self.lookup, **changes)

    def take(self, visit: Visit) -> None:
        self.visits.append(visit)
        self.news.set()

    async def until_told(self, count: int) -> None:
        while len(self.visits) < count:
            self.news.clear()
            await self.news.wait()

    async def lookup(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        if host.startswith("nowhere"):
            raise OSError(-2, "Name or service not known")
        return [ipaddress.ip_address(text) for text in self.addresses.get(host, ["127.0.0.1"])]

    async def open(self, request: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        writer.write(request.encode())
        return reader, writer

    async def connect(self, target: str) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a target; the line of the status."""
        reader, writer = await self.open(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        return head.split(b"\r\n")[0].decode(), reader, writer

    async def ask(self, target: str) -> str:
        line, _, writer = await self.connect(target)
        writer.close()
        return line


def run(work: Callable[[], Awaitable[None]]) -> None:
    surprises: list[dict[str, Any]] = []

    async def limited() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: surprises.append(context))
        async with asyncio.timeout(30):
            await work()

    asyncio.run(limited())
    assert surprises == []


def test_what_is_allowed_goes_through_both_ways_and_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(echo) as port:
            ground = Ground(tmp_path, port)
            async with ground.proxy:
                line, reader, writer = await ground.connect(f"allowed.example:{port}")
                assert line == "HTTP/1.1 200 Connection established"
                data = b"x" * 1_000_000
                writer.write(data)
                assert await reader.readexactly(len(data)) == data
                writer.write_eof()
                assert await reader.read() == b""
            visit = ground.visits[0]
            assert (str(visit.target), visit.sent_bytes, visit.received_bytes) == (
                f"allowed.example:{port}",
                len(data),
                len(data),
            )
            assert visit.line().startswith(f"allowed.example:{port}: 1000000 bytes sent, 1000000 received in ")
            assert ground.asked == ["allowed.example"]

    run(work)


def test_what_is_not_allowed_is_refused_with_the_way_out_and_nobody_is_looked_up(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(echo) as port:
            ground = Ground(tmp_path, port, allowed=f"allowed.example:{port}")
            async with ground.proxy:
                line = await ground.ask(f"other.example:{port}")
                assert line == (
                    "HTTP/1.1 403 other.example is not among the hosts that may be reached; "
                    "code.allowed_hosts could allow it."
                )
                assert "not on a port" in await ground.ask("allowed.example:22")
                assert "is an address" in await ground.ask(f"127.0.0.1:{port}")
            assert ground.asked == []
            assert [visit.is_allowed for visit in ground.visits] == [False] * 3
            assert "refused: other.example is not among" in ground.visits[0].line()

    run(work)


def test_a_name_that_leads_to_a_private_address_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        addresses = {
            "metadata.example": ["169.254.169.254"],
            "mapped.example": ["::ffff:7f00:1"],
            "own.example": ["127.0.0.1"],
            "lan.example": ["10.0.0.1", "192.168.0.1"],
        }
        async with serving(echo) as port:
            ground = Ground(tmp_path, port, allows_this_host=False, addresses=addresses)
            async with ground.proxy:
                for name, (address, *_) in addresses.items():
                    line = await ground.ask(f"{name}:{port}")
                    assert line.startswith("HTTP/1.1 403")
                    assert address in line

    run(work)


def test_the_connection_goes_to_the_address_that_was_checked_and_to_no_other(tmp_path: Path) -> None:
    """The second answer would lead elsewhere; nobody asks for it. Of several addresses, bad ones are left out."""

    async def work() -> None:
        async with serving(echo) as port:
            ground = Ground(tmp_path, port, addresses={"two.example": ["169.254.169.254", "127.0.0.1"]})
            async with ground.proxy:
                assert "200" in await ground.ask(f"two.example:{port}")
            assert ground.asked == ["two.example"]

    run(work)


def test_who_does_not_exist_or_does_not_answer_is_named(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(echo) as port:
            pass  # nobody listens there any more
        ground = Ground(tmp_path, port)
        async with ground.proxy:
            assert "502 nowhere.example could not be looked up" in await ground.ask(f"nowhere.example:{port}")
            assert f"502 there.example:{port} does not answer" in await ground.ask(f"there.example:{port}")

    run(work)


def test_what_is_no_connect_is_answered_and_ended(tmp_path: Path) -> None:
    async def work() -> None:
        ground = Ground(tmp_path, 443)
        async with ground.proxy:
            for request, status in [
                ("GET http://host.example/ HTTP/1.1\r\nHost: host.example\r\n\r\n", 403),
                ("CONNECT host.example\r\n\r\n", 400),
                ("CONNECT host.example HTTP/1.1\r\n\r\n", 400),
                ("CONNECT 2130706433:443 HTTP/1.1\r\n\r\n", 400),
                ("\x16\x03\x01\r\n\r\n", 400),
                ("CONNECT " + "x" * 20_000, 431),
            ]:
                reader, writer = await ground.open(request)
                assert (await reader.readline()).startswith(f"HTTP/1.1 {status} ".encode()), request
                await reader.read()
                writer.close()
            reader, writer = await ground.open("")
            writer.close()
        assert len(ground.visits) == 6

    run(work)


def test_who_says_nothing_does_not_hold_a_place_for_ever(tmp_path: Path) -> None:
    async def work() -> None:
        limits = ProxyLimits(head_seconds=0.05, idle_seconds=0.1)
        async with serving(silent) as port:
            ground = Ground(tmp_path, port, limits=limits)
            async with ground.proxy:
                reader, writer = await ground.open("CONN")
                assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
                writer.close()
                _, reader, writer = await ground.connect(f"quiet.example:{port}")
                assert await reader.read() == b""
                writer.close()
        assert "nothing has moved" in ground.visits[-1].line()

    run(work)


def test_connections_and_bytes_have_a_limit(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(echo) as port:
            ground = Ground(tmp_path, port, limits=ProxyLimits(connections=2, traffic_bytes=100_000))
            async with ground.proxy:
                held = [await ground.connect(f"a.example:{port}") for _ in range(2)]
                assert "503 There are 2 connections already" in await ground.ask(f"a.example:{port}")
                _, reader, writer = held[0]
                writer.write(bytes(200_000))
                received = b""
                try:
                    while data := await reader.read(1 << 16):
                        received += data
                except ConnectionError:
                    pass
                assert len(received) <= 100_000
                held[1][2].close()
                await ground.until_told(3)
                assert "used up" in await ground.ask(f"a.example:{port}")
        assert any("used up" in visit.problem for visit in ground.visits)

    run(work)


def test_closing_ends_every_tunnel_and_leaves_no_socket(tmp_path: Path) -> None:
    async def work() -> None:
        async with serving(silent) as port:
            ground = Ground(tmp_path, port)
            async with ground.proxy:
                _, reader, _ = await ground.connect(f"a.example:{port}")
            assert await reader.read() == b""
            assert not ground.path.exists()
            assert ground.visits[-1].problem == "ended with its program"
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work)


def test_a_host_behind_a_proxy_of_its_own_goes_through_that_one(tmp_path: Path) -> None:
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        is_welcome = b"closed.example" not in heads[-1]
        writer.write(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n" if is_welcome else b"HTTP/1.1 407 Login\r\n\r\n")
        await (echo if is_welcome else silent)(reader, writer)

    async def work() -> None:
        async with serving(proxy) as proxy_port, serving(echo) as port:
            upstream = Upstream("127.0.0.1", proxy_port, False, "Basic dTpw", (f"past.example:{port}",))
            ground = Ground(tmp_path, port, upstream=upstream)
            async with ground.proxy:
                line, reader, writer = await ground.connect(f"far.example:{port}")
                assert "200" in line
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
                writer.close()
                assert "200" in await ground.ask(f"past.example:{port}")
                assert "502 The proxy of this host answers 407" in await ground.ask(f"closed.example:{port}")
                assert "403" in await ground.ask("far.example:22")
            assert ground.asked == ["past.example"]  # the others are for the other proxy to find
            assert heads[0].startswith(f"CONNECT far.example:{port} HTTP/1.1\r\n".encode())
            assert b"Proxy-Authorization: Basic dTpw\r\n" in heads[0]

    run(work)


def test_a_path_longer_than_the_name_of_a_socket_is_no_obstacle(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()

    async def work() -> None:
        ground = Ground(deep, 443)
        async with ground.proxy:
            assert ground.path.is_socket()

    run(work)
