"""Group commit: many callers, one transaction, each on its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pitchey_cli.domain.errors import StaleToken, StoreError, UsageError
from pitchey_cli.domain.job import JobId, JobState, NewJob, Outcome, Token
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import Transition
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.writer import Writer
from processors.protocol import Reason, Service

NOW = datetime(2026, 3, 1, tzinfo=UTC)
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "pitchey.db"


@pytest.fixture
def writer(database: Path):
    writer = Writer(SqliteStore.open(database))
    yield writer
    writer.close()


def job(job_id: str) -> NewJob:
    return NewJob(id=JobId(job_id), service=Service.VIDEO, spec={})


def submit(writer: Writer, job_id: str):
    return writer.call(writer.store.enqueue, [job(job_id)], now=NOW)


class Gate:
    """Holds the writer's thread inside a call until it is opened, so that what follows becomes one group."""

    def __init__(self, writer: Writer) -> None:
        self._is_open, self._is_reached = threading.Event(), threading.Event()
        self._writer = writer

    async def close(self) -> asyncio.Task[None]:
        held = asyncio.create_task(self._writer.call(self._hold))
        await asyncio.to_thread(self._is_reached.wait, 10)
        return held

    def _hold(self) -> None:
        self._is_reached.set()
        assert self._is_open.wait(10)

    def open(self) -> None:
        self._is_open.set()


async def queued(*calls: asyncio.Task[None]) -> None:
    """Let tasks run until they wait for the writer."""
    for _ in calls:
        await asyncio.sleep(0)


async def test_an_answer_is_durable(writer, database):
    await submit(writer, "a")
    assert SqliteStore.open(database).job_ids("") == ["a"]


async def test_a_lone_call_returns_what_the_store_returned(writer):
    await submit(writer, "a")
    places = Places([Candidate("i-1", 1, 1)])
    claimed = await writer.call(
        writer.store.claim,
        PoolKey(Service.VIDEO),
        places=places,
        policy=QueuePolicy(),
        now=NOW,
        lease_until=NOW,
        tick=0,
    )
    assert [each.job.token for each in claimed] == ["a.1"]


async def test_one_failure_does_not_undo_the_others(writer, database):
    gate = Gate(writer)
    held = await gate.close()
    outcome, done = Outcome(Reason.COMPLETED), Transition(JobState.SUCCEEDED, 1, 0)
    calls = [
        asyncio.create_task(submit(writer, "a")),
        asyncio.create_task(writer.call(writer.store.finish, JobId("a"), Token("a.9"), outcome, done, now=NOW, tick=0)),
        asyncio.create_task(submit(writer, "a")),  # its id is taken
        asyncio.create_task(submit(writer, "b")),
    ]
    await queued(*calls)
    gate.open()
    await held
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in results] == [list, StaleToken, StoreError, list]
    assert SqliteStore.open(database).job_ids("") == ["a", "b"]


async def test_a_function_of_several_calls_happens_together_or_not_at_all(writer):
    def both() -> None:
        writer.store.enqueue([job("a")], now=NOW)
        writer.store.enqueue([job("a")], now=NOW)

    with pytest.raises(StoreError):
        await writer.call(both)
    assert await writer.call(writer.store.job_ids, "") == []


async def test_many_calls_share_a_commit(writer, database):
    gate = Gate(writer)
    held = await gate.close()
    calls = [asyncio.create_task(submit(writer, f"j{n}")) for n in range(50)]
    await queued(*calls)
    watcher = SqliteStore.open(database)
    before = watcher.data_version()
    seen: list[int] = []
    calls[0].add_done_callback(lambda _: seen.append(len(watcher.job_ids("", limit=100))))
    gate.open()
    await held
    await asyncio.gather(*calls)
    assert seen == [50]  # when the first was answered, all were on disk
    assert watcher.data_version() != before


async def test_a_call_that_is_cancelled_before_its_group_does_not_happen(writer):
    gate = Gate(writer)
    held = await gate.close()
    calls = [asyncio.create_task(submit(writer, name)) for name in ("a", "b")]
    await queued(*calls)
    calls[0].cancel()
    await asyncio.sleep(0)
    gate.open()
    await held
    await calls[1]
    assert await writer.call(writer.store.job_ids, "") == ["b"]


async def test_a_caller_that_goes_away_while_its_call_runs_disturbs_nobody(writer):
    gate = Gate(writer)
    held = await gate.close()
    held.cancel()
    gate.open()
    await submit(writer, "a")
    assert held.cancelled()


