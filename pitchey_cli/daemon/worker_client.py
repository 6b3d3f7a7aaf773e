"""HTTP to the worker of one instance, or to its porter. Speaks processors/protocol.py and nothing else.

h11 on asyncio streams, a connection for each request: on a Unix socket that costs 0.1 ms, where a general client takes
five times as long for a request as the worker does (docs/decisions/001-http-in-the-worker.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from pydantic import ValidationError

from pitchey_cli.daemon.exchange import Answer, WorkerRefused, refusal
from pitchey_cli.daemon.line import Line
from pitchey_cli.daemon.worker_group import Groups
from pitchey_cli.domain.errors import InstanceGone
from pitchey_cli.domain.job import Token
from processors import protocol

_ANSWER_SECONDS = 15.0
_GROUPED_BYTES = 128 * 1024  # a request that is longer goes alone


class Events(Protocol):
    """The events of an attempt, as they come. To be closed."""

    def __aiter__(self) -> AsyncIterator[protocol.Event]:
        """Give them.

        Raises:
            InstanceGone: the stream broke before the last one.
        """

    async def close(self) -> None:
        """Follow them no further. May be called twice."""


class WorkerClient:
    """Speaks to one worker."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._groups = Groups(self._start_group)

    async def health(self) -> protocol.Health:
        """Ask the worker how it is.

        Raises:
            InstanceGone: nobody answers.
        """
        answer = await self._ask("GET", "/health")
        try:
            return protocol.Health.model_validate_json(answer)
        except ValidationError as error:
            raise InstanceGone(f"The worker's answer is not understood: {error}.") from error

    async def start(self, request: protocol.AttemptRequest) -> Events:
        """Start an attempt; one that the worker knows already is no error, so the call may be repeated.

        Those that may leave no spool are over in moments, and go to the worker together.

        Raises:
            WorkerRefused: 429 without a free slot, 503 while it drains.
            InstanceGone: nobody answers.
        """
        data = request.wire()
        if not request.inline_bytes or len(data) > _GROUPED_BYTES:
            return await self._start_alone(Token(request.token), data)
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await self._groups.start(request.token, data)
        except TimeoutError as error:
            raise _unanswered("POST", "/groups") from error
        except WorkerRefused as refusal:
            # A worker of before there were groups; or one that understands not all of this one: whose fault that is, it
            # says to each by itself.
            if refusal.status in (404, 405, 400, 413):
                return await self._start_alone(Token(request.token), data)
            if refusal.status == 409:  # it has known the attempt already
                return await self.events(Token(request.token), after=0)
            raise

    async def _start_alone(self, token: Token, request: bytes) -> Events:
        method, target = "POST", "/attempts?follow=1"
        answer = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._open(method, target, request)
                if answer.status not in (202, 409):
                    raise refusal(answer.status, await answer.whole())
        except BaseException as error:
            if answer is not None:
                await answer.close()
            if isinstance(error, TimeoutError):
                raise _unanswered(method, target) from error
            raise
        if answer.is_stream:
            return _Events(token, answer)
        await answer.close()  # it has known the attempt already
        return await self.events(token, after=0)

    async def _start_group(self, group: bytes) -> Answer:
        answer = await self._open("POST", "/groups", group)
        if answer.status != 202:
            try:
                raise refusal(answer.status, await answer.whole())
            finally:
                await answer.close()
        return answer

    async def end(self, token: Token, *, grace_seconds: float) -> None:
        """TERM the attempt's process group, and KILL it after the grace. An unknown token is no error."""
        await self._ask("DELETE", f"/attempts/{token}?grace={grace_seconds}", accept=(200, 202, 404))

    async def events(self, token: Token, *, after: int) -> Events:
        """Follow an attempt's events until the last one, however long that takes; the caller holds the deadline.

        Raises:
            WorkerRefused: 404 for a token that the worker does not know.
            InstanceGone: nobody answers.
        """
        answer = await self._open("GET", f"/attempts/{token}/events?after={after}")
        if answer.status != 200:
            try:
                raise refusal(answer.status, await answer.whole())
            finally:
                await answer.close()
        return _Events(token, answer)

    async def give(self, token: Token, links: protocol.Links) -> None:
        """Answer a `links` event."""
        await self._ask("POST", f"/attempts/{token}/links", body=links.wire())

    async def forget(self, token: Token) -> None:
        """Let a porter remove what it has of an attempt that has ended."""
        await self._ask("DELETE", f"/attempts/{token}/spool", accept=(200, 409))

    def close(self) -> None:
        """Let go of the line. May be called twice."""
        self._line.close()

    async def _ask(self, method: str, target: str, *, accept: tuple[int, ...] = (200,), body: bytes = b"") -> bytes:
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answer = await self._open(method, target, body)
                try:
                    said = await answer.whole()
                finally:
                    await answer.close()
        except TimeoutError as error:
            raise _unanswered(method, target) from error
        if answer.status not in accept:
            raise refusal(answer.status, said)
        return said

    async def _open(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Send a request, and wait for the head of its answer, which is to be closed.

        Raises:
            InstanceGone: there is none.
        """
        answer = Answer(*await self._line.open(), self._line.headers)
        try:
            await answer.ask(method, target, body)
            if answer.status == 401:  # another instance has taken the port
                raise InstanceGone("What answers is not the porter that was started here.")
        except BaseException:
            await answer.close()
            raise
        return answer


class _Events:
    """The events of an attempt, as they come. To be closed."""

    def __init__(self, token: Token, answer: Answer) -> None:
        self._token = token
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[protocol.Event]:
        """Give them.

        Raises:
            InstanceGone: the stream broke before the last one.
        """
        async for line in self._answer.lines():
            try:
                yield protocol.EVENT.validate_json(line)
            except ValidationError as error:
                raise InstanceGone(f"The event stream of {self._token} broke: {error}.") from error

    async def close(self) -> None:
        """Follow them no further. May be called twice."""
        await self._answer.close()


def _unanswered(method: str, target: str) -> InstanceGone:
    return InstanceGone(f"The worker has not answered {method} {target} in time.")
