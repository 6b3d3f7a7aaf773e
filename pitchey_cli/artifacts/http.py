"""Inputs that are URLs: fetched by the host, from public addresses only.

A URL comes from whoever submits a job. Which addresses it may lead to is checked by network/reaching.py, and again at
every redirect, and again when a download that broke off is taken up where it ended.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.artifacts.known import Known
from pitchey_cli.artifacts.port import LARGER_INPUT, Artifact, Artifacts, ProgressCallback
from pitchey_cli.domain.addresses import WAY_TO_PRIVATE, Address
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, NetworkError, UsageError
from pitchey_cli.network.reaching import addresses_of

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
MayReach = Callable[[Address], bool] | None  #: the addresses that may be asked; None: all
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  #: of silence
TOTAL_SECONDS = 3600.0  #: a server that sends a byte now and then must not hold us for ever
_GONE = (404, 410)
_PAUSES = (0.2, 1.0, 3.0)  # seconds before what broke off is taken up again


def fetch(
    url: str,
    artifacts: Artifacts,
    known: Known,
    *,
    limit_bytes: int,
    may_reach: MayReach,
    progress: ProgressCallback | None = None,
) -> tuple[Artifact, str]:
    """Fetch a URL into the artifacts; the artifact, and what to call it.

    One that has the ETag and the size that it had before is not fetched again.

    Args:
        limit_bytes: a larger one is refused.
        may_reach: asked of every address that a name or a redirect leads to.
        progress: told of the bytes that have come.

    Raises:
        UsageError: not an http or https URL.
        InputNotFound: there is no such host or file.
        InputRejected: empty, above the limit, changed while it was fetched, or refused by the server.
        Denied: an address that may not be asked, or a server that wants a login.
        NetworkError: it may work another time.
    """
    import httpx  # late: a submission of a file does not need it

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    work = _Download(url, limit_bytes, time.monotonic() + TOTAL_SECONDS, progress)
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False, verify=httpx.create_ssl_context()) as client,
            spool() as file,
        ):
            for pause in (*_PAUSES, None):
                try:
                    with _followed(client, url, work.headers(), may_reach) as response:
                        work.begin(response)
                        found = None if work.total is None else known.find(url, etag=work.etag, size=work.total)
                        if found is not None:
                            return found, _name_in(url)
                        work.take(response, file)
                    break
                except (httpx.ReadError, httpx.RemoteProtocolError, httpx.ReadTimeout):
                    if pause is None or not work.can_go_on:
                        raise
                    time.sleep(pause)
            artifact = artifacts.add(file, limit_bytes=limit_bytes)
            known.note(url, artifact, etag=work.etag)
            return artifact, _name_in(url)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        hint = "https://host.example/path, without blanks."
        raise UsageError(f"{url} is not a URL that can be fetched: {error}.", hint=hint) from error
    except httpx.HTTPError as error:
        raise NetworkError(f"{url} could not be fetched: {error or type(error).__name__}.") from error


@contextmanager
def _followed(client: httpx.Client, url: str, headers: dict[str, str], may_reach: MayReach) -> Iterator[httpx.Response]:
    """The answer at the end of the redirects, not yet read."""
    here = client.build_request("GET", url).url
    for _ in range(MAX_REDIRECTS + 1):
        response = _send(client, here, headers, may_reach)
        try:
            if not response.has_redirect_location:
                yield response
                return
            here = here.join(response.headers["location"])
        finally:
            response.close()
    raise InputRejected(f"{url} redirects more than {MAX_REDIRECTS} times.", hint="Name the URL where it ends.")


def _send(client: httpx.Client, url: httpx.URL, headers: dict[str, str], may_reach: MayReach) -> httpx.Response:
    """Ask the first address that answers, among those that may be asked."""
    import httpx

    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{url} cannot be fetched.", hint="Inputs are files, http:// and https:// URLs.")
    failure: httpx.TransportError | None = None
    port = url.port or (443 if url.scheme == "https" else 80)
    for address in _allowed(url.host, port, may_reach):
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            # The name stays for virtual hosts and for the certificate. The length is only known of what is not packed.
            headers=headers | {"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    assert failure is not None  # there was at least one address
    raise failure


def _allowed(host: str, port: int, may_reach: MayReach) -> list[Address]:
    """The addresses of a host that may be asked."""
    if may_reach is None:
        return addresses_of(host, port, may_reach=lambda _: True, hint=WAY_TO_PRIVATE)
    try:
        return addresses_of(host, port, may_reach=may_reach, hint=WAY_TO_PRIVATE)
    except (Denied, InputNotFound) as error:
        # Who names hosts is not to learn what the names of this network lead to, nor which of them there are.
        raise Denied(f"{host} has no public address.", hint=WAY_TO_PRIVATE) from error


def _check_status(response: httpx.Response, url: str, *, is_rest: bool) -> None:
    status = response.status_code
    if response.is_success and (status != 206 or is_rest):
        return
    answer = f"{url} answers {status} {response.reason_phrase}".rstrip()
    if status in _GONE:
        raise InputNotFound(f"{answer}.", hint="Check the URL; it may have expired.")
    if status in (401, 403, 407):
        raise Denied(f"{answer}.", hint="Use a URL that needs no login, a signed one for instance.")
    if status in (408, 425, 429) or status >= 500:
        raise NetworkError(f"{answer}.")
    raise InputRejected(f"{answer}.", hint="Use a URL that answers 200 with the file.")


class _Download:
    """One download, over as many connections as it takes."""

    def __init__(self, url: str, limit_bytes: int, deadline: float, progress: ProgressCallback | None) -> None:
        self._url, self._limit_bytes, self._deadline, self._progress = url, limit_bytes, deadline, progress
        self._done = 0
        self._has_ranges = False
        self.etag = ""
        self.total: int | None = None  #: bytes of the whole, where the server says it

    @property
    def can_go_on(self) -> bool:
        """Whether the server gives the rest of what broke off, and of nothing else."""
        return bool(self._done and self._has_ranges and self.etag and not self.etag.startswith("W/"))

    def headers(self) -> dict[str, str]:
        """What to ask with: for the rest, if it is still the same file."""
        return {"Range": f"bytes={self._done}-", "If-Range": self.etag} if self.can_go_on else {}

    def begin(self, response: httpx.Response) -> None:
        """Look at an answer before anything of it is read."""
        is_rest = self.can_go_on
        _check_status(response, self._url, is_rest=is_rest)
        etag = response.headers.get("etag", "")
        if is_rest and (response.status_code != 206 or etag not in ("", self.etag)):
            hint = "Wait until it is complete, then try again."
            raise InputRejected(f"{self._url} changed while it was fetched.", hint=hint)
        if is_rest:
            if not response.headers.get("content-range", "").startswith(f"bytes {self._done}-"):
                hint = "Fetch it yourself and submit the file: the server cannot go on where it broke off."
                raise InputRejected(f"{self._url} answers with another part than was asked for.", hint=hint)
            return
        self._done, self.etag = 0, etag
        self._has_ranges = response.headers.get("accept-ranges", "") == "bytes"
        length = response.headers.get("content-length", "")
        self.total = int(length) if length.isdecimal() else None
        if self.total is not None and self.total > self._limit_bytes:
            raise self._too_large()

    def take(self, response: httpx.Response, file: Path) -> None:
        """Write what comes behind what has come."""
        try:
            with file.open("r+b" if file.exists() else "wb") as target:
                target.seek(self._done)
                target.truncate()
                for chunk in response.iter_raw():  # as it comes: of a slow server, larger pieces are long in coming
                    if self._done + len(chunk) > self._limit_bytes:
                        raise self._too_large()
                    if time.monotonic() > self._deadline:
                        raise NetworkError(f"{self._url} took longer than {TOTAL_SECONDS:.0f} s.")
                    target.write(chunk)
                    self._done += len(chunk)
                    if self._progress is not None:
                        self._progress(self._done, self.total)
        except OSError as error:
            raise translated(error, self._url) from error
        if self._done == 0:
            raise InputRejected(f"{self._url} is empty.", hint="Has it been written to the end there?")

    def _too_large(self) -> InputRejected:
        text = f"{self._url} is larger than the limit of {self._limit_bytes:,} bytes."
        return InputRejected(text, hint=LARGER_INPUT)


@contextmanager
def spool() -> Iterator[Path]:
    """A place for what comes in. Not the usual folder: /tmp is often memory, and inputs have gigabytes."""
    large = Path(os.environ.get("TMPDIR", "/var/tmp"))
    with tempfile.TemporaryDirectory(prefix="pitchey-", dir=large if large.is_dir() else None) as directory:
        yield Path(directory) / "input"


def _name_in(url: str) -> str:
    """The last part of the path, as a plain file name; the server has no say in it."""
    name = unquote(PurePosixPath(url.partition("?")[0].partition("#")[0]).name)
    host = url.partition("://")[2].partition("/")[0]
    kept = "".join(char for char in name if char.isprintable() and char not in "/\\").strip(". ")
    return kept[:200] if kept and name != host else "download"
