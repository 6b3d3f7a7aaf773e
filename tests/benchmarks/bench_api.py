"""How quick the API is, beside a bare Starlette route with the same payload, and what it costs the daemon's loop.

Prints a table. Needs no engine: nothing runs the jobs.

    python tests/benchmarks/bench_api.py [REQUESTS]
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the server is one of the tests' resources

from pitchey_cli.domain.access import Role
from tests.resources.served import served

REQUESTS = 10_000
CONNECTIONS = 8
TICK_SECONDS = 0.01
ROUNDS = 5
BODY = json.dumps({"service": "code", "spec": {"language": "python", "code": "print(1)"}}).encode()

Ask = Callable[[int], bytes]


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    context = multiprocessing.get_context("spawn")
    with _apart(context, _pitchey) as server:
        port, token, job = server
        submit, status = _requests(token, job)
        reads = asyncio.run(_load(port, lambda _: status, count))
        writes = asyncio.run(_load(port, lambda _: submit, count // 5))
        mixed = asyncio.run(_load(port, lambda number: status if number % 10 else submit, count))
    with _apart(context, _bare) as (port, _, _):
        bare_reads = asyncio.run(_load(port, lambda _: b"GET /job HTTP/1.1\r\nHost: x\r\n\r\n", count))
        bare = b"POST /job HTTP/1.1\r\nHost: x\r\n" + _content()
        bare_writes = asyncio.run(_load(port, lambda _: bare, count // 5))
    # By turns, because whatever else the machine does changes meanwhile.
    late: dict[str, list[float]] = {"alone": [], "beside": [], "together": []}
    for _ in range(ROUNDS):
        late["alone"].append(_lag(context, None, 0))
        with _apart(context, _pitchey) as server:
            late["beside"].append(_lag(context, server, count // 10))
        with _serving() as server:
            late["together"].append(_lag(context, server, count // 10))
    alone, beside, together = (statistics.median(each) for each in late.values())
    print(f"{'':40} {'per second':>10} {'p50 ms':>8} {'p99 ms':>8}")  # noqa: T201
    _row("status of a job", reads)
    _row("bare route, a payload as large", bare_reads)
    _row("submission of a job, on disk", writes)
    _row("bare route that reads the same body", bare_writes)
    _row("one submission to nine reads", mixed)
    print(f"status read / bare route, p50: {_median(reads) / _median(bare_reads):.1f} times")  # noqa: T201
    print(f"submission / bare route, p50: {_median(writes) / _median(bare_writes):.1f} times")  # noqa: T201
    print(f"a tick of {TICK_SECONDS * 1000:.0f} ms is late by, p99 ms, median of {ROUNDS} rounds:")  # noqa: T201
    print(f"  {alone:.1f} with nothing else, {beside:.1f} beside the API, {together:.1f} in one process")  # noqa: T201


def _requests(token: str, job: str) -> tuple[bytes, bytes]:
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n".encode()
    submit = b"POST /v1/jobs HTTP/1.1\r\n" + head + _content()
    return submit, b"GET /v1/jobs/" + job.encode() + b" HTTP/1.1\r\n" + head + b"\r\n"


def _content() -> bytes:
    return f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY


def _row(what: str, found: tuple[float, list[float]]) -> None:
    seconds, took = found
    took = sorted(took)
    p99 = took[int(len(took) * 0.99)] * 1000
    print(f"{what:40} {len(took) / seconds:10.0f} {_median(found) * 1000:8.2f} {p99:8.2f}")  # noqa: T201


def _median(found: tuple[float, list[float]]) -> float:
    return statistics.median(found[1])


# --- load


async def _load(port: int, ask: Ask, count: int) -> tuple[float, list[float]]:
    """Ask over a few connections that are kept; how long it took, and each answer. Any error ends it."""
    numbers, took = iter(range(count)), []
    began = time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            asked = time.perf_counter()
            writer.write(ask(number))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head[9:10] == b"2", head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            took.append(time.perf_counter() - asked)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return time.perf_counter() - began, took


# --- servers, each in a process of its own


@contextmanager
def _apart(context: Any, run: Callable[[Any], None]) -> Iterator[tuple[int, str, str]]:
    ours, theirs = context.Pipe()
    process = context.Process(target=run, args=(theirs,))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("enough")
        process.join(30)


@contextmanager
def _serving() -> Iterator[tuple[int, str, str]]:
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as folder,
        served(Path(folder), PITCHEY_API_REQUESTS_PER_MINUTE="100000000") as api,
    ):
        yield api.address.port, api.token(Role.SUBMITTER, "default"), api.add()


def _pitchey(told: Any) -> None:
    with _serving() as server:
        told.send(server)
        told.recv()


def _bare(told: Any) -> None:
    payload: dict[str, Any] = {"id": "x", "state": "queued", "spec": {"text": "x" * 1200}}

    async def get(request: Request) -> JSONResponse:
        return JSONResponse(payload)

    async def post(request: Request) -> JSONResponse:
        json.loads(await request.body())
        return JSONResponse(payload)

    app = Starlette(routes=[Route("/job", get), Route("/job", post, methods=["POST"])])
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, http="h11", loop="asyncio", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])))
    thread.start()
    told.send((listener.getsockname()[1], "", ""))
    told.recv()
    server.should_exit = True
    thread.join()


# --- the daemon's loop


def _lag(context: Any, server: tuple[int, str, str] | None, count: int) -> float:
    """By how much a loop that ticks here is late, while another process asks a server: the 99th percentile, in ms."""
    late: list[float] = []
    stop = threading.Event()
    ticking = threading.Thread(target=_tick, args=(late, stop))
    ticking.start()
    if server is None:
        time.sleep(3)
    else:
        asking = context.Process(target=_ask, args=(server, count))
        asking.start()
        asking.join()
    stop.set()
    ticking.join()
    return sorted(late)[int(len(late) * 0.99)] * 1000


def _ask(server: tuple[int, str, str], count: int) -> None:
    port, token, job = server
    submit, status = _requests(token, job)
    asyncio.run(_load(port, lambda number: status if number % 10 else submit, count))


def _tick(late: list[float], stop: threading.Event) -> None:
    async def tick() -> None:
        while not stop.is_set():
            due = time.perf_counter() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            late.append(time.perf_counter() - due)

    asyncio.run(tick())


if __name__ == "__main__":
    main()
