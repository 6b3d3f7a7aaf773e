"""One message to a webhook: to an address that was checked, in a time that is kept, and no further than there.

Each message has a connection of its own: nobody has to remember which certificate one that is kept was opened with.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from urllib.parse import SplitResult, urlsplit

from pitchey_cli.domain.addresses import Address
from pitchey_cli.domain.errors import Denied, InputNotFound, NetworkError, PitcheyError
from pitchey_cli.domain.webhooks import Reply, may_be_told
from pitchey_cli.network.reaching import addresses_of

SECONDS = 15.0  #: for everything that one message takes; Standard Webhooks asks for 15 to 30
_HEAD_BYTES = 16384  # of an answer, with all that comes before its status; reading it takes time from the loop
_MOST_INFORMED = 8  # answers of status 1xx, each of a few bytes: whoever says so often that it will answer does not
_HINT = "`webhooks.allow_private` lets webhooks go to private addresses."


class Post:
    """Sends messages. Of an answer it reads the head and no more."""

    def __init__(self, *, allow_private: bool, seconds: float = SECONDS) -> None:
        self._may_reach = partial(may_be_told, allow_private=allow_private)
        self._seconds = seconds
        self._trusted: ssl.SSLContext | None = None
        self._loading = asyncio.Lock()

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send one message; whatever becomes of it is a reply."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._send(urlsplit(url), headers, body)
        except TimeoutError:
            return Reply(None, problem=f"There was no answer within {self._seconds:g} s")
        except (Denied, InputNotFound) as error:
            # Who names hosts is not to learn what the names of this network lead to, nor which of them there are.
            problem = f"{urlsplit(url).hostname} has no address that webhooks go to"
            return Reply(None, problem=problem, reason=str(error).rstrip("."))
        except PitcheyError as error:
            return Reply(None, problem=str(error).rstrip("."))
        except (OSError, ValueError) as error:
            return Reply(None, problem=f"It could not be asked: {_reason(error)}")

    async def _send(self, target: SplitResult, headers: Mapping[str, str], body: bytes) -> Reply:
        host, port = target.hostname or "", target.port or (443 if target.scheme == "https" else 80)
        trusted = await self._certificates() if target.scheme == "https" else None
        problem: OSError | None = None
        for address in await _off_the_loop(partial(addresses_of, host, port, may_reach=self._may_reach, hint=_HINT)):
            try:
                reader, writer = await _connect(address, host, port, trusted)
            except OSError as error:
                problem = error
                continue
            try:
                return await _exchange(reader, writer, target, headers, body)
            finally:
                writer.transport.abort()  # whatever else there is to say: nobody listens
        raise problem or NetworkError("There is nobody to ask.")

    async def _certificates(self) -> ssl.SSLContext:
        async with self._loading:
            if self._trusted is None:
                self._trusted = await asyncio.to_thread(ssl.create_default_context)  # reads a large file
            return self._trusted


async def _connect(
    address: Address, host: str, port: int, trusted: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a connection to an address; the certificate is to be that of the name."""
    if trusted is None:
        return await asyncio.open_connection(str(address), port)
    return await asyncio.open_connection(str(address), port, ssl=trusted, server_hostname=host)


async def _exchange(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    target: SplitResult,
    headers: Mapping[str, str],
    body: bytes,
) -> Reply:
    import h11  # late: a daemon that tells nobody anything does without

    query = f"?{target.query}" if target.query else ""
    own = {"host": target.netloc, "content-length": str(len(body)), "connection": "close"}
    head = h11.Request(method="POST", target=f"{target.path or '/'}{query}", headers=[*own.items(), *headers.items()])
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD_BYTES)
    for event in (head, h11.Data(body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    left, informed = _HEAD_BYTES, 0
    try:
        while not isinstance(said := connection.next_event(), h11.Response):
            if said is h11.NEED_DATA:
                if left == 0:
                    raise NetworkError("The head of its answer is too long.")
                read = await reader.read(left)
                left -= len(read)
                connection.receive_data(read)
            elif (informed := informed + 1) > _MOST_INFORMED:
                raise NetworkError("It says that it will answer, again and again.")
    except h11.RemoteProtocolError as error:
        raise NetworkError("It ended the connection, or answered what is no HTTP.") from error
    return Reply(said.status_code, dict(said.headers).get(b"retry-after", b"").decode("latin-1"))


def _reason(error: Exception) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error) or type(error).__name__


async def _off_the_loop(look: Callable[[], Sequence[Address]]) -> Sequence[Address]:
    """Look a host up in a thread of its own: whoever answers for a name may take a minute for it, and the threads that
    others share must not wait for that. Nobody waits for the thread when the process ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Sequence[Address]] = loop.create_future()

    def settle(found: Sequence[Address], error: Exception | None) -> None:
        if done.done():  # whoever asked has given up
            return
        if error is None:
            done.set_result(found)
        else:
            done.set_exception(error)

    def work() -> None:
        found: Sequence[Address] = ()
        error: Exception | None = None
        try:
            found = look()
        except Exception as raised:  # for whoever waits, whatever it is
            error = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, found, error)

    threading.Thread(target=work, name="pitchey-lookup", daemon=True).start()
    return await done
