"""Slots that wait, and who gets them."""

from __future__ import annotations

import asyncio

import pytest

from pitchey_cli.supervisor.shelf import Shelf, SlotClass
from pitchey_cli.supervisor.slot import Slot
from tests.resources.scripted_slots import ScriptedSlotEngine

USUAL = SlotClass(64 << 20)


def test_a_slot_that_comes_as_its_job_is_cancelled_is_not_lost() -> None:
    async def carry_out() -> None:
        engine = ScriptedSlotEngine()
        may_make = asyncio.Event()

        async def make(wanted: SlotClass) -> Slot:
            await may_make.wait()
            # The waiter has its answer when this returns, and has not woken up yet when it is cancelled.
            asyncio.get_running_loop().call_soon(first.cancel)
            return engine.make()

        shelf = Shelf(make, most=1)
        first = asyncio.create_task(shelf.take(USUAL))
        await asyncio.sleep(0)
        may_make.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        given = {(await shelf.take(USUAL)).id}
        await shelf.close()
        assert set(engine.peers) == given  # all others were removed

    asyncio.run(carry_out())
