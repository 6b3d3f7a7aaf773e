"""Names that programs ask for, and what that may cost others."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from pitchey_cli.proxy.dialling import resolve


def test_names_that_nobody_answers_for_leave_threads_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        answers.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)

    async def carry_out() -> str:
        asking = [asyncio.create_task(resolve(f"slow-{number}.example", 443)) for number in range(64)]
        await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 5)
        finally:
            answers.set()
            await asyncio.gather(*asking)

    assert asyncio.run(carry_out()) == "done"