async def test_close_finishes_what_was_asked_for(writer, database):
    gate = Gate(writer)
    await gate.close()
    calls = [asyncio.create_task(submit(writer, f"j{n}")) for n in range(20)]
    await queued(*calls)
    gate.open()
    await asyncio.to_thread(writer.close)
    await asyncio.gather(*calls)
    assert len(SqliteStore.open(database).job_ids("", limit=100)) == 20
    with pytest.raises(StoreError, match="closed"):
        await submit(writer, "late")
    writer.close()


async def test_a_transaction_that_is_lost_fails_every_call_of_its_group(writer, database):
    """SQLite rolls everything back by itself on some errors: nobody may be told that it worked."""
    gate = Gate(writer)
    held = await gate.close()

    def lose() -> None:
        writer.store._db._raw.execute("ROLLBACK")

    calls = [asyncio.create_task(submit(writer, "a")), asyncio.create_task(writer.call(lose))]
    calls.append(asyncio.create_task(submit(writer, "b")))
    await queued(*calls)
    gate.open()
    await held
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in results] == [StoreError] * 3
    assert SqliteStore.open(database).job_ids("") == []
    await submit(writer, "c")  # and the writer goes on


async def test_what_is_noted_is_there_for_others_and_only_what_is_called_waits_for_the_disk(writer, database):
    def level() -> int:
        return int(writer.store._db.value("PRAGMA synchronous"))

    await writer.note(writer.store.enqueue, [job("a")], now=NOW)
    assert SqliteStore.open(database).job_ids("") == ["a"]
    full = 2  # sqlite.org/pragma.html#pragma_synchronous
    assert [await writer.note(level), await writer.call(level), await writer.note(level)] == [full - 1, full, full - 1]


async def test_what_is_noted_lasts_where_others_of_its_group_have_to(writer):
    gate = Gate(writer)
    held = await gate.close()
    calls = [
        asyncio.create_task(writer.note(lambda: int(writer.store._db.value("PRAGMA synchronous")))),
        asyncio.create_task(submit(writer, "a")),
    ]
    await queued(*calls)
    gate.open()
    await held
    assert await asyncio.gather(*calls) == [2, ["a"]]


async def served(writer: Writer, *items: str) -> tuple[list[list[str]], list[object]]:
    """With which items a function was called that is asked for each of them while the writer is busy; the answers."""
    gate = Gate(writer)
    held = await gate.close()
    met: list[list[str]] = []

    def add(names: Sequence[str]) -> list[str | Exception]:
        met.append(list(names))
        for name in names:
            writer.store.enqueue([job(name)], now=NOW)
        return [StaleToken(name) if name == "stale" else name.upper() for name in names]

    calls = [
        asyncio.create_task(submit(writer, "between") if name == "|" else writer.join(add, name)) for name in items
    ]
    await queued(*calls)
    gate.open()
    await held
    return met, await asyncio.gather(*calls, return_exceptions=True)


async def test_what_is_joined_is_done_with_its_neighbours_and_in_the_order_of_all(writer, database):
    met, answers = await served(writer, "a", "b", "|", "c")
    assert (met, answers) == ([["a", "b"], ["c"]], ["A", "B", ["between"], "C"])
    assert [each.id for each in SqliteStore.open(database).oldest_jobs(JobState.QUEUED, limit=9)] == [
        "a", "b", "between", "c",
    ]  # fmt: skip


@pytest.mark.parametrize("rest", [(), ("|",)], ids=["alone in its group", "with others"])
async def test_an_item_that_fails_is_done_alone_and_hinders_no_other(writer, database, rest):
    met, answers = await served(writer, "a", "a", "b", *rest)  # an id is taken once
    assert met == [["a", "a", "b"], ["a"], ["a"], ["b"]]
    assert [type(each) for each in answers[:3]] == [str, StoreError, str]
    assert SqliteStore.open(database).job_ids("") == ["a", "b"] + ["between"] * len(rest)


async def test_an_answer_that_is_an_error_is_told_to_whom_it_is_about(writer):
    _, answers = await served(writer, "a", "stale", "b")
    assert [type(each) for each in answers] == [str, StaleToken, str]


async def test_a_call_that_answers_with_an_error_answers_with_it(writer):
    """What stands against a daemon is looked at for a while before it is raised."""
    problem = UsageError("There is a node of that name.")
    assert await writer.call(lambda: problem) is problem
    assert await writer.note(lambda: problem) is problem


async def test_a_call_that_is_alone_in_its_group_and_fails_leaves_nothing(writer, database):
    def half() -> None:
        writer.store.enqueue([job("a")], now=NOW)
        _stale()

    with pytest.raises(StaleToken):
        await writer.call(half)
    assert SqliteStore.open(database).job_ids("") == []


async def test_a_note_that_fails_says_so(writer):
    with pytest.raises(StaleToken):
        await writer.note(_stale)


def _stale() -> None:
    raise StaleToken("It is another's.")
