"""The API beside a real daemon: a job from upload to download, and every way in which one of the two can end."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import psutil
import pytest

from tests.conftest import Pitchey
from tests.resources.programs import held, working
from tests.resources.waiting import DEADLINE_SECONDS, until
from tests.resources.workers import is_alive


@dataclass
class Daemon:
    """A daemon, what it has said, and where its API is."""

    process: subprocess.Popen[str]
    said: list[str]
    address: str

    @property
    def front(self) -> psutil.Process:
        """The process that serves the API."""
        return working(self.process.pid, "pitchey_cli.api")[0]

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=DEADLINE_SECONDS)


def start(pitchey: Pitchey, api: str = "127.0.0.1:0") -> Daemon:
    process = pitchey.start("daemon", "run", "--api", api, stderr=subprocess.PIPE)
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if line.rstrip().endswith(" ready"):
            break
    found = re.search(r"API at (\S+),", "".join(said))
    assert found is not None, "".join(said)
    return Daemon(process, said, found[1])


def test_a_job_goes_from_an_upload_to_a_download(pitchey: Pitchey, clip: Path) -> None:
    daemon = start(pitchey)
    assert "for anybody on this machine, as there is no token yet" in "".join(daemon.said)
    with daemon.client() as client:
        assert client.get("/readyz").json()["status"] == "ready"
        asked = {"job": json.dumps({"spec": {"outputFormat": "thumbnail"}})}
        answer = client.post("/v1/video?wait=50", files={"input": ("clip.mp4", clip.read_bytes())}, data=asked)
        assert answer.status_code in (200, 202), answer.text  # it waited for the end, or for 50 seconds
        pitchey.ok("wait", answer.json()["id"])
        job = client.get(f"/v1/jobs/{answer.json()['id']}").json()
        assert job["state"] == "succeeded", job
        picture = client.get(job["outputs"][0]["url"])
        assert picture.content.startswith(b"\xff\xd8") and picture.headers["content-type"] == "image/jpeg"
        told = [json.loads(line) for line in client.get(f"/v1/jobs/{job['id']}/logs").text.splitlines()]
        assert all(each["attempt"] == 1 for each in told)
    assert pitchey.job(job["id"])["outputs"][0]["sha256"] == job["outputs"][0]["sha256"], "the same queue"


def test_an_api_that_breaks_is_started_again_and_the_daemon_goes_on(pitchey: Pitchey) -> None:
    daemon = start(pitchey)
    with daemon.client() as client:
        client.get("/healthz")
        first = daemon.front
        first.send_signal(signal.SIGKILL)
        until(lambda: not is_alive(first.pid), "it is dead")
    with daemon.client() as client:  # whoever connects meanwhile waits, and is not refused
        assert client.get("/healthz").status_code == 200
    assert daemon.front.pid != first.pid and daemon.process.poll() is None


def test_while_the_daemon_drains_jobs_are_still_followed_and_readiness_is_gone(
    pitchey: Pitchey, clip: Path, lasting_options: list[str]
) -> None:
    daemon = start(pitchey)
    job_id = pitchey.ok("submit", "video", clip, *lasting_options).lines[0]
    with daemon.client() as client:
        with held(daemon.process.pid, job_id):
            draining = pitchey.start("daemon", "drain")
            until(lambda: client.get("/readyz").json()["isDraining"], "it says that it drains")
            assert client.get("/readyz").status_code == 503
        assert client.get(f"/v1/jobs/{job_id}?wait=50").status_code in (200, 202)
    draining.wait(DEADLINE_SECONDS)
    assert pitchey.job(job_id)["state"] == "succeeded"
    with pytest.raises(httpx.ConnectError), daemon.client() as client:
        client.get("/healthz")


def test_a_daemon_that_is_killed_takes_its_api_along_and_the_next_has_the_same_address(pitchey: Pitchey) -> None:
    daemon = start(pitchey)
    api = daemon.front
    with daemon.client() as client:
        client.get("/healthz")  # it serves, and is not on its way up any more
    daemon.process.kill()
    daemon.process.wait()
    next_one = start(pitchey, daemon.address.removeprefix("http://"))
    assert next_one.address == daemon.address
    until(lambda: not is_alive(api.pid), "the first API has ended")
    with next_one.client() as client:
        assert client.get("/readyz").json()["status"] == "ready"


def test_nobody_but_its_owner_gets_to_a_unix_socket_and_it_goes_with_the_daemon(pitchey: Pitchey) -> None:
    path = pitchey.cwd / "api.sock"
    daemon = start(pitchey, f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://localhost", timeout=60) as client:
        assert client.get("/healthz").json()["status"] == "ok"
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(DEADLINE_SECONDS) == 0
    assert not os.path.lexists(path)


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_without_a_token_it_does_not_listen_where_others_come_from(pitchey: Pitchey, address: str) -> None:
    answer = pitchey("daemon", "run", "--api", address)
    assert answer.code == 2 and "There is no token yet" in answer.err and "pitchey token add" in answer.err


@pytest.mark.parametrize(
    "address", ["8080", "localhost:99999", "example.org:80", "127.0.0.1:http", "unix:" + "x" * 200]
)
def test_what_is_no_address_is_refused(pitchey: Pitchey, address: str) -> None:
    assert pitchey("daemon", "run", "--api", address).code == 2


def test_an_address_that_is_taken_is_told(pitchey: Pitchey) -> None:
    path = pitchey.cwd / "taken"
    path.write_text("something else")
    answer = pitchey("daemon", "run", "--api", f"unix:{path}")
    assert answer.code == 8 and "cannot be listened on" in answer.err
    assert path.read_text() == "something else"


def test_no_url_of_a_job_gets_to_this_machine_or_its_network_and_nothing_says_what_is_there(
    pitchey: Pitchey, clip: Path
) -> None:
    """SSRF through inputs and watermarks, by addresses, by names that lead home, and by metadata services."""
    reached: list[str] = []

    class Inside(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.path)
            self.send_error(500)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Inside) as inside:
        threading.Thread(target=inside.serve_forever, daemon=True).start()
        port = inside.server_address[1]
        daemon = start(pitchey)
        urls = [f"http://{host}:{port}/x.mp4" for host in ("127.0.0.1", "localhost", "[::ffff:7f00:1]", "0.0.0.0")]
        urls += [f"http://2130706433:{port}/x.mp4", "http://169.254.169.254/latest/meta-data/x.mp4"]
        specs = [{"inputUrl": url, "outputFormat": "thumbnail"} for url in urls]
        marked = {"inputUrl": "upload:input", "outputFormat": "mp4", "watermark": {"imageUrl": urls[1]}}
        with daemon.client() as client:
            for spec in [*specs, marked]:
                files = {"input": ("clip.mp4", clip.read_bytes())} if spec is marked else {}
                order = json.dumps({"service": "video", "spec": spec}).encode()
                refused = client.post("/v1/jobs", files={**files, "job": (None, order, "application/json")})
                assert refused.status_code == 403 and "has no public address" in refused.json()["detail"], refused.text
            # Whoever submits may believe that the daemon may go there: it is looked again when they are fetched.
            allowed = {"PITCHEY_NETWORK_ALLOW_PRIVATE_URLS": "true"}
            asked = [("submit", "video", url, "--output-format", "thumbnail") for url in urls]
            asked.append(("submit", "video", clip, "--watermark-image-url", urls[1]))
            for job_id in [pitchey.ok(*each, **allowed).lines[0] for each in asked]:
                assert pitchey("wait", job_id).code == 1
                ended = client.get(f"/v1/jobs/{job_id}").json()
                assert ended["state"] == "dead", ended
                said = json.dumps([ended["error"], [each.get("error") for each in ended["attempts"]]])
                assert "has no public address" in said and ended["attemptsUsed"] <= 1, said
                assert "127.0.0.1" not in said or "//127.0.0.1" in json.dumps(ended["spec"]), said
        inside.shutdown()
    assert reached == []
