"""Waiting for a bucket that cannot be reached: that costs no attempt, and no work that has been done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pitchey_cli.daemon.node import Node
from pitchey_cli.domain.errors import NetworkError, PitcheyError
from pitchey_cli.domain.job import Token

T = TypeVar("T")
PAUSES = (1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0)  #: seconds between tries
_LOOK_SECONDS = 1.0  # how often it is asked whether the attempt is to end


class Ended(PitcheyError):
    """Somebody wants the attempt to end."""


async def patiently(node: Node, token: Token, is_ending: Callable[[], bool], ask: Callable[[], Awaitable[T]]) -> T:
    """Ask the artifacts for something, and wait while they are in a bucket that cannot be reached.

    Raises:
        Ended: somebody wants the attempt to end meanwhile.
        NetworkError: the bucket has been away for too long.
    """
    for pause in PAUSES:
        try:
            return await ask()
        except NetworkError as error:
            node.report(f"{token} waits for the artifacts: {error}")
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
