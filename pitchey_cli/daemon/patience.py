"""Waiting for a bucket that cannot be reached: that costs no attempt, and no work that has been done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import NetworkError, PitcheyError
from pitchey_cli.domain.job import Token

T = TypeVar("T")
_PAUSES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)  # seconds between tries
_LOOK_SECONDS = 1.0  # how often it is asked whether the attempt is to end


class Ended(PitcheyError):
    """Somebody wants the attempt to end."""


async def patiently(
    node: Node,
    token: Token,
    is_ending: Callable[[], bool],
    ask: Callable[[], Awaitable[T]],
    *,
    on: type[PitcheyError] | tuple[type[PitcheyError], ...] = NetworkError,
    saying: str = "waits for the artifacts",
) -> T:
    """Ask a bucket for something, and wait while it cannot be reached.

    Args:
        on: the troubles that pass.
        saying: what the attempt does meanwhile, for the operator's log.

    Raises:
        Ended: somebody wants the attempt to end meanwhile.
        PitcheyError: the trouble has not passed.
    """
    for pause in _PAUSES:
        try:
            return await ask()
        except on as error:
            node.report(f"{token} {saying}: {error}")
            await rest(pause, is_ending)
    return await ask()


async def rest(seconds: float, is_ending: Callable[[], bool]) -> None:
    """Wait, unless somebody wants the attempt to end.

    Raises:
        Ended: somebody does.
    """
    until = asyncio.get_running_loop().time() + seconds
    while (left := until - asyncio.get_running_loop().time()) > 0:
        if is_ending():
            raise Ended("It was ended while its files were on their way.")
        await asyncio.sleep(min(left, _LOOK_SECONDS))
