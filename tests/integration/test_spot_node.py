"""A node that its cloud takes away: asked as the clouds answer, and a real daemon that hands back in time.

On the process engine, with an HTTP server of the test in the place of the cloud's.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pitchey_cli.artifacts.http import READ_SECONDS
from pitchey_cli.daemon import notice
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.errors import NetworkError
from pitchey_cli.domain.notice import ASK_SECONDS, Notice, Notifier, Provider
from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import Pitchey
from tests.resources.programs import held
from tests.resources.waiting import DEADLINE_SECONDS, until

Answer = tuple[int, str]


class Cloud(ThreadingHTTPServer):
    """Answers as the test says, and remembers what was asked."""

    def __init__(self, answer: Callable[[str, str, dict[str, str]], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Cloud

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(self.path)
        status, body = self.server.answer(self.command, self.path, headers)
        self.send_response(status)
        if status in (301, 302):
            self.send_header("Location", body)
        self.send_header("Content-Length", "0" if status == 204 else str(len(body.encode())))
        self.end_headers()
        if status != 204:
            self.wfile.write(body.encode())

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@contextmanager
def cloud(answer: Callable[[str, str, dict[str, str]], Answer]) -> Iterator[Cloud]:
    server = Cloud(answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def asked(source: Notifier) -> Notice | None:
    async def ask() -> Notice | None:
        async with notice.client() as asking:
            return await notice.ask(asking, source)

    return asyncio.run(ask())


# --- as the clouds answer


def test_aws_is_asked_with_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")  # nobody is there, and nobody is asked
    spot: list[Answer] = [(404, "not found")]

    def answer(method: str, path: str, headers: dict[str, str]) -> Answer:
        if (method, path) == ("PUT", "/latest/api/token"):
            return (200, "secret") if headers.get("x-aws-ec2-metadata-token-ttl-seconds") else (400, "")
        assert (method, path) == ("GET", "/latest/meta-data/spot/instance-action")
        return spot[0] if headers.get("x-aws-ec2-metadata-token") == "secret" else (401, "")

    with cloud(answer) as server:
        assert asked(Notifier(Provider.AWS, server.address)) is None
        spot[0] = 200, json.dumps({"action": "stop", "time": "2026-07-01T12:02:00Z"})
        assert asked(Notifier(Provider.AWS, server.address)) == Notice(datetime(2026, 7, 1, 12, 2, tzinfo=UTC), "stop")


def test_google_is_asked_with_its_header() -> None:
    spot = ["FALSE"]

    def answer(method: str, path: str, headers: dict[str, str]) -> Answer:
        assert (method, path) == ("GET", "/computeMetadata/v1/instance/preempted")
        return (200, spot[0]) if headers.get("metadata-flavor") == "Google" else (403, "")

    with cloud(answer) as server:
        assert asked(Notifier(Provider.GCP, server.address)) is None
        spot[0] = "TRUE"
        assert asked(Notifier(Provider.GCP, server.address)) == Notice(None, "preempted")


def test_azure_is_asked_for_its_events_and_then_whether_they_mean_this_machine() -> None:
    event = {"EventType": "Preempt", "Resources": ["pool_7"], "NotBefore": "Wed, 01 Jul 2026 12:00:30 GMT"}
    events: list[object] = []
    name = ["pool_3"]

    def answer(method: str, path: str, headers: dict[str, str]) -> Answer:
        assert method == "GET" and "api-version=" in path and headers.get("metadata") == "true"
        if path.startswith("/metadata/instance/compute/name?"):
            assert "format=text" in path
            return 200, name[0]
        assert path.startswith("/metadata/scheduledevents?")
        return 200, json.dumps({"DocumentIncarnation": 1, "Events": events})

    with cloud(answer) as server:
        source = Notifier(Provider.AZURE, server.address)
        assert asked(source) is None
        events.append(event)
        assert asked(source) is None
        name[0] = "pool_7"
        assert asked(source) == Notice(datetime(2026, 7, 1, 12, 0, 30, tzinfo=UTC), "Preempt")


def test_a_redirect_is_not_followed_and_is_no_answer() -> None:
    with cloud(lambda method, path, headers: (302, "/yes") if path == "/no" else (200, "TRUE")) as server:
        with pytest.raises(NetworkError, match="answers 302"):
            asked(Notifier(Provider.URL, f"{server.address}/no"))
        assert server.asked == ["/no"]


def test_a_server_that_only_dribbles_is_given_up_in_time() -> None:
    is_over = threading.Event()

    def dribble(server: socket.socket) -> None:
        asking, _ = server.accept()
        with asking, suppress(OSError):
            asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not is_over.wait(0.05):
                asking.sendall(b".")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=dribble, args=(server,))
        thread.start()
        try:
            with pytest.raises(NetworkError, match="does not answer within 3 s"):
                asked(Notifier(Provider.URL, f"http://127.0.0.1:{server.getsockname()[1]}/"))
        finally:
            is_over.set()
            thread.join()


# --- a daemon


def _spot(address: str, **more: str) -> dict[str, str]:
    return {"PITCHEY_NODE_IS_SPOT": "true", "PITCHEY_NODE_SPOT_NOTICE": address} | more


def _until_said(daemon: subprocess.Popen[str], words: str) -> list[str]:
    assert daemon.stderr is not None
    said: list[str] = []
    for line in daemon.stderr:
        said.append(line)
        if words in line:
            return said
    raise AssertionError(f"{words!r} was never said:\n{''.join(said)}")


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens: its port is taken meanwhile, so that nobody else comes to it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/preempted"


def _repeated(clip: Path, times: int, into: Path) -> Path:
    made = into / f"{times}-times.mp4"
    command = ["ffmpeg", "-v", "error", "-stream_loop", str(times - 1), "-i", str(clip), "-c", "copy", str(made)]
    subprocess.run(command, check=True)
    return made


def _action(what: str, at: datetime) -> Answer:
    return 200, json.dumps({"action": what, "time": f"{at:%Y-%m-%dT%H:%M:%SZ}"})


def _in(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def test_what_can_end_before_the_node_goes_ends_and_nothing_new_is_taken(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    answer: list[Answer] = [(404, "")]
    with cloud(lambda method, path, headers: answer[0]) as server:
        daemon = pitchey.start_daemon(**_spot(server.address, PITCHEY_DAEMON_DRAIN_SECONDS="0"))
        options = ("--spot-ok", "--end", "4", *lasting_options)  # which it does in time on a busy machine, too
        (short,) = pitchey.ok("submit", "video", clip, *options).lines
        with held(daemon.pid, short):
            answer[0] = _action("terminate", at := _in(120))
            said = "".join(_until_said(daemon, "draining"))
            assert pitchey.job(short)["state"] == "running"
            (late,) = pitchey.ok("submit", "video", clip).lines
        daemon.communicate(timeout=DEADLINE_SECONDS)
        assert daemon.returncode == 0
        assert datetime.now(UTC) < at
    assert f"this node is taken away at {at:%H:%M:%S} UTC (terminate): what has not ended in " in said
    seconds = re.search(r"has not ended in (\d+) s", said)
    assert seconds is not None and 100 <= int(seconds[1]) <= 110
    assert pitchey.job(short)["state"] == "succeeded"
    assert (pitchey.job(late)["state"], pitchey.job(late)["attempt"]) == ("queued", 0)
    assert len(server.asked) >= 2


def test_what_cannot_end_is_handed_back_in_time_and_a_term_meanwhile_is_no_reason_to_hurry(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    answer: list[Answer] = [(404, "")]
    with cloud(lambda method, path, headers: answer[0]) as server:
        daemon = pitchey.start_daemon(**_spot(server.address, PITCHEY_DAEMON_DRAIN_SECONDS="3600"))
        (job_id,) = pitchey.ok("submit", "video", _repeated(clip, 60, pitchey.cwd), *slow_options, "--spot-ok").lines
        pitchey.until_working(job_id)
        answer[0] = _action("stop", at := _in(ASK_SECONDS + 15))
        said = _until_said(daemon, "this node is taken away")
        daemon.send_signal(signal.SIGTERM)  # as a machine does that goes down
        daemon.communicate(timeout=DEADLINE_SECONDS)
        assert daemon.returncode == 0
        assert at - timedelta(seconds=10) <= datetime.now(UTC), "the TERM has hurried it"
    # Of the 15 to 20 that are left it keeps what handing back takes. How long that lasts is the machine's.
    seconds = re.search(r"has not ended in (\d+) s is handed back", said[-1])
    assert seconds is not None and int(seconds[1]) <= 15
    job = pitchey.job(job_id)
    assert (job["state"], job["attempt"], job["attemptsUsed"], job["reason"]) == ("queued", 1, 0, "interrupted")


def test_a_notice_of_this_moment_hands_back_at_once_also_in_a_drain_without_end(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    answer: list[Answer] = [(200, "FALSE")]
    with cloud(lambda method, path, headers: answer[0]) as server:
        daemon = pitchey.start_daemon(**_spot(server.address))
        (job_id,) = pitchey.ok("submit", "video", clip, *slow_options, "--spot-ok").lines
        with held(daemon.pid, job_id):
            draining = pitchey.start("daemon", "drain")
            _until_said(daemon, "draining")
            answer[0] = _action("hibernate", _in(0))
            draining.communicate(timeout=DEADLINE_SECONDS)
            assert daemon.wait(DEADLINE_SECONDS) == 0
    assert (pitchey.job(job_id)["state"], pitchey.job(job_id)["attemptsUsed"]) == ("queued", 0)


def test_a_term_of_the_machine_leaves_time_to_hand_back_whatever_the_drain(
    pitchey: Pitchey, clip: Path, slow_options: list[str]
) -> None:
    daemon = pitchey.start_daemon(
        PITCHEY_NODE_IS_SPOT="true", PITCHEY_DAEMON_DRAIN_SECONDS="3600", PITCHEY_DAEMON_GRACE_SECONDS="24"
    )
    (job_id,) = pitchey.ok("submit", "video", clip, *slow_options, "--spot-ok").lines
    pitchey.until_working(job_id)
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0  # and not after the drain
    assert (pitchey.job(job_id)["state"], pitchey.job(job_id)["attemptsUsed"]) == ("queued", 0)


@contextmanager
def _silent() -> Iterator[str]:
    """The URL of a file of which only the beginning ever comes; at the end of the test its connections are closed."""
    is_over = threading.Event()

    def serve(server: socket.socket) -> None:
        asking, _ = server.accept()
        with asking:
            asking.recv(65536)
            asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + bytes(1000))
            is_over.wait()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/film.mp4"
        finally:
            is_over.set()
            with suppress(OSError), socket.create_connection(server.getsockname(), timeout=1):
                thread.join()


def test_a_download_of_which_nothing_comes_any_more_does_not_keep_a_daemon_that_has_to_go(
    pitchey: Pitchey, tmp_path: Path
) -> None:
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    pitchey.environment["PITCHEY_NETWORK_ALLOW_PRIVATE_URLS"] = "true"
    with _silent() as url:
        daemon = pitchey.start_daemon(
            PITCHEY_NODE_IS_SPOT="true",
            PITCHEY_DAEMON_DRAIN_SECONDS="0",
            TMPDIR=str(downloads),
        )
        (job_id,) = pitchey.ok("submit", "video", url, "--spot-ok").lines
        pitchey.until(job_id, lambda _: any(downloads.glob("pitchey-*/*")))
        begin = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(DEADLINE_SECONDS) == 0
        assert time.monotonic() - begin < READ_SECONDS
    assert not list(downloads.glob("pitchey-*"))
    job = pitchey.job(job_id)
    assert (job["state"], job["attemptsUsed"], job["reason"]) == ("queued", 0, "interrupted")


def test_an_answer_that_is_neither_yes_nor_no_does_not_end_a_daemon_and_is_told_once(
    pitchey: Pitchey, clip: Path
) -> None:
    with cloud(lambda method, path, headers: (200, '{"preempted": false}')) as server:
        daemon = pitchey.start("daemon", "run", **_spot(server.address))
        said = "".join(_until_said(daemon, "nobody says whether this node is taken away"))
        assert "neither yes nor no" in said
        until(lambda: len(server.asked) >= 2, "it is asked again")
        (job_id,) = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail", "--spot-ok").lines
        assert pitchey("wait", job_id).code == 0
        daemon.send_signal(signal.SIGTERM)
        _, rest = daemon.communicate(timeout=DEADLINE_SECONDS)
        assert daemon.returncode == 0 and "nobody says" not in rest


def test_where_nobody_answers_the_daemon_says_so_and_works(pitchey: Pitchey, clip: Path, nobody: str) -> None:
    daemon = pitchey.start("daemon", "run", **_spot(nobody))
    said = "".join(_until_said(daemon, "nobody says whether this node is taken away"))
    assert nobody in said
    (job_id,) = pitchey.ok("submit", "video", clip, "--output-format", "thumbnail", "--spot-ok").lines
    assert pitchey("wait", job_id).code == 0
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(DEADLINE_SECONDS) == 0


def test_a_notice_setting_that_names_nobody_keeps_the_daemon_from_starting(pitchey: Pitchey) -> None:
    answer = pitchey("daemon", "run", **_spot("amazon"))
    assert answer.code == 2 and "node.spot_notice: 'amazon' gives no notice" in answer.err
    assert "aws, gcp, azure" in answer.err
    answer = pitchey("daemon", "run", PITCHEY_NODE_SPOT_NOTICE="aws")
    assert answer.code == 2 and "node.is_spot is false" in answer.err and "Set node.is_spot to true" in answer.err


# --- what it costs, what doctor sees


def test_instances_of_a_spot_node_have_its_price(pitchey: Pitchey, clip: Path) -> None:
    pitchey.environment |= {"PITCHEY_NODE_IS_SPOT": "true"}

    def per_hour(**environment: str) -> float:
        """Dollars for the instance of one run, by what was booked and its time."""
        options = ("--output-format", "thumbnail", "--no-cache", "-o", "out", "--overwrite")
        pitchey.ok("run", "video", clip, *options, **environment)
        with closing(SqliteStore.open(pitchey.state_dir / "pitchey.db")) as store:
            last = max(store.instances(active_only=False), key=lambda each: each.created_at)
        assert last.stopped_tick is not None and last.cost_nanodollars is not None
        hours = (last.stopped_tick - last.created_tick) / TICKS_PER_HOUR
        return last.cost_nanodollars / 1e9 / hours

    assert per_hour(PITCHEY_COST_SPOT="0.25@0.05/h") == pytest.approx(0.144 / 4, rel=1e-3)
    assert per_hour() == pytest.approx(0.144, rel=1e-3)  # nothing is set of its price: it is the usual one
    assert per_hour(PITCHEY_COST_SPOT="0.25", PITCHEY_NODE_IS_SPOT="false") == pytest.approx(0.144, rel=1e-3)


def _node(pitchey: Pitchey, **environment: str) -> list[tuple[str, str]]:
    checks = pitchey("doctor", "--json", **environment).json["checks"]
    return [(each["verdict"], each["saw"] + each["way_out"]) for each in checks if each["subject"] == "node"]


def test_doctor_says_who_answers(pitchey: Pitchey, nobody: str) -> None:
    assert not _node(pitchey)
    assert any("only TERM tells" in saw for _, saw in _node(pitchey, PITCHEY_NODE_IS_SPOT="1"))
    answer: list[Answer] = [(404, "")]
    with cloud(lambda method, path, headers: answer[0]) as server:
        assert any(
            verdict == "ok" and server.address in saw for verdict, saw in _node(pitchey, **_spot(server.address))
        )
        answer[0] = 200, "TRUE"
        found = _node(pitchey, **_spot(server.address))
        assert any(verdict == "warning" and "about to be taken away" in saw for verdict, saw in found)
    found = _node(pitchey, **_spot(nobody))
    assert any(verdict == "warning" and "nobody says" in saw for verdict, saw in found)


def test_doctor_says_when_the_grace_is_longer_than_what_is_left_whoever_is_asked(pitchey: Pitchey, nobody: str) -> None:
    for notifier in ("", nobody):
        found = _node(pitchey, **_spot(notifier), PITCHEY_DAEMON_GRACE_SECONDS="21")
        assert any(verdict == "warning" and "daemon.grace_seconds is 21" in saw for verdict, saw in found)
        found = _node(pitchey, **_spot(notifier), PITCHEY_DAEMON_GRACE_SECONDS="20")
        assert not any("daemon.grace_seconds" in saw for _, saw in found)


def test_doctor_says_whether_the_queue_goes_with_the_machine(pitchey: Pitchey) -> None:
    is_system_disk = pitchey.cwd.stat().st_dev == Path("/").stat().st_dev
    (said,) = (each for each in _node(pitchey, PITCHEY_NODE_IS_SPOT="1") if str(pitchey.state_dir) in each[1])
    assert said[0] == ("warning" if is_system_disk else "ok")
    assert ("results and history are gone" if is_system_disk else "has to stay") in said[1]


def test_whoever_submits_what_may_not_run_here_is_told_and_how_it_may(pitchey: Pitchey, clip: Path) -> None:
    pitchey.environment |= {"PITCHEY_NODE_IS_SPOT": "true"}
    told = pitchey.ok("submit", "video", clip)
    assert "warning: The job waits for a node that is not taken away" in told.err and "--spot-ok" in told.err
    assert "spot" not in pitchey.ok("submit", "video", clip, "--priority", "low", "--spot-ok").err
    assert "set node.is_spot to false" in pitchey.ok("why", *told.lines).out
    assert any("1 waiting job may not run here" in saw for _, saw in _node(pitchey))
    nightly = ("schedule", "add", "video", str(clip), "--cron", "@daily", "--name")
    assert "--spot-ok lets them run here" in pitchey.ok(*nightly, "one").err
    assert "spot" not in pitchey.ok(*nightly, "two", "--spot-ok").err
    steps = '[steps.small]\nservice = "video"\ninput = "@input"\n'
    (pitchey.cwd / "small.toml").write_text(steps)
    submit = ("pipeline", "submit", "small.toml", str(clip))
    assert "--spot-ok lets them run here" in pitchey.ok(*submit).err
    assert "spot" not in pitchey.ok(*submit, "--spot-ok").err
    assert "spot" not in pitchey.ok(*submit, PITCHEY_NODE_IS_SPOT="false").err
