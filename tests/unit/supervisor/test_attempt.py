"""One attempt, with a slot that says what the test wants."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path

import pytest

from pitchey_cli.engines.slots import SlotEnd
from processors.code.frames import encode_document, encode_raw
from processors.code.slot_protocol import COMPILE, JobFile, begin_document
from tests.resources.scripted_slots import BEGIN_RUN, END, ScriptedSlotEngine, attempt_in, report, said


@pytest.fixture(autouse=True)
def _own_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a supervisor works in its instance's run directory


async def _feed(engine: ScriptedSlotEngine, data: bytes) -> None:
    """Be the slot, once there is one, and hear what it is told."""
    await engine.has_made.wait()
    peer = engine.peers[engine.made[0].id]
    peer.setblocking(False)
    await asyncio.get_running_loop().sock_sendall(peer, data)


async def _longest_pause(pauses: list[float]) -> None:
    last = time.monotonic()
    while True:
        await asyncio.sleep(0)
        now = time.monotonic()
        pauses.append(now - last)
        last = now


def test_many_empty_lines_neither_flood_the_log_nor_keep_other_attempts_waiting(tmp_path: Path) -> None:
    async def carry_out() -> float:
        engine = ScriptedSlotEngine()
        attempt = attempt_in(engine, tmp_path)
        pauses: list[float] = []
        watching = asyncio.create_task(_longest_pause(pauses))
        await asyncio.gather(attempt.run(set()), _feed(engine, said(BEGIN_RUN, *report(b"\n" * (1 << 20)), END)))
        watching.cancel()
        return max(pauses)

    assert asyncio.run(carry_out()) < 2.0
    assert (tmp_path / "spool" / "result.json").exists()
    events = (tmp_path / "spool" / "events.ndjson").read_bytes()
    assert b"the rest is left out" in events
    assert len(events) < 20 * 1024 * 1024


class KilledForMemory(ScriptedSlotEngine):
    def end_of(self, slot_id: str) -> SlotEnd:
        return SlotEnd(137, is_oom_killed=True)


def test_to_wait_for_a_turn_to_compile_is_not_the_time_of_the_program(tmp_path: Path) -> None:
    async def carry_out() -> None:
        engine = KilledForMemory()
        compilers = asyncio.Semaphore(0)  # somebody else compiles
        attempt = attempt_in(engine, tmp_path, compilers=compilers, language="go", code="package main")
        running = asyncio.create_task(attempt.run(set()))
        await engine.has_made.wait()
        asyncio.get_running_loop().call_later(1.0, compilers.release)
        await _feed(engine, said(encode_document(begin_document(COMPILE))))
        engine.peers[engine.made[0].id].shutdown(socket.SHUT_RDWR)
        await running
        assert not compilers.locked()

    asyncio.run(carry_out())
    ending = json.loads((tmp_path / "spool" / "result.json").read_bytes())
    assert ending["result"]["details"]["wallSeconds"] < 0.5


def test_a_slot_that_is_killed_while_it_hands_over_files_leaves_none(tmp_path: Path) -> None:
    async def carry_out() -> None:
        engine = KilledForMemory()
        attempt = attempt_in(engine, tmp_path)
        running = asyncio.create_task(attempt.run(set()))
        await _feed(engine, said(BEGIN_RUN, *report(outputs=(JobFile("out/a", 10),)), *encode_raw(b"half")))
        engine.peers[engine.made[0].id].shutdown(socket.SHUT_RDWR)
        await running

    asyncio.run(carry_out())
    assert b"MEMORY_LIMIT" in (tmp_path / "spool" / "result.json").read_bytes()
    assert sorted(path.name for path in (tmp_path / "spool").iterdir()) == ["events.ndjson", "out", "result.json"]
