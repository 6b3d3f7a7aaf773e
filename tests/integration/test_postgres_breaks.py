"""What breaks between us and a PostgreSQL server: who hangs with the lock, a server that goes, a lost answer."""

from __future__ import annotations

import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pytest

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.domain.job import JobId, NewJob
from pitchey_cli.store import connecting
from pitchey_cli.store.listening import listening
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.server import CONNECT_SECONDS, Server
from processors.vocabulary import Service
from tests.resources.waiting import DEADLINE_SECONDS, stand_still
from tests.servers.postgres import PostgresServer, postgres

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_HANG = """
import sys
from pitchey_cli.store.postgres import PostgresStore
store = PostgresStore.open(sys.argv[1])
with store.transaction():
    store.note_time(now=__import__("datetime").datetime(2026, 3, 1, tzinfo=__import__("datetime").timezone.utc))
    store.known_time()  # with a question, what is written is under way
    print("in it", flush=True)
    sys.stdin.read()
"""


def job(job_id: str) -> NewJob:
    return NewJob(JobId(job_id), Service.VIDEO, {})


def submit(store: PostgresStore, *job_ids: str) -> None:
    store.enqueue([job(each) for each in job_ids], now=NOON)


@pytest.fixture
def store(postgres_store_url: str) -> Iterator[PostgresStore]:
    with closing(PostgresStore.open(postgres_store_url)) as opened:
        yield opened


@pytest.fixture(scope="module")
def fragile() -> Iterator[PostgresServer]:
    """A server that tests may end: it has all that it has acknowledged, also after a crash."""
    with postgres(synchronous_commit="on", full_page_writes="on", wal_level="replica") as server:
        yield server


@pytest.fixture
def fragile_url(fragile: PostgresServer) -> Iterator[str]:
    name = fragile.create()
    yield fragile.url(name)
    fragile.drop(name)


