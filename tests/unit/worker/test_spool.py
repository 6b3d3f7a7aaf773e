"""The event log: what was appended is what every reader gets, from any place."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from processors.protocol import AcceptedEvent, ErrorEvent, Failure, LogEvent, Metrics, Reason
from processors.worker.spool import Spool

FAILURE = Failure(code="x", message="x", retryable=True, reason=Reason.FAILED)


def filled(spool: Spool, lines: int) -> Spool:
    spool.append(AcceptedEvent(seq=spool.next_seq, at=0))
    for number in range(lines):
        spool.append(LogEvent(seq=spool.next_seq, at=0, stream="stderr", line=f"line {number} " + "x" * 200))
    return spool


def finished(spool: Spool) -> Spool:
    spool.finish(ErrorEvent(seq=spool.next_seq, at=0, error=FAILURE, metrics=Metrics()))
    return spool


def read(spool: Spool, after: int) -> list[int]:
    async def collect() -> bytes:
        return b"".join([chunk async for chunk in spool.follow(after)])

    return [json.loads(line)["seq"] for line in asyncio.run(collect()).splitlines()]


@pytest.mark.parametrize("after", [0, 1, 700, 1001, 1002, 5000])
def test_a_reader_gets_what_follows_and_nothing_twice(tmp_path: Path, after: int) -> None:
    spool = finished(filled(Spool.create(tmp_path / "a.1"), 1000))
    assert read(spool, after) == list(range(after + 1, 1003))
    assert read(Spool.reopen(tmp_path / "a.1"), after) == list(range(after + 1, 1003))


def test_a_line_that_a_killed_worker_left_half_written_is_no_event(tmp_path: Path) -> None:
    filled(Spool.create(tmp_path / "a.1"), 2)
    with (tmp_path / "a.1" / "events.ndjson").open("ab") as file:
        file.write(b'{"seq":4,"at"')
    assert read(Spool.reopen(tmp_path / "a.1"), 0) == [1, 2, 3]


def test_the_ending_is_on_disk_in_full_when_a_reader_is_given_it(tmp_path: Path) -> None:
    spool = filled(Spool.create(tmp_path / "a.1"), 0)

    async def follow() -> list[bool]:
        seen = []
        async for _ in spool.follow(0):
            seen.append((tmp_path / "a.1" / "result.json").exists())
            if not spool.is_complete:
                finished(spool)
        return seen

    assert asyncio.run(follow()) == [False, True]


def test_a_spool_that_cannot_be_made_still_serves_its_events(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = finished(filled(Spool.create(tmp_path / "file" / "a.1"), 3))
    assert spool.write_error is not None
    assert read(spool, 1) == [2, 3, 4, 5]


def test_events_that_cannot_be_written_are_kept_in_bounded_number(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    spool = Spool.create(tmp_path / "file" / "a.1")
    while not spool.is_full:
        filled(spool, 0)
    assert spool.next_seq == 1001


def test_one_in_memory_is_on_disk_from_when_it_is_kept_and_its_reader_gets_nothing_twice(tmp_path: Path) -> None:
    spool = filled(Spool(tmp_path / "a.1"), 1)

    async def follow() -> list[int]:
        seen: list[int] = []
        async for chunk in spool.follow(0):
            seen += [json.loads(line)["seq"] for line in chunk.splitlines()]
            if not spool.is_complete:
                assert not (tmp_path / "a.1").exists() and spool.is_in_memory
                spool.keep()
                finished(filled(spool, 2))
        return seen

    assert asyncio.run(follow()) == [1, 2, 3, 4, 5, 6]
    assert not spool.is_in_memory
    assert read(Spool.reopen(tmp_path / "a.1"), 0) == [1, 2, 3, 4, 5, 6]


def test_one_that_ends_in_memory_leaves_nothing_and_is_read_all_the_same(tmp_path: Path) -> None:
    spool = finished(filled(Spool(tmp_path / "a.1"), 0))
    assert read(spool, 0) == [1, 2] and read(spool, 1) == [2]
    assert spool.is_in_memory and spool.write_error is None
    assert list(tmp_path.iterdir()) == []
