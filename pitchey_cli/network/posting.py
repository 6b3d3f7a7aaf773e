"""One message to a webhook: to an address that was checked, in a time that is kept, and no further than there.

Each message has a connection of its own. One that is kept would be found by its address, and so could be that of
another name at the same address, whose certificate nobody has looked at for this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.errors import InputNotFound, NetworkError, PitcheyError, UsageError
from pitchey_cli.domain.webhooks import Reply, may_be_told
from pitchey_cli.network.reaching import addresses_of, pinned

if TYPE_CHECKING:
    import ssl

    import httpx

SECONDS = 15.0  #: for everything that one message takes; Standard Webhooks asks for 15 to 30
_HINT = "`webhooks.allow_private` lets webhooks go to private addresses."


class Post:
    """Sends messages. Of an answer it reads the head and no byte more."""

    def __init__(self, *, allow_private: bool, seconds: float = SECONDS) -> None:
        self._may_reach = partial(may_be_told, allow_private=allow_private)
        self._seconds = seconds
        self._trusted: ssl.SSLContext | None = None

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one message; whatever becomes of it is a reply."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(url, headers, body)
        except TimeoutError:
            return Reply(None, problem=f"There was no answer within {self._seconds:g} s")
        except PitcheyError as error:
            return Reply(None, problem=str(error).rstrip("."))

    async def _send(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        import httpx  # late: a daemon that tells nobody anything does without

        try:
            target = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise UsageError(f"{url} is no URL: {error}") from error
        trusted = await self._certificates() if target.scheme == "https" else False
        found = await _off_the_loop(partial(addresses_of, target, may_reach=self._may_reach, hint=_HINT))
        problem: Exception | None = None
        try:
            async with httpx.AsyncClient(trust_env=False, verify=trusted, timeout=self._seconds) as client:
                for address in found:
                    try:
                        return await _ask(client, target, address, headers, body)
                    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                        problem = error
        except httpx.HTTPError as error:
            problem = error
        raise NetworkError(f"It could not be asked: {str(problem) or type(problem).__name__}")

    async def _certificates(self) -> ssl.SSLContext:
        import httpx

        if self._trusted is None:
            self._trusted = await asyncio.to_thread(httpx.create_ssl_context)
        return self._trusted


async def _ask(
    client: httpx.AsyncClient, target: httpx.URL, address: Address, headers: Mapping[str, str], body: bytes
) -> Reply:
    there = pinned(target, address)
    sent = {**headers, **there.headers, "Connection": "close"}
    async with client.stream(
        "POST", there.url, headers=sent, content=body, extensions=there.extensions, follow_redirects=False
    ) as response:
        return Reply(response.status_code, response.headers.get("retry-after", ""))


async def _off_the_loop(look: Callable[[], Sequence[Address]]) -> Sequence[Address]:
    """Look a host up in a thread of its own: whoever answers for a name may take a minute for it, and the threads that
    others share must not wait for that. Nobody waits for the thread when the process ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Sequence[Address]] = loop.create_future()

    def settle(found: Sequence[Address], error: BaseException | None) -> None:
        if done.done():  # whoever asked has given up
            return
        if error is None:
            done.set_result(found)
        else:
            done.set_exception(error)

    def work() -> None:
        found: Sequence[Address] = ()
        error: BaseException | None = None
        try:
            found = look()
        except Exception as raised:
            error = raised if isinstance(raised, PitcheyError) else InputNotFound(f"It cannot be looked up: {raised}")
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=work, name="pitchey-lookup", daemon=True).start()
    return await done
