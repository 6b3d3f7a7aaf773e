"""One slot, whose other end is the test."""

from __future__ import annotations

import asyncio
import time

import pytest

from pitchey_cli.supervisor import slot as slots
from pitchey_cli.supervisor.slot import SlotLost
from processors.code.frames import encode_raw
from processors.code.languages import prepare
from processors.code.slot_protocol import JobFile
from processors.specs import CodeSpec
from tests.resources.scripted_slots import BEGIN_RUN, END, ScriptedSlotEngine, report, said

NOTHING = prepare(CodeSpec.model_validate({"language": "python", "code": "", "timeout": 1}))


def test_a_slot_with_much_to_say_lets_others_have_their_turn() -> None:
    async def carry_out() -> list[int]:
        engine = ScriptedSlotEngine()
        slot = engine.make()
        size = 128 << 10  # more than is read at a time, and all of it is there at once
        frames = report(outputs=(JobFile("out/large", size),))
        engine.peers[slot.id].sendall(said(BEGIN_RUN, *frames, *encode_raw(bytes(size)), END))
        turns = 0
        seen: list[int] = []

        async def others() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(others())
        await slot.give(NOTHING, take=lambda file, data: seen.append(turns), begins=lambda phase: None)
        other.cancel()
        return seen

    seen = asyncio.run(carry_out())
    assert seen[-1] > seen[0]


@pytest.mark.parametrize("has_begun", [False, True])
def test_only_of_a_program_that_has_begun_is_it_said_that_its_time_was_up(
    has_begun: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "_MARGIN_SECONDS", -0.9)
    monkeypatch.setattr(slots, "_SENDING_SECONDS", 0.1)

    async def carry_out() -> SlotLost:
        engine = ScriptedSlotEngine()
        slot = engine.make()
        if has_begun:
            engine.peers[slot.id].sendall(said(BEGIN_RUN))
        with pytest.raises(SlotLost) as lost:
            await slot.give(NOTHING, take=lambda file, data: None, begins=lambda phase: None)
        return lost.value

    lost = asyncio.run(carry_out())
    assert (lost.has_begun, lost.is_overdue) == (has_begun, has_begun)


def test_a_supervisor_that_was_stopped_hears_what_was_said_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "_MARGIN_SECONDS", -0.5)
    monkeypatch.setattr(slots, "_LATE_SECONDS", 0.0)

    async def carry_out() -> bool:
        engine = ScriptedSlotEngine()
        slot = engine.make()
        engine.peers[slot.id].sendall(said(BEGIN_RUN))

        def stop() -> None:
            engine.peers[slot.id].sendall(said(*report(), END))
            time.sleep(1.0)  # the whole process stands still, beyond the deadline

        def begins(phase: str) -> None:
            asyncio.get_running_loop().call_later(0.1, stop)

        answer = await slot.give(NOTHING, take=lambda file, data: None, begins=begins)
        return answer.is_complete

    assert asyncio.run(carry_out())
