"""Attempts that are over in moments: those that begin at once go to their worker in one request, on one connection.

Whoever carries out an attempt knows nothing of the others: it starts its own, and follows its own events.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from pydantic import ValidationError

from pitchey_cli.daemon.exchange import Answer, WorkerRefused
from pitchey_cli.domain.errors import InstanceGone, PitcheyError
from processors import protocol

_MOST = 64  # attempts in a request


class GroupedEvents:
    """The events of one attempt of a group, as they come. To be closed."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.is_over = False
        self._said: list[protocol.Event] = []
        self._error: PitcheyError | None = None
        self._changed = asyncio.Event()

    def add(self, event: protocol.Event) -> None:
        """One has come."""
        self._said.append(event)
        self.is_over = isinstance(event, protocol.ResultEvent | protocol.ErrorEvent)
        self._changed.set()

    def fail(self, error: PitcheyError) -> None:
        """No more will come."""
        if not self.is_over:
            self._error, self.is_over = error, True
            self._changed.set()

    async def begun(self) -> None:
        """Wait until the worker has taken the attempt.

        Raises:
            PitcheyError: it has not.
        """
        while not self._said:
            if self._error is not None:
                raise self._error
            await self._changed.wait()

    async def __aiter__(self) -> AsyncIterator[protocol.Event]:
        """Give them.

        Raises:
            InstanceGone: the stream broke before the last one.
        """
        while True:
            said, self._said = self._said, []
            for event in said:
                yield event
            if not self._said:
                if self._error is not None:
                    raise self._error
                if self.is_over:
                    return
                self._changed.clear()
                await self._changed.wait()

    async def close(self) -> None:
        """Follow them no further. May be called twice."""
        self.is_over = True


class Groups:
    """The attempts of one worker that are on their way to it, or that it has."""

    def __init__(self, send: Callable[[bytes], Awaitable[Answer]]) -> None:
        """Begin with none.

        Args:
            send: asks the worker to take an AttemptGroup; raises what went wrong.
        """
        self._send = send
        self._next: list[tuple[bytes, GroupedEvents]] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def start(self, token: str, request: bytes) -> GroupedEvents:
        """Start an attempt with all others that begin now.

        Raises:
            WorkerRefused: the worker takes this one not, or none.
            InstanceGone: nobody answers.
        """
        events = GroupedEvents(token)
        if not self._next:
            asyncio.get_running_loop().call_soon(self._begin)
        self._next.append((request, events))
        await events.begun()
        return events

    def _begin(self) -> None:
        while self._next:
            group, self._next = self._next[:_MOST], self._next[_MOST:]
            task = asyncio.create_task(self._carry(group))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)

    async def _carry(self, group: list[tuple[bytes, GroupedEvents]]) -> None:
        """Start a group, and pass on what is said of it until all has been said."""
        by_token = {events.token: events for _, events in group}
        gone: PitcheyError = InstanceGone("The worker has said no more of the attempt.")
        try:
            answer = await self._send(b'{"attempts":[%s]}' % b",".join(request for request, _ in group))
            try:
                async for line in answer.lines():
                    _tell(by_token, line)
            finally:
                await answer.close()
        except PitcheyError as error:
            gone = error
        finally:
            for _, events in group:
                events.fail(gone)


def _tell(by_token: dict[str, GroupedEvents], line: bytes) -> None:
    try:
        told = protocol.Told.model_validate_json(line)
    except ValidationError as error:
        raise InstanceGone(f"The event stream of a group broke: {error}.") from error
    events = by_token.get(told.token)
    if events is None:
        return
    if told.event is not None:
        events.add(told.event)
    elif told.refusal is not None:
        events.fail(WorkerRefused(told.status or 503, told.refusal.message))
