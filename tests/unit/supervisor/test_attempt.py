"""One attempt, with a slot that says what the test wants."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

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
