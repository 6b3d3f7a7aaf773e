"""Names that programs ask for, and what that may cost others."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import threading
from types import SimpleNamespace

import psutil
import pytest

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.egress import Egress, Target, parse_patterns
from pitchey_cli.proxy.dialling import dial, own_addresses, resolve
from pitchey_cli.proxy.request import Refused


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


def test_a_name_does_not_lead_to_a_public_address_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    here = SimpleNamespace(family=socket.AF_INET, address="93.184.216.34")
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"eth0": [here]})

    async def lookup(host: str, port: int) -> list[Address]:
        return [ipaddress.ip_address(here.address)]

    with pytest.raises(Refused, match="an address of this machine"):
        asyncio.run(dial(Target("host.example", 443), Egress(parse_patterns("*", where="allowed")), lookup))


def test_the_addresses_of_this_machine_are_known() -> None:
    assert ipaddress.ip_address("127.0.0.1") in own_addresses()
