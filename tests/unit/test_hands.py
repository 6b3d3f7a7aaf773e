"""Threads that hang: whoever asks is told so in time, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.api.hands import Hands, Threads
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.port import Store
from pitchey_cli.store.sqlite import SqliteStore


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def refusal(threads: Threads, stuck: threading.Event) -> Refused:
    with pytest.raises(Refused) as raised:
        await threads.run(stuck.wait)
    return raised.value


def test_a_thread_that_hangs_is_given_up_and_the_next_are_told_that_none_has_time(stuck: threading.Event) -> None:
    threads, others = Threads(1, seconds=0.1, begin_seconds=0.05), Threads(1)

    async def ask() -> None:
        first = await refusal(threads, stuck)
        assert (first.status, first.code, first.headers["Retry-After"]) == (503, "timed-out", "5")
        second = await refusal(threads, stuck)
        assert (second.status, second.code, second.headers["Retry-After"]) == (503, "busy", "5")
        assert await others.run(lambda: "at once") == "at once"
        stuck.set()
        assert await threads.run(lambda: "again") == "again", "what was given up takes no thread"

    asyncio.run(ask())
    threads.close()
    others.close()


def test_what_is_cancelled_from_outside_is_no_answer(stuck: threading.Event) -> None:
    threads = Threads(1)

    async def ask() -> None:
        asking = asyncio.create_task(threads.run(stuck.wait))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(ask())
    stuck.set()
    threads.close()


def test_what_has_to_be_tidied_up_is_though_whoever_waits_for_it_goes_away(stuck: threading.Event) -> None:
    threads, done = Threads(1, begin_seconds=0.01), threading.Event()

    async def ask() -> None:
        blocking = asyncio.create_task(threads.run(stuck.wait))
        await asyncio.sleep(0)
        tidying = asyncio.create_task(threads.tidy(done.set))
        await asyncio.sleep(0)
        tidying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tidying
        stuck.set()
        await blocking

    asyncio.run(ask())
    assert done.wait(10)
    threads.close()


def test_an_error_is_the_callers_own() -> None:
    threads = Threads(1)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(threads.run(lambda: 1 // 0))
    with pytest.raises(TimeoutError):
        asyncio.run(threads.run(_too_late))
    threads.close()


def test_a_database_that_was_away_when_a_thread_was_first_needed_is_asked_again(tmp_path: Path) -> None:
    away = [True]

    def connect() -> Store:
        if away:
            away.clear()
            raise StoreError("The database does not answer.")
        return SqliteStore.open(tmp_path / "pitchey.db")

    hands = Hands(connect, 1)
    with pytest.raises(StoreError, match="does not answer"):
        asyncio.run(hands.call(lambda store: store.last_event_id()))
    assert asyncio.run(hands.call(lambda store: store.last_event_id())) == 0
    hands.close()


def _too_late() -> None:
    raise TimeoutError
