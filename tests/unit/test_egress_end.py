"""Nothing of a proxy outlives its block."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.egress import Egress, parse_patterns
from pitchey_cli.proxy.server import EgressProxy, Visit


@pytest.mark.parametrize("turns", range(8))
def test_who_connects_as_the_slot_ends_is_not_served(tmp_path: Path, turns: int) -> None:
    is_over = False
    late: list[object] = []

    async def lookup(host: str, port: int) -> list[Address]:
        if is_over:
            late.append(host)
        return []

    def tell(visit: Visit) -> None:
        if is_over:
            late.append(visit)

    async def carry_out() -> None:
        nonlocal is_over
        egress = Egress(parse_patterns("*", where="allowed"))
        with socket.socket(socket.AF_UNIX) as program:
            async with EgressProxy(tmp_path / "proxy.sock", egress, tell, lookup=lookup):
                program.connect(str(tmp_path / "proxy.sock"))
                program.sendall(b"CONNECT host.example:443 HTTP/1.1\r\n\r\n")
                for _ in range(turns):
                    await asyncio.sleep(0)
            is_over = True
            for _ in range(50):
                await asyncio.sleep(0)

    asyncio.run(carry_out())
    assert late == []
