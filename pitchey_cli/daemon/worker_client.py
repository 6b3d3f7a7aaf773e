"""HTTP to the worker of one instance, over its Unix socket. Speaks processors/protocol.py and nothing else."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
from pydantic import ValidationError

from pitchey_cli.domain.errors import InstanceGone, PitcheyError
from pitchey_cli.domain.job import Token
from processors import protocol

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0


class WorkerRefused(PitcheyError):
    """The worker answered, and said no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WorkerClient:
    """A connection pool to one worker.

    A Unix socket's path may have 107 bytes, and state directories are often deeper: so the socket is reached through
    a descriptor of its directory, by way of /proc/self/fd.
    """

    def __init__(self, run_dir: Path) -> None:
        self._directory = os.open(run_dir, os.O_PATH | os.O_DIRECTORY)
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=f"/proc/self/fd/{self._directory}/{protocol.SOCKET_NAME}"),
            base_url="http://worker",
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=False,
        )

    async def health(self) -> protocol.Health:
        """Ask the worker how it is.

        Raises:
            InstanceGone: nobody answers.
        """
        answer = await self._request("GET", "/health")
        return protocol.Health.model_validate_json(answer.content)

    async def start(self, request: protocol.AttemptRequest) -> None:
        """Start an attempt; one that the worker knows already is no error, so the call may be repeated.

        Raises:
            WorkerRefused: 429 without a free slot, 503 while it drains.
            InstanceGone: nobody answers.
        """
        answer = await self._request("POST", "/attempts", content=request.wire(), accept=(202, 409))
        del answer

    async def events(self, token: Token, *, after: int) -> AsyncIterator[protocol.Event]:
        """Follow an attempt's events until the last one.

        Raises:
            WorkerRefused: 404 for a token that the worker does not know.
            InstanceGone: the stream broke before the last event.
        """
        # No read timeout: an attempt may be silent for as long as it is allowed to run; the caller holds the deadline.
        timeout = httpx.Timeout(None, connect=_CONNECT_SECONDS)
        try:
            async with self._http.stream("GET", f"/attempts/{token}/events?after={after}", timeout=timeout) as answer:
                if answer.status_code != 200:
                    await answer.aread()
                    raise _refusal(answer)
                async for line in answer.aiter_lines():
                    if line:
                        yield protocol.EVENT.validate_json(line)
        except (httpx.TransportError, ValidationError) as error:
            raise InstanceGone(f"The event stream of {token} broke: {error}.") from error

    async def end(self, token: Token, *, grace_seconds: float) -> None:
        """TERM the attempt's process group, and KILL it after the grace. An unknown token is no error."""
        await self._request("DELETE", f"/attempts/{token}?grace={grace_seconds}", accept=(200, 202, 204, 404))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        os.close(self._directory)

    async def _request(
        self, method: str, path: str, *, content: bytes | None = None, accept: tuple[int, ...] = (200,)
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, content=content)
        except httpx.TransportError as error:
            raise InstanceGone(f"The worker does not answer: {error!r}.") from error
        if answer.status_code not in accept:
            raise _refusal(answer)
        return answer


def _refusal(answer: httpx.Response) -> WorkerRefused:
    try:
        message = protocol.Refusal.model_validate_json(answer.content).message
    except ValidationError:
        message = answer.text[:200]
    return WorkerRefused(answer.status_code, message)
