"""A tunnel whose carrier was not awake."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from pitchey_cli.proxy.relay import Allowance, Relay


def test_a_tunnel_that_comes_to_its_end_as_bytes_come_ends_for_want_of_movement_and_not_of_sense() -> None:
    async def carry_out() -> None:
        near, program = socket.socketpair()
        far, server = socket.socketpair()
        tunnel = Relay(
            await asyncio.open_unix_connection(sock=near),
            await asyncio.open_unix_connection(sock=far),
            Allowance(1 << 20),
            idle_seconds=0.2,
        )

        def stop() -> None:
            program.sendall(b"hello")
            time.sleep(0.5)  # the whole process stands still

        asyncio.get_running_loop().call_later(0.05, stop)
        with pytest.raises(TimeoutError):
            await tunnel.run()
        assert tunnel.sent == 5
        assert server.recv(10) == b"hello"

    asyncio.run(carry_out())
