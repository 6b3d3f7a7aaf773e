"""Inputs that are URLs: fetched by the host, from public addresses only.

A URL comes from whoever submits a job. Which addresses it may lead to is checked by network/reaching.py, and again at
every redirect.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pitchey_cli.artifacts.copying import translated
from pitchey_cli.artifacts.port import Artifact, Artifacts, ProgressCallback
from pitchey_cli.domain.addresses import Address, is_public
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, NetworkError, UsageError
from pitchey_cli.network.reaching import addresses_of

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS = 5
CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0  #: of silence
TOTAL_SECONDS = 3600.0  #: a server that sends a byte now and then must not hold us for ever
_GONE = (404, 410)
_PRIVATE = (
    "Is it spelled so? What is in a private network can be submitted as a file, or the operator sets "
    "network.allow_private_urls."
)


def fetch(
    url: str, artifacts: Artifacts, *, limit_bytes: int, allow_private: bool, progress: ProgressCallback | None = None
) -> tuple[Artifact, str]:
    """Fetch a URL into the artifacts; the artifact, and what to call it.

    Raises:
        UsageError: not an http or https URL.
        InputNotFound: there is no such host or file.
        InputRejected: empty, above the limit, or refused by the server.
        Denied: an address that is not public, or a server that wants a login.
        NetworkError: it may work another time.
    """
    import httpx  # late: a submission of a file does not need it

    timeout = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    try:
        with (
            httpx.Client(timeout=timeout, trust_env=False, verify=httpx.create_ssl_context()) as client,
            _followed(client, url, allow_private=allow_private) as response,
            _spool() as file,
        ):
            _check_status(response, url)
            _download(response, file, url, limit_bytes=limit_bytes, progress=progress)
            return artifacts.add(file, limit_bytes=limit_bytes), _name_in(url)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise UsageError(f"{url} is not a URL that can be fetched: {error}.") from error
    except httpx.HTTPError as error:
        raise NetworkError(f"{url} could not be fetched: {error or type(error).__name__}.") from error


@contextmanager
def _followed(client: httpx.Client, url: str, *, allow_private: bool) -> Iterator[httpx.Response]:
    """The answer at the end of the redirects, not yet read."""
    here = client.build_request("GET", url).url
    for _ in range(MAX_REDIRECTS + 1):
        response = _send(client, here, allow_private=allow_private)
        try:
            if not response.has_redirect_location:
                yield response
                return
            here = here.join(response.headers["location"])
        finally:
            response.close()
    raise InputRejected(f"{url} redirects more than {MAX_REDIRECTS} times.")


def _send(client: httpx.Client, url: httpx.URL, *, allow_private: bool) -> httpx.Response:
    """Ask the first address that answers, among those that may be asked."""
    import httpx

    if url.scheme not in ("http", "https") or not url.host:
        raise UsageError(f"{url} cannot be fetched.", hint="Inputs are files, http:// and https:// URLs.")
    failure: httpx.TransportError | None = None
    port = url.port or (443 if url.scheme == "https" else 80)
    for address in _allowed(url.host, port, allow_private=allow_private):
        request = client.build_request(
            "GET",
            url.copy_with(host=str(address)),
            # The name stays for virtual hosts and for the certificate. The length is only known of what is not packed.
            headers={"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity"},
            extensions={"sni_hostname": url.raw_host.decode("ascii")},
        )
        try:
            return client.send(request, stream=True)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = error
    assert failure is not None  # there was at least one address
    raise failure


def _allowed(host: str, port: int, *, allow_private: bool) -> list[Address]:
    """The addresses of a host that may be asked."""
    if allow_private:
        return addresses_of(host, port, may_reach=lambda _: True, hint=_PRIVATE)
    try:
        return addresses_of(host, port, may_reach=is_public, hint=_PRIVATE)
    except (Denied, InputNotFound) as error:
        # Who names hosts is not to learn what the names of this network lead to, nor which of them there are.
        raise Denied(f"{host} has no public address.", hint=_PRIVATE) from error


def _check_status(response: httpx.Response, url: str) -> None:
    status = response.status_code
    if response.is_success and status != 206:
        return
    answer = f"{url} answers {status} {response.reason_phrase}".rstrip()
    if status in _GONE:
        raise InputNotFound(f"{answer}.", hint="Check the URL; it may have expired.")
    if status in (401, 403, 407):
        raise Denied(f"{answer}.", hint="Use a URL that needs no login, a signed one for instance.")
    if status in (408, 425, 429) or status >= 500:
        raise NetworkError(f"{answer}.")
    raise InputRejected(f"{answer}.")


def _download(
    response: httpx.Response, file: Path, url: str, *, limit_bytes: int, progress: ProgressCallback | None
) -> None:
    length = response.headers.get("content-length", "")
    total = int(length) if length.isdecimal() else None
    too_large = InputRejected(f"{url} is larger than the limit of {limit_bytes:,} bytes.")
    if total is not None and total > limit_bytes:
        raise too_large
    done, deadline = 0, time.monotonic() + TOTAL_SECONDS
    try:
        with file.open("wb") as target:
            for chunk in response.iter_raw():  # as it comes: of a slow server, larger pieces are long in coming
                done += len(chunk)
                if done > limit_bytes:
                    raise too_large
                if time.monotonic() > deadline:
                    raise NetworkError(f"{url} took longer than {TOTAL_SECONDS:.0f} s.")
                target.write(chunk)
                if progress is not None:
                    progress(done, total)
    except OSError as error:
        raise translated(error, url) from error
    if done == 0:
        raise InputRejected(f"{url} is empty.")


@contextmanager
def _spool() -> Iterator[Path]:
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
