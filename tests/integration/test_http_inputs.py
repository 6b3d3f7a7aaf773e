"""URLs as inputs, against a real server on loopback: fetched when that is allowed, refused when it is not."""

from __future__ import annotations

import contextlib
import hashlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pitchey_cli.artifacts import http
from pitchey_cli.artifacts.http import MayReach
from pitchey_cli.artifacts.known import Known
from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.artifacts.port import Artifact
from pitchey_cli.domain.addresses import Address, is_public
from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, NetworkError, PitcheyError, UsageError
from tests.conftest import Pitchey
from tests.resources.programs import held
from tests.resources.waiting import DEADLINE_SECONDS

CONTENT = b"moving pictures" * 10_000
LIMIT = 1_000_000


def fetch(url: str, artifacts: LocalArtifacts, **more: Any) -> tuple[Artifact, str]:
    return http.fetch(url, artifacts, Known(artifacts._content.parent / "fetched", artifacts), **more)


class Site(BaseHTTPRequestHandler):
    """Answers by path, and remembers who was asked for."""

    hosts: ClassVar[list[str]] = []
    ranges: ClassVar[list[str | None]] = []
    slow_readers: ClassVar[threading.Event] = threading.Event()  #: somebody has been given a byte

    def do_GET(self) -> None:
        self.hosts.append(self.headers["Host"])
        kind, _, rest = self.path.strip("/").partition("/")
        if kind == "status":
            self._answer(int(rest))
        elif kind == "hop":  # as many redirects as it says
            self._answer(302, location=f"/hop/{int(rest) - 1}" if int(rest) else "/file/end.mp4")
        elif kind == "to":  # a redirect to wherever
            self._answer(307, location=f"http://{rest}")
        elif kind == "endless":
            self._answer(200, body=CONTENT * 100, has_length=False)
        elif kind == "slow":  # a byte now and then, for as long as somebody reads
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(ConnectionError):
                while True:
                    self.wfile.write(b"x")
                    self.slow_readers.set()
                    time.sleep(0.01)
        elif kind in ("broken", "changing", "elsewhere"):  # half of it, and the rest for whoever asks for that
            self._half(kind)
        elif kind == "short":
            self._answer(200, body=CONTENT, length=len(CONTENT) + 1)
        else:
            self._answer(200, body=b"" if kind == "empty" else CONTENT)

    def _half(self, kind: str) -> None:
        asked, half = self.headers.get("Range"), len(CONTENT) // 2
        self.ranges.append(asked)
        if asked and kind == "elsewhere":
            self._answer(307, location="http://169.254.169.254/latest")
            return
        etag = '"other"' if asked and kind == "changing" else '"one"'
        is_rest = bool(asked) and kind != "changing"
        self.send_response(206 if is_rest else 200)
        self.send_header("ETag", etag)
        self.send_header("Accept-Ranges", "bytes")
        if is_rest:
            self.send_header("Content-Range", f"bytes {half}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(CONTENT) - half if is_rest else len(CONTENT)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(CONTENT[half:] if is_rest else CONTENT[:half])

    def _answer(
        self, status: int, *, body: bytes = b"", location: str = "", has_length: bool = True, length: int | None = None
    ) -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        if has_length:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        try:
            self.wfile.write(body)
        except ConnectionError:
            return  # the other side has had enough

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


def get(url: str, artifacts: LocalArtifacts, *, limit_bytes: int = LIMIT, may_reach: MayReach = None):
    return fetch(url, artifacts, limit_bytes=limit_bytes, may_reach=may_reach)


def is_here(address: Address) -> bool:
    """The test's site counts as public, and nothing else does."""
    return str(address) == "127.0.0.1"


def test_a_file_is_fetched_whole_and_named_after_its_url(site, artifacts):
    told: list[tuple[int, int | None]] = []
    artifact, name = fetch(
        f"http://{site}/file/my%20holiday.mp4?signature=abc#x",
        artifacts,
        limit_bytes=LIMIT,
        may_reach=None,
        progress=lambda done, total: told.append((done, total)),
    )
    assert name == "my holiday.mp4"
    assert artifact.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert artifacts.path(artifact.sha256).read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_a_download_that_breaks_off_is_gone_on_with_and_not_made_again_while_nothing_changes(site, artifacts):
    Site.ranges.clear()
    for _ in range(2):
        artifact, _ = get(f"http://{site}/broken/a.mp4", artifacts)
        assert artifacts.path(artifact.sha256).read_bytes() == CONTENT
    # The second time the head of the answer says that it is known: nothing more is asked for.
    assert Site.ranges == [None, f"bytes={len(CONTENT) // 2}-", None]


def test_a_file_that_changes_after_a_download_broke_off_is_not_put_together(site, artifacts):
    with pytest.raises(InputRejected, match="changed while it was fetched"):
        get(f"http://{site}/changing/a.mp4", artifacts)


def test_the_rest_of_a_download_is_not_fetched_from_a_private_address(site, artifacts):
    with pytest.raises(Denied, match=r"169\.254\.169\.254"):
        get(f"http://{site}/elsewhere/a.mp4", artifacts, may_reach=is_here)


def test_a_slow_download_can_be_ended_at_each_byte(site, artifacts):
    def check(done: int, total: int | None) -> None:
        raise PitcheyError("enough")

    with pytest.raises(PitcheyError, match="enough"):
        fetch(f"http://{site}/slow/a.mp4", artifacts, limit_bytes=LIMIT, may_reach=None, progress=check)


def test_a_run_that_ends_does_not_wait_for_the_download_of_another(site, pitchey: Pitchey, clip: Path, slow_options):
    pitchey.environment["PITCHEY_NETWORK_ALLOW_PRIVATE_URLS"] = "true"
    first = pitchey.start("run", "video", clip, *slow_options, "-o", "out")
    while not pitchey.ok("jobs", "--ids").lines:
        assert first.poll() is None
    (own,) = pitchey.ok("jobs", "--ids").lines
    Site.slow_readers.clear()
    with held(first.pid, own):
        second = pitchey.start("run", "video", f"http://{site}/slow/a.mp4", "-o", "out")
        assert Site.slow_readers.wait(DEADLINE_SECONDS)
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=DEADLINE_SECONDS)
    assert first.returncode == 130
    other = pitchey.job("@last")
    Site.slow_readers.clear()
    assert Site.slow_readers.wait(DEADLINE_SECONDS), "the second one has not taken over"
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=DEADLINE_SECONDS)
    assert pitchey.job(other["id"])["attempts"][0]["reason"] == "interrupted"


