"""One attempt, with a slot that says what the test wants."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

from pitchey_cli.engines.slots import SlotEnd
from processors.code.frames import encode_raw
from processors.code.slot_protocol import JobFile
from tests.resources.scripted_slots import BEGIN_RUN, END, ScriptedSlotEngine, attempt_in, report, said


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


def test_a_slot_that_is_killed_while_it_hands_over_files_leaves_none(tmp_path: Path) -> None:
    class KilledForMemory(ScriptedSlotEngine):
        def end_of(self, slot_id: str) -> SlotEnd:
            return SlotEnd(137, is_oom_killed=True)

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
