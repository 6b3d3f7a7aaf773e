"""The worker behind the porter, over its Unix socket. It is believed as little as on the host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import ValidationError

from processors.answers import lines_of, whole
from processors.porter.exchange import Answer, Body, Client, Place, Unreachable
from processors.protocol import EVENT, SOCKET_NAME, AttemptRequest, Event, Health, Refusal

_TRIES = 3
_RETRY_SECONDS = 0.2
_ANSWER_SECONDS = 15.0


class WorkerRefused(Exception):
    """The worker said no."""


class WorkerGone(Exception):
    """Nobody answers, or what answers is no worker."""


class Worker:
    """Speaks to it."""

    def __init__(self, run: Path) -> None:
        self._socket = run / SOCKET_NAME
        self._client = Client()

    async def health(self) -> Health:
        """Ask how it is.

        Raises:
            WorkerGone: nobody answers.
        """
        try:
            async with (
                asyncio.timeout(_ANSWER_SECONDS),
                self._client.request("GET", self._at("/health")) as answer,
            ):
                return Health.model_validate_json(await _whole(answer))
        except (Unreachable, ValidationError, TimeoutError) as error:
            raise WorkerGone(str(error)) from error

    async def end(self, token: str, *, grace_seconds: float) -> None:
        """Let it end an attempt. One that does not answer is found out by whoever follows its events."""
        try:
            target = self._at(f"/attempts/{token}?grace={grace_seconds}")
            async with asyncio.timeout(_ANSWER_SECONDS), self._client.request("DELETE", target) as answer:
                await _whole(answer)
        except (Unreachable, TimeoutError):
            return

    async def work(self, request: AttemptRequest) -> AsyncIterator[Event]:
        """Hand over an attempt, and give its events to the last.

        Raises:
            WorkerRefused: it does not take it.
            WorkerGone: it went away under it.
        """
        seen, broken, is_known = 0, 0, False
        data = request.wire()
        while True:
            target = f"/attempts/{request.token}/events?after={seen}" if is_known else "/attempts?follow=1"
            try:
                body = None if is_known else Body(len(data), _once(data))
                async with self._client.request("GET" if is_known else "POST", self._at(target), body=body) as answer:
                    if answer.status == 409 and not is_known:  # it has taken it, and the answer was lost
                        is_known = True
                        continue
                    if answer.status not in (200, 202):
                        raise WorkerRefused(_words(answer.status, await answer.explanation()))
                    is_known = True
                    async for event in _events(answer):
                        seen, broken = event.seq, 0
                        yield event
                        if event.type in ("result", "error"):
                            return
            except Unreachable as error:
                broken += 1
                if broken >= _TRIES:
                    raise WorkerGone(str(error)) from error
                await asyncio.sleep(_RETRY_SECONDS)

    def _at(self, target: str) -> Place:
        return Place("the worker", target, socket=self._socket)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _events(answer: Answer) -> AsyncIterator[Event]:
    endless = Unreachable("the worker says a line without end")
    async for line in lines_of(answer.chunks(still_seconds=None), endless):
        try:
            yield EVENT.validate_json(line)
        except ValidationError as error:
            raise Unreachable("the worker says what is no event") from error
    raise Unreachable("the worker has said no last event")


async def _whole(answer: Answer) -> bytes:
    return await whole(answer.chunks(), Unreachable("the worker's answer has no end"))


def _words(status: int, said: str) -> str:
    try:
        return Refusal.model_validate_json(said).message
    except ValidationError:
        return f"The worker answers {status}."
