"""Status reads and submissions while jobs run, beside a bare FastAPI route with the same payload in the same minute.

A real daemon on the process engine has video jobs to do all the time. Prints a table. A number is worth something on a
machine that does nothing else: what counts on others is how it stands to that of the bare route.

    python tests/benchmarks/bench_api_load.py [REQUESTS] [CONNECTIONS] [RATE]

Requests come at a steady rate, as those of many programs do, and each answer is timed from when its request was due: a
server that is late with one is late with those that wait behind it. RATE 0 asks as fast as answers come.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the daemon is started as the tests start it

from tests.conftest import RESOURCES, Pitchey
from tests.integration.test_api_daemon import start

REQUESTS, CONNECTIONS, RATE = 10_000, 8, 100.0
WRITES = 10  #: one request in so many is a submission
JOBS = 600  #: that wait for the few that run
BODY = json.dumps({"service": "code", "spec": {"language": "python", "code": "print(1)"}, "runAt": "in 8 h"}).encode()


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REQUESTS
    connections = int(sys.argv[2]) if len(sys.argv) > 2 else CONNECTIONS
    rate = float(sys.argv[3]) if len(sys.argv) > 3 else RATE
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        environment = {"PITCHEY_ENGINE_KIND": "process", "PITCHEY_API_REQUESTS_PER_MINUTE": "100000000"}
        pitchey = Pitchey(Path(folder) / "state", Path(folder), environment)
        try:
            _run(pitchey, count, connections, rate)
        finally:
            pitchey.end()


def _run(pitchey: Pitchey, count: int, connections: int, rate: float) -> None:
    token = pitchey.ok("token", "add", "bench", "--role", "admin", "--all-organisations").lines[0]
    daemon = start(pitchey)
    port = int(daemon.address.rpartition(":")[2])
    client = httpx.Client(base_url=daemon.address, headers={"Authorization": f"Bearer {token}"}, timeout=300)
    job = _give_work(client)
    head = f"Host: x\r\nAuthorization: Bearer {token}\r\n".encode()
    status, submit = b"GET /v1/jobs/" + job.encode() + b" HTTP/1.1\r\n" + head + b"\r\n", _post("/v1/jobs", head)
    payload = client.get(f"/v1/jobs/{job}").json()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    bare = context.Process(target=_bare, args=(theirs, payload))
    bare.start()
    bare_port = ours.recv()
    bare_status, bare_submit = b"GET /job HTTP/1.1\r\nHost: x\r\n\r\n", _post("/job", b"Host: x\r\n")
    took: dict[str, list[float]] = {}
    for _ in range(4):  # by turns, because whatever else the machine does changes meanwhile
        for name, where, asked in (
            ("pitchey", port, (status, submit)),
            ("bare", bare_port, (bare_status, bare_submit)),
        ):
            for kind, found in asyncio.run(_load(where, asked, count // 4, connections, rate)).items():
                took.setdefault(f"{name} {kind}", []).extend(found)
    running = client.get("/v1/status").json()["jobs"]["video"]
    ours.send("enough")
    bare.join(30)
    print(f"{count:,} requests over {connections} connections, no errors; video jobs: {running}")  # noqa: T201
    print(f"{'':24} {'p50 ms':>8} {'p99 ms':>8}")  # noqa: T201
    for name, found in took.items():
        print(f"{name:24} {_share(found, 0.5):8.2f} {_share(found, 0.99):8.2f}")  # noqa: T201
    for share in (0.5, 0.99):
        ratio = _share(took["pitchey status"], share) / _share(took["bare status"], share)
        print(f"status read / bare FastAPI route, p{share * 100:.0f}: {ratio:.1f} times")  # noqa: T201


def _give_work(client: httpx.Client) -> str:
    clip = (RESOURCES / "video" / "sample_10s.mp4").read_bytes()
    asked = {"jobs": [{"service": "video", "spec": {"outputFormat": "thumbnail"}, "noCache": True}]}
    first = client.post("/v1/jobs", files={"input": ("clip.mp4", clip)}, data={"job": json.dumps(asked)}).json()
    job: str = first["jobs"][0]["id"]
    ended = client.get(f"/v1/jobs/{job}", params={"wait": 60}).json()
    assert ended["state"] == "succeeded", ended
    same = {"inputUrl": "upload:input", "outputFormat": "mp4", "resolution": "854x480"}
    specs = [{**same, "start": number / 1000} for number in range(JOBS)]
    many = [{"service": "video", "spec": spec} for spec in specs]
    for begin in range(0, JOBS, 200):
        body = {"job": json.dumps({"jobs": many[begin : begin + 200]})}
        client.post("/v1/jobs", files={"input": ("clip.mp4", clip)}, data=body).raise_for_status()
    return job


def _post(path: str, head: bytes) -> bytes:
    content = f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
    return f"POST {path} HTTP/1.1\r\n".encode() + head + content


async def _load(
    port: int, asked: tuple[bytes, bytes], count: int, connections: int, rate: float
) -> dict[str, list[float]]:
    """How long each answer took, in seconds, of status reads and of submissions. Any error ends it."""
    numbers, took = iter(range(count)), {"status": [], "submission": []}  # type: dict[str, list[float]]
    start = time.perf_counter()

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            kind = "status" if number % WRITES else "submission"
            began = time.perf_counter()
            if rate:
                due = start + number / rate
                await asyncio.sleep(max(0.0, due - began))
                began = due
            writer.write(asked[0] if kind == "status" else asked[1])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head[9:10] == b"2", head
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            took[kind].append(time.perf_counter() - began)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(connections)))
    return took


def _share(found: list[float], share: float) -> float:
    return sorted(found)[int(len(found) * share)] * 1000


class Asked(BaseModel):
    """What the bare route reads."""

    service: str
    spec: dict[str, Any]
    runAt: str  # noqa: N815


def _bare(told: Any, payload: dict[str, Any]) -> None:
    app = FastAPI()
    answer: Callable[[], dict[str, Any]] = lambda: payload  # noqa: E731

    @app.get("/job")
    async def get() -> dict[str, Any]:
        return answer()

    @app.post("/job")
    async def post(asked: Asked) -> dict[str, Any]:
        return answer()

    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(app, http="h11", loop="asyncio", log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server._serve([listener])))
    thread.start()
    told.send(listener.getsockname()[1])
    told.recv()
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main()