@contextmanager
def hanging(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of a transaction, and stopped."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HANG, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "in it\n"
    stand_still(process.pid)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_writer_that_is_stopped_delays_the_others_for_seconds_and_changes_nothing(
    store: PostgresStore, postgres_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hanging(postgres_store_url):
        before = time.monotonic()
        submit(store, "one")
        assert time.monotonic() - before < 3 * connecting.SILENCE_SECONDS
    assert store.known_time() == NOON, "the newest event's: what it had begun is undone"


def test_a_writer_that_is_killed_delays_nobody(store: PostgresStore, postgres_store_url: str) -> None:
    with hanging(postgres_store_url) as process:
        process.kill()
        before = time.monotonic()
        submit(store, "one")
        assert time.monotonic() - before < connecting.SILENCE_SECONDS


def test_a_transaction_in_which_nothing_is_asked_leaves_nothing_open(
    store: PostgresStore, postgres_store_url: str, postgres_server: PostgresServer
) -> None:
    database = urlsplit(postgres_store_url).path.removeprefix("/")
    with store.transaction(), store.transaction():
        pass
    assert store.job_ids("") == []
    assert postgres_server.run("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'", database=database) == []


def test_who_may_wait_no_longer_is_told_so(postgres_store_url: str) -> None:
    with (
        closing(PostgresStore.open(postgres_store_url, busy_seconds=0.2)) as impatient,
        hanging(postgres_store_url),
        pytest.raises(StoreError, match="locked by another writer") as caught,
    ):
        submit(impatient, "one")
    assert "pg_stat_activity" in caught.value.hint


def test_a_store_that_has_lost_its_connection_waits_for_other_writers_as_before(
    store: PostgresStore, postgres_store_url: str, postgres_server: PostgresServer
) -> None:
    database = urlsplit(postgres_store_url).path.removeprefix("/")
    postgres_server.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid()",
        database=database,
    )
    waiting = f"SELECT 1 FROM pg_stat_activity WHERE datname = '{database}' AND wait_event_type = 'Lock'"
    with ThreadPoolExecutor() as pool, closing(PostgresStore.open(postgres_store_url)) as other:
        with other.transaction():
            other.note_time(now=NOON)
            assert other.known_time() == NOON, "it has the lock"
            submitted = pool.submit(submit, store, "one")
            while not submitted.done() and not postgres_server.run(waiting):
                pass
        submitted.result()
    assert store.job_ids("") == ["one"]


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_store_that_rests_while_its_server_is_restarted_goes_on_by_itself(
    fragile: PostgresServer, fragile_url: str, mode: str
) -> None:
    with closing(PostgresStore.open(fragile_url)) as store:
        submit(store, "one")
        fragile.restart(mode)
        assert store.job(JobId("one")).id == "one"
        fragile.restart(mode)
        submit(store, "two")
        assert sorted(store.job_ids("")) == ["one", "two"]


def test_whoever_had_to_connect_again_waits_for_others_as_before(fragile: PostgresServer, fragile_url: str) -> None:
    with closing(PostgresStore.open(fragile_url)) as store:
        fragile.restart()
        assert store.job_ids("") == []  # it is connected again
        with hanging(fragile_url):
            submit(store, "one")
        assert store.job_ids("") == ["one"]


def test_what_was_in_the_middle_of_a_transaction_is_undone_and_the_next_one_works(
    fragile: PostgresServer, fragile_url: str
) -> None:
    with closing(PostgresStore.open(fragile_url)) as store:
        with pytest.raises(StoreError), store.transaction():
            submit(store, "one")
            fragile.restart()
            submit(store, "two")
        assert store.job_ids("") == []
        submit(store, "three")
        assert store.job_ids("") == ["three"]


def test_a_server_that_is_away_for_a_moment_is_waited_for_and_one_that_stays_away_is_an_error(
    fragile: PostgresServer, fragile_url: str
) -> None:
    with (
        closing(PostgresStore.open(fragile_url, busy_seconds=20)) as patient,
        closing(PostgresStore.open(fragile_url, busy_seconds=0.1)) as impatient,
    ):
        fragile.stop()
        try:
            with pytest.raises(StoreError, match="Nobody answers at"):
                submit(impatient, "one")
            with ThreadPoolExecutor() as pool:
                waits = pool.submit(submit, patient, "two")
                fragile.start()
                waits.result()
        finally:
            if fragile.is_stopped:
                fragile.start()
        submit(impatient, "three")
        assert sorted(patient.job_ids("")) == ["three", "two"]


class Cable:
    """Lies between a client and the server, and breaks at the next commit: before the server hears of it, or after."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.breaks: str | None = None  #: before, after
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        is_broken = False
        with client, server, suppress(OSError):
            while True:
                for each in select.select([client, server], [], [])[0]:
                    data = each.recv(65536)
                    if not data:
                        return
                    if each is client and self.breaks is not None and b"COMMIT" in data:
                        breaks, self.breaks, is_broken = self.breaks, None, True
                        if breaks == "before":
                            return
                    if each is server and is_broken:
                        return  # it has happened, and nobody is told
                    (server if each is client else client).sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def cable(postgres_server: PostgresServer) -> Iterator[Cable]:
    found = Cable(postgres_server.port)
    yield found
    found.close()


def through(cable: Cable, server: PostgresServer, url: str) -> str:
    database = urlsplit(url).path.removeprefix("/")
    return server.tcp_url(database).replace(f":{server.port}/", f":{cable.port}/") + "?sslmode=disable"


def test_a_commit_that_has_happened_and_was_not_answered_is_one(
    cable: Cable, postgres_server: PostgresServer, postgres_store_url: str
) -> None:
    with closing(PostgresStore.open(through(cable, postgres_server, postgres_store_url))) as store:
        cable.breaks = "after"
        submit(store, "one")
        assert cable.breaks is None, "it has not been cut"
        version = store.data_version()
        submit(store, "two")
        assert sorted(store.job_ids("")) == ["one", "two"]
        assert store.data_version() == version, "both were our own"


def test_a_commit_that_the_server_never_heard_of_is_an_error_and_nothing_has_happened(
    cable: Cable, postgres_server: PostgresServer, postgres_store_url: str
) -> None:
    with closing(PostgresStore.open(through(cable, postgres_server, postgres_store_url))) as store:
        cable.breaks = "before"
        with pytest.raises(StoreError, match="was lost"):
            submit(store, "one")
        assert store.job_ids("") == []
        submit(store, "one")
        assert store.job_ids("") == ["one"]


def test_whoever_listens_is_woken_by_people_and_not_by_what_daemons_do_themselves(postgres_store_url: str) -> None:
    woken = threading.Semaphore(0)
    with (
        listening(Server(postgres_store_url), woken.release),
        closing(PostgresStore.open(postgres_store_url, is_heard=False)) as daemons,
        closing(PostgresStore.open(postgres_store_url)) as peoples,
    ):
        assert woken.acquire(timeout=DEADLINE_SECONDS)  # it has begun
        submit(daemons, "one")
        with peoples.transaction():
            assert peoples.job_ids("") == ["one"]
        submit(peoples, "two")
        assert woken.acquire(timeout=DEADLINE_SECONDS)
        assert not woken.acquire(blocking=False)


def test_nobody_waits_for_who_listens_when_it_ends() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://ada@127.0.0.1:{silent.getsockname()[1]}/queue"
        with listening(Server(url), lambda: None):
            caller, _ = silent.accept()  # it is in the middle of connecting
            before = time.monotonic()
        assert time.monotonic() - before < CONNECT_SECONDS / 2
        caller.close()


def test_whoever_listens_listens_again_when_the_server_is_back(fragile: PostgresServer, fragile_url: str) -> None:
    woken = threading.Semaphore(0)
    PostgresStore.open(fragile_url).close()
    with listening(Server(fragile_url), woken.release):
        assert woken.acquire(timeout=DEADLINE_SECONDS)
        fragile.restart()
        assert woken.acquire(timeout=DEADLINE_SECONDS), "what was told meanwhile has to be looked for"


def test_events_of_many_writers_are_numbered_as_they_are_committed(postgres_store_url: str) -> None:
    """Else whoever remembers the last one seen would miss those that come late."""
    seen: list[int] = []
    done = threading.Event()

    def write(name: str) -> None:
        with closing(PostgresStore.open(postgres_store_url)) as store:
            for number in range(30):
                submit(store, f"{name}{number}")

    def read() -> None:
        with closing(PostgresStore.open(postgres_store_url)) as store:
            is_last = False
            while not is_last:
                is_last = done.is_set()
                while page := store.events(after=seen[-1] if seen else 0):
                    seen.extend(event.id for event in page)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for each in (reader, *writers):
        each.start()
    for each in writers:
        each.join()
    done.set()
    reader.join()
    assert len(seen) == 120 and seen == sorted(seen)


def test_what_fails_in_a_group_undoes_itself_alone_whether_it_was_sent_already_or_not(store: PostgresStore) -> None:
    def fail(*job_ids: str, is_sent: bool) -> None:
        with suppress(ZeroDivisionError), store.transaction():
            store.set_size_hint(Service.VIDEO, "failed", "lite")  # needs no answer, so it waits to be sent
            if is_sent:
                submit(store, *job_ids)
            raise ZeroDivisionError

    with store.transaction():
        fail(is_sent=False)
        submit(store, "one")
        fail("two", is_sent=True)
        with store.transaction():
            with store.transaction():
                fail(is_sent=False)
            store.set_size_hint(Service.VIDEO, "kept", "lite")
        with suppress(StoreError), store.transaction():
            store._db.run("INSERT INTO job_outputs SELECT 99, 0, 'a', 'a', 'a', 'a', '{}'")  # of no job
        fail("three", is_sent=True)
        submit(store, "four")
    assert sorted(store.job_ids("")) == ["four", "one"]
    assert [store.size_hint(Service.VIDEO, name) for name in ("failed", "kept")] == ["", "lite"]
    assert store.integrity() == []