def test_the_server_is_asked_by_name_although_the_address_is_pinned(site, artifacts):
    port = site.partition(":")[2]
    get(f"http://localhost:{port}/file/a.mp4", artifacts)
    assert Site.hosts[-1] == f"localhost:{port}"


@pytest.mark.parametrize("path", ["", "/", "/file/..", "/file/%2e%2e%2f", "?a=b/c"])
def test_a_url_without_a_name_still_has_one(site, artifacts, path):
    name = get(f"http://{site}{path}", artifacts)[1]
    assert name
    assert "/" not in name
    assert not name.startswith(".")


def test_private_addresses_are_denied_unless_allowed(site, artifacts):
    port = site.partition(":")[2]
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        with pytest.raises(Denied, match=r"^\S+ has no public address\.$"):
            get(f"http://{host}:{port}/file/a.mp4", artifacts, may_reach=is_public)


def test_a_redirect_is_checked_like_the_first_address(site, artifacts):
    assert get(f"http://{site}/hop/1", artifacts, may_reach=is_here)
    for inside in ("127.0.0.2:1/x", "169.254.169.254/latest/meta-data", "[::1]/"):
        with pytest.raises(Denied, match=r"^\S+ has no public address\.$"):
            get(f"http://{site}/to/{inside}", artifacts, may_reach=is_here)


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Let every name lead to one address after the other, the last one from then on; the names that were looked up."""
    asked: list[str] = []
    really = socket.getaddrinfo

    def look_up(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host[0].isdecimal():
            return really(host, port, *more, **named)
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        if not address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


def test_nobody_learns_which_names_a_private_network_has(artifacts, monkeypatch):
    said = set()
    for answer in ("10.20.30.40", "169.254.169.254", ""):
        resolving(monkeypatch, answer)
        with pytest.raises(Denied) as raised:
            get("http://wiki.corp.example/a.mp4", artifacts, may_reach=is_public)
        said.add((str(raised.value), raised.value.hint))
    assert len(said) == 1 and "10.20" not in str(said) and "wiki.corp.example" in str(said)


def test_a_name_that_leads_elsewhere_when_it_is_asked_again_is_not_asked_again(site, artifacts, monkeypatch):
    """DNS rebinding: public when it is checked, private when it is connected to."""
    asked = resolving(monkeypatch, "127.0.0.1", "127.0.0.2")
    port = site.partition(":")[2]
    assert get(f"http://media.example:{port}/file/a.mp4", artifacts, may_reach=is_here)
    assert asked == ["media.example"] and Site.hosts[-1] == f"media.example:{port}"
    with pytest.raises(Denied):
        get(f"http://media.example:{port}/hop/1", artifacts, may_reach=is_here)


def test_redirects_have_an_end(site, artifacts):
    assert get(f"http://{site}/hop/4", artifacts)  # and the fifth leads to the file
    with pytest.raises(InputRejected, match="more than 5"):
        get(f"http://{site}/hop/5", artifacts)


@pytest.mark.parametrize("kind", ["file", "endless"], ids=["announced", "not announced"])
def test_too_large_is_refused(site, artifacts, tmp_path, kind):
    with pytest.raises(InputRejected, match="limit of 1,000"):
        get(f"http://{site}/{kind}/a.mp4", artifacts, limit_bytes=1000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("status/404", InputNotFound),
        ("status/410", InputNotFound),
        ("status/401", Denied),
        ("status/403", Denied),
        ("status/400", InputRejected),
        ("status/429", NetworkError),
        ("status/503", NetworkError),
        ("empty/a.mp4", InputRejected),
        ("short/a.mp4", NetworkError),
    ],
)
def test_every_answer_has_its_error(site, artifacts, path, error):
    with pytest.raises(PitcheyError) as raised:
        get(f"http://{site}/{path}", artifacts)
    assert type(raised.value) is error
    assert path in str(raised.value)


def test_other_schemes_are_refused_also_behind_a_redirect(site, artifacts):
    for url in ("file:///etc/passwd", "ftp://example.org/a", "http://", "nonsense"):
        with pytest.raises(UsageError):
            get(url, artifacts)


def test_a_host_that_does_not_answer_may_answer_later(artifacts):
    with pytest.raises(NetworkError):
        get("http://127.0.0.1:1/a.mp4", artifacts)


def test_a_host_that_does_not_exist_is_not_found_or_not_reachable(artifacts):
    """Which of the two depends on whether the machine has a resolver at all."""
    with pytest.raises((InputNotFound, NetworkError), match=r"nowhere\.invalid"):
        get("http://nowhere.invalid/a.mp4", artifacts)
