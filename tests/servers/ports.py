"""Ports of loopback that nobody has."""

from __future__ import annotations

import random
import socket

#: Below those that the kernel gives to outgoing connections: nobody takes one between our look and the server's start.
_FROM, _TO = 20_000, 32_000


def free_ports(count: int) -> list[int]:
    """So many that are free just now, and each another."""
    held: list[socket.socket] = []
    try:
        for port in random.SystemRandom().sample(range(_FROM, _TO), _TO - _FROM):
            listener = socket.socket()
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                listener.close()
                continue
            held.append(listener)
            if len(held) == count:
                break
        return [listener.getsockname()[1] for listener in held]
    finally:
        for listener in held:
            listener.close()
