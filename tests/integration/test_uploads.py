"""Uploads that come piece by piece: what a crash, a second request or a full house leaves of them."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Queue

import httpx
import pytest

from pitchey_cli import settings as configuration
from pitchey_cli.api.desk import Desk
from pitchey_cli.artifacts.incoming import About, Arrivals, Incoming
from pitchey_cli.domain import layout
from pitchey_cli.domain.access import Role
from pitchey_cli.domain.errors import PitcheyError, QuotaReached
from pitchey_cli.domain.listening import Address
from pitchey_cli.remote.address import server_at
from pitchey_cli.remote.client import Client
from pitchey_cli.remote.uploads import upload as send
from pitchey_cli.wiring import SystemClock, Wiring
from tests.resources.served import CONTENT, Served, served
from tests.resources.waiting import until

TUS = {"Tus-Resumable": "1.0.0"}
FILM = bytes(range(250)) * 4
DIGEST = hashlib.sha256(FILM).hexdigest()
MIB = 1 << 20  # that is written at once
UPLOADERS = 8  # threads that write what comes


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "shop") as ready:
        yield ready


def begin(length: int, digest: str = "") -> dict[str, str]:
    said = {"filename": "film.mp4"} | ({"sha256": digest} if digest else {})
    metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in said.items())
    return {**TUS, "Upload-Length": str(length), "Upload-Metadata": metadata}


def piece(offset: int) -> dict[str, str]:
    return {**TUS, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}


def order(client: httpx.Client, place: str) -> httpx.Response:
    spec = {"inputUrl": f"upload:{place.rpartition('/')[2]}", "outputFormat": "thumbnail"}
    return client.post("/v1/jobs", json={"service": "video", "spec": spec})


# --- whose threads are whose


@pytest.fixture
def stuck(api: Served) -> Iterator[None]:
    """Uploads whose disk takes nothing, as many as are written at once."""
    client = api.client(api.token(Role.ADMIN))
    places = [client.post("/v1/uploads", headers=begin(4)).headers["location"] for _ in range(UPLOADERS)]
    parts = [*layout.incoming(api.wiring.state_dir).rglob("part")]
    assert len(parts) == UPLOADERS
    for part in parts:
        part.unlink()
        os.mkfifo(part)  # whoever opens it waits for somebody who reads

    def send(place: str) -> None:
        assert client.patch(place, headers=piece(0), content=b"film").status_code == 503

    sending = [threading.Thread(target=send, args=(place,)) for place in places]
    for each in sending:
        each.start()
    try:
        while True:
            client.head(places[0], headers=TUS, timeout=0.3)
    except httpx.TimeoutException:  # no thread has time for it
        pass
    yield
    readers = [os.open(part, os.O_RDONLY | os.O_NONBLOCK) for part in parts]
    for each in sending:
        each.join()
    for reader in readers:
        os.close(reader)


def test_a_disk_that_hangs_under_uploads_keeps_nobody_from_their_results(
    api: Served, tmp_path: Path, stuck: None
) -> None:
    job_id = api.add()
    api.succeed(job_id, tmp_path)
    client = api.client(api.token(Role.ADMIN))
    (output,) = client.get(f"/v1/jobs/{job_id}/outputs").json()["outputs"]
    assert client.get(output["url"]).content == CONTENT


# --- all of it has come, and nobody has compared it


def left(api: Served, client: httpx.Client, content: bytes = FILM) -> str:
    """What a server leaves that is killed after the last byte: where the upload is."""
    place = str(client.post("/v1/uploads", headers=begin(len(FILM), DIGEST)).headers["location"])
    arrivals = Arrivals(layout.incoming(api.wiring.state_dir), 3600, 1 << 30)
    arrivals.append(arrivals.find("acme", place.rpartition("/")[2]), content, 0)
    return place


MEETINGS: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "asked how much has come": lambda client, place: client.head(place, headers=TUS),
    "begun again": lambda client, place: client.post("/v1/uploads", headers=begin(len(FILM), DIGEST)),
    "given an empty piece": lambda client, place: client.patch(place, headers=piece(len(FILM))),
    "ordered": order,
}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_an_upload_that_a_crash_has_kept_from_its_end_is_ended_by_whoever_meets_it(api: Served, meeting: str) -> None:
    client = api.client(api.token(Role.SUBMITTER, "acme"))
    place = left(api, client)
    met = MEETINGS[meeting](client, place)
    assert met.is_success, met.text
    assert met.headers.get("upload-offset", "1000") == "1000"
    whole = Arrivals(layout.incoming(api.wiring.state_dir), 3600, 1 << 30).find("acme", place.rpartition("/")[2])
    assert whole.is_whole and order(client, place).status_code in (200, 201)


@pytest.mark.parametrize("meeting", MEETINGS)
def test_one_that_came_as_something_else_is_refused_then_as_well(api: Served, meeting: str) -> None:
    client = api.client(api.token(Role.SUBMITTER, "acme"))
    place = left(api, client, FILM[::-1])
    assert MEETINGS[meeting](client, place).status_code == 422
    assert client.head(place, headers=TUS).status_code == 404, "all of it is gone"


def test_the_command_line_hears_of_a_film_that_came_wrong_before_it_was_compared(api: Served, tmp_path: Path) -> None:
    token = api.token(Role.SUBMITTER, "acme")
    left(api, api.client(token), FILM[::-1])
    film = tmp_path / "film.mp4"
    film.write_bytes(FILM)
    client = Client(server_at(str(api.address), what="the server"), token)
    with pytest.raises(PitcheyError, match="something else"):
        send(client, film, "film.mp4", None)
    kept = send(client, film, "film.mp4", None)
    assert send(client, film, "film.mp4", None) == kept, "and a whole one is known again"
    client.close()
    assert order(api.client(token), kept).status_code == 201


def test_an_empty_file_is_whole_from_its_beginning(api: Served) -> None:
    client = api.client(api.token(Role.SUBMITTER, "acme"))
    place = client.post("/v1/uploads", headers=begin(0)).headers["location"]
    assert client.patch(place, headers=piece(0)).status_code == 204
    assert Arrivals(layout.incoming(api.wiring.state_dir), 9, 9).find("acme", place.rpartition("/")[2]).is_whole


def test_whoever_asks_while_the_last_request_has_not_ended_does_not_hear_that_all_is_there(api: Served) -> None:
    client = api.client(api.token(Role.SUBMITTER, "acme"))
    place = client.post("/v1/uploads", headers=begin(MIB)).headers["location"]
    chunks: Queue[bytes] = Queue()
    ended: list[httpx.Response] = []
    sender = api.client(api.token(Role.SUBMITTER, "acme"))
    sending = threading.Thread(
        target=lambda: ended.append(sender.patch(place, headers=piece(0), content=iter(chunks.get, b""))), daemon=True
    )
    sending.start()
    chunks.put(os.urandom(MIB))
    while (found := client.head(place, headers=TUS)).status_code == 200:
        assert int(found.headers["upload-offset"]) < MIB
    assert found.status_code == 423
    assert order(client, place).status_code == 423
    chunks.put(b"")
    sending.join()
    assert ended[0].status_code == 204 and client.head(place, headers=TUS).headers["upload-offset"] == str(MIB)


def test_a_client_that_goes_away_can_go_on_and_leaves_no_trace_in_the_log(
    api: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    token = api.token(Role.SUBMITTER, "acme")
    client = api.client(token)
    place = client.post("/v1/uploads", headers=begin(1000)).headers["location"]
    asked = piece(0) | {
        "Host": "x",
        "Authorization": f"Bearer {token}",
        "Content-Length": "1000",
        "Expect": "100-continue",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in asked.items())
    with socket.create_connection((api.address.host, api.address.port)) as leaving:
        leaving.sendall(f"PATCH {place} HTTP/1.1\r\n{head}\r\n".encode())
        assert leaving.recv(100).startswith(b"HTTP/1.1 100")  # it is being read
        leaving.sendall(b"x" * 300)

    def is_gone_on_with() -> bool:
        came = int(client.head(place, headers=TUS).headers["upload-offset"])
        return client.patch(place, headers=piece(came), content=b"y" * (1000 - came)).status_code == 204

    until(is_gone_on_with, "nobody is at it any more")
    assert "Traceback" not in capsys.readouterr().err


# --- many at once


def at_once(count: int, what: Callable[[int], None]) -> None:
    """Do something in many threads, which begin together."""
    gate = threading.Barrier(count)

    def begin_with_the_others(number: int) -> None:
        gate.wait()
        what(number)

    threads = [threading.Thread(target=begin_with_the_others, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_many_that_are_begun_together_pass_the_quota_no_more_than_one_after_the_other(tmp_path: Path) -> None:
    for attempt in range(20):
        assert begun_together(Arrivals(tmp_path, lasts_seconds=100, most_bytes=1000), f"acme {attempt}") == 1


def begun_together(arrivals: Arrivals, organisation: str) -> int:
    begun: list[Incoming] = []

    def one(number: int) -> None:
        with contextlib.suppress(QuotaReached):
            begun.append(arrivals.begin(organisation, About(f"{number}.mp4", 900, ""))[0])

    at_once(8, one)
    return len(begun)


def test_an_upload_is_there_while_it_is_being_ended(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, lasts_seconds=100, most_bytes=1 << 30)
    made = [arrivals.begin("acme", About(f"{number}.mp4", 1, ""))[0] for number in range(300)]
    for upload in made:
        arrivals.append(upload, b"1", 0)
    missed: list[Exception] = []

    def end_or_look(number: int) -> None:
        for upload in made:
            try:
                if number == 0:
                    arrivals.finish(upload)
                while not arrivals.find("acme", upload.id).is_whole:
                    pass
            except Exception as error:
                missed.append(error)
                return

    at_once(4, end_or_look)
    assert missed == []


# --- the disk


def test_a_folder_that_is_just_being_made_is_no_expired_upload(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, lasts_seconds=100, most_bytes=1000)
    made = tmp_path / "whose" / "upload"
    made.mkdir(parents=True)
    assert arrivals.sweep(now=made.stat().st_mtime + 99) == 0 and made.exists()
    assert arrivals.sweep(now=made.stat().st_mtime + 101) == 1 and not made.exists(), "a crash has left it so"


def test_expired_uploads_are_removed_again_after_the_disk_has_failed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded = configuration.load({"PITCHEY_STATE_DIR": str(tmp_path), "HOME": str(tmp_path)})
    desk = Desk.open(Wiring(loaded, tmp_path, SystemClock()), Address("127.0.0.1", 1))
    incoming = layout.incoming(tmp_path)
    incoming.write_text("no folder")

    def look(sweeping: asyncio.Task[None]) -> str:
        said = ""
        while not said and not sweeping.done():
            said = capsys.readouterr().err
        incoming.unlink()
        old, _ = desk.incoming.begin("acme", About("film.mp4", 10, ""))
        os.utime(old.path, (0, 0))
        while old.folder.exists() and not sweeping.done():
            pass
        assert not sweeping.done()
        return said

    async def watch() -> str:
        sweeping = asyncio.create_task(desk.sweep(every_seconds=0))
        said = await asyncio.to_thread(look, sweeping)
        sweeping.cancel()
        return said

    assert "could not be removed" in asyncio.run(watch())
    desk.close()
