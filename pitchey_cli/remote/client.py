"""Requests to a server: with the token, with patience where a request may be made twice, and errors in our words.

A request is repeated when nobody knows whether it was heard, and only if that changes nothing: reads, what sets
something to a value, and submissions, which carry a key by which the server knows them again. 429 is waited for, as
long as the server says, since nothing has been done then.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from pitchey_cli import __version__
from pitchey_cli.domain.errors import PitcheyError, TimedOut
from pitchey_cli.remote.address import ServerAddress
from pitchey_cli.remote.failures import Unreachable, not_understood, of_answer, of_transport

#: how long a server may be away that has answered before: a daemon that is started again, a network that comes back
PATIENCE_SECONDS = 60.0
_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # between two tries; the last one again and again
_CONNECT_SECONDS, _READ_SECONDS = 30.0, 90.0
_LONGEST_WAIT_SECONDS = 60.0  # that a server may ask for with Retry-After
_MAY_RETRY = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
_AGAIN = frozenset({423, 502, 503, 504})
_MOST_WAITS = 10  # of one request, for a server that has too many of them


class Client:
    """A connection to one server."""

    def __init__(self, address: ServerAddress, token: str = "", *, patience_seconds: float = PATIENCE_SECONDS) -> None:
        headers = {"User-Agent": f"pitchey/{__version__}", "Accept-Encoding": "identity"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        transport = httpx.HTTPTransport(uds=address.path) if address.path else None
        self.address = address
        self._patience = patience_seconds
        self._has_answered = False
        self._http = httpx.Client(
            transport=transport,
            base_url=address.url,
            headers=headers,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            trust_env=not address.path,
        )

    @property
    def where(self) -> str:
        """What people call the server."""
        return str(self.address)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # --- documents

    def get(self, path: str, **query: Any) -> Any:
        """A JSON document."""
        return self.document(self.request("GET", path, params={k: v for k, v in query.items() if v is not None}))

    def post(self, path: str, body: Any, *, key: str = "", is_read: bool = False, **query: Any) -> Any:
        """Send a JSON document; what is answered.

        Args:
            key: by which the server knows this request again, so that it may be made twice.
            is_read: it changes nothing.
        """
        headers = {"Idempotency-Key": key} if key else {}
        return self.document(self._with_body("POST", path, body, headers, query, is_safe=bool(key) or is_read))

    def put(self, path: str, body: Any, **query: Any) -> Any:
        """Set something to a value; what is answered."""
        return self.document(self._with_body("PUT", path, body, {}, query, is_safe=True))

    def delete(self, path: str, **query: Any) -> httpx.Response:
        """Remove something."""
        return self.request("DELETE", path, params={k: v for k, v in query.items() if v is not None})

    def view(self, name: str, arguments: Mapping[str, Any]) -> httpx.Response:
        """Look at something as the command line of the same version does."""
        return self._with_body("POST", f"/v1/views/{name}", arguments, {}, {}, is_safe=True)

    def document(self, answer: httpx.Response) -> Any:
        """What an answer says.

        Raises:
            OtherVersion: it is no JSON.
        """
        if answer.status_code == httpx.codes.NO_CONTENT or not answer.content:
            return None
        try:
            return from_json(answer.content)
        except ValueError as error:
            raise self.misunderstood(answer) from error

    def misunderstood(self, answer: httpx.Response) -> PitcheyError:
        """The error for an answer that nobody here understands."""
        return not_understood(answer.headers.get("pitchey-version", ""), self.where)

    def _with_body(
        self, method: str, path: str, body: Any, headers: Mapping[str, str], query: Mapping[str, Any], *, is_safe: bool
    ) -> httpx.Response:
        sent = {"Content-Type": "application/json", **headers}
        return self.request(method, path, content=to_json(body), headers=sent, params=dict(query), is_safe=is_safe)

    # --- requests

    def request(self, method: str, path: str, *, is_safe: bool | None = None, **content: Any) -> httpx.Response:
        """Make a request, again and again where it may be; its answer, which is one of success.

        Raises:
            PitcheyError: the server refuses, or cannot be reached.
        """
        may_again = method in _MAY_RETRY if is_safe is None else is_safe
        patience = Patience(self._patience if self._has_answered else 0.0)
        while True:
            try:
                return self._once(self._http.request(method, path, **content))
            except Refused as refused:
                pause = self._pause_after(refused, patience, may_again=may_again)
            except httpx.TransportError as error:
                self.check_passing(error, patience, may_again=may_again)
                pause = None
            patience.pause(pause)

    def send(self, method: str, path: str, **content: Any) -> httpx.Response:
        """Make a request once; what goes wrong is for whoever knows where to go on.

        Raises:
            Refused, httpx.TransportError: as they are.
        """
        return self._once(self._http.request(method, path, **content))

    def check_passing(self, error: httpx.TransportError, patience: Patience, *, may_again: bool = True) -> None:
        """Raise what an error of the connection means, unless it may pass.

        Args:
            may_again: the request may be made twice. One whose connection was refused has been heard by nobody.
        """
        found = of_transport(error, self.where)
        is_passing = isinstance(found, (Unreachable, TimedOut)) and self._has_answered and not patience.is_over
        if not is_passing or not (may_again or isinstance(error, httpx.ConnectError)):
            raise found from error

    def _pause_after(self, refused: Refused, patience: Patience, *, may_again: bool) -> float | None:
        answer = refused.answer
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS and "retry-after" in answer.headers:
            if patience.waits < _MOST_WAITS:  # nothing has been done, so anything may be asked again
                patience.waits += 1
                return min(_seconds(answer.headers["retry-after"]), _LONGEST_WAIT_SECONDS)
        elif answer.status_code in _AGAIN and may_again and not patience.is_over:
            return None
        raise refused.error from refused

    @contextmanager
    def stream(self, method: str, path: str, **content: Any) -> Iterator[httpx.Response]:
        """Make a request whose answer is read as it comes, once; it is one of success."""
        try:
            with self._http.stream(method, path, **content) as answer:
                if answer.is_error:
                    answer.read()
                try:
                    found = self._once(answer)
                except Refused as refused:
                    raise refused.error from refused
                yield found
        except httpx.TransportError as error:
            raise Interrupted(error) from error

    def patience(self) -> Patience:
        """For something that is made of several requests."""
        return Patience(self._patience)

    def _once(self, answer: httpx.Response) -> httpx.Response:
        self._has_answered = True
        if answer.is_success:
            return answer
        raise Refused(answer, of_answer(answer, self.where))


class Patience:
    """How long to go on trying."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._tries = 0
        self.waits = 0  #: that the other side has asked for

    @property
    def is_over(self) -> bool:
        """Whether it has taken too long."""
        return time.monotonic() >= self._until

    def renew(self, seconds: float) -> None:
        """Something has moved: it begins anew."""
        self._until, self._tries = time.monotonic() + seconds, 0

    def pause(self, seconds: float | None = None) -> None:
        """Wait, longer each time.

        Args:
            seconds: what the other side has asked for.
        """
        pause = _PAUSES[min(self._tries, len(_PAUSES) - 1)] if seconds is None else seconds
        self._tries += 1
        time.sleep(pause)


class Refused(Exception):
    """An answer that is none of success, and what it means."""

    def __init__(self, answer: httpx.Response, error: PitcheyError) -> None:
        super().__init__(str(error))
        self.answer, self.error = answer, error


class Interrupted(Exception):
    """A stream broke off, or never began: whoever reads it knows where to go on."""

    def __init__(self, error: httpx.TransportError) -> None:
        super().__init__(str(error))
        self.error = error


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 1.0
