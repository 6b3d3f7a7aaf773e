"""The command line against a daemon elsewhere: the same verbs, the same output, and files that survive what ends."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pitchey_cli.artifacts.incoming import About, Arrivals
from pitchey_cli.domain.access import Role
from pitchey_cli.domain.errors import InputNotFound, QuotaReached
from tests.conftest import Pitchey
from tests.resources.away import Away
from tests.resources.served import Served, served
from tests.resources.waiting import DEADLINE_SECONDS, until
from tests.resources.wires import Wire, wire_to

MIB = 1024 * 1024
BIG = 24 * MIB


def big_film(clip: Path, target: Path) -> Path:
    """A real film with megabytes behind its end, which no player minds and nothing compresses away."""
    target.write_bytes(clip.read_bytes() + os.urandom(BIG))
    return target


# --- the same


LOOKS: tuple[tuple[str, ...], ...] = (
    ("jobs",),
    ("jobs", "--json"),
    ("jobs", "--service", "video", "--state", "succeeded", "--ids"),
    ("status", "--json"),
    ("status", "@last", "--json"),
    ("status", "nothere"),
    ("batch", "list"),
    ("batch", "status", "films", "--json"),
    ("batch", "wait", "films", "--quiet"),
    ("batch", "report", "films", "--json"),
    ("events", "--json"),
    ("logs", "@last"),
    ("result", "@last", "--list"),
    ("wait", "@last", "--json"),
    ("dlq", "list"),
    ("dlq", "retry", "@last"),
    ("cancel", "@last"),
    ("schedule", "list", "--json"),
    ("budget", "list", "--json"),
    ("instances", "list", "--all", "--json"),
    ("presets", "--json"),
    ("models", "list", "--json"),
    ("org", "list", "--json"),
    ("token", "list"),
    ("role", "list", "--organisation", "acme", "--json"),
    ("scaling", "history", "--json"),
    ("cost", "--since", "2020-01-01", "--until", "2020-02-01", "--csv"),
    ("pipeline", "show", "films"),
    ("why", "@last"),
)
_MOVING = re.compile(r"[\d.,]+ (?:s|min|h)(?: [\d]+ s)? ago|\$[\d.]+|\b\d{4}-\d\d-\d\d[T ][\d:.]+Z?")
_CLOCKS = re.compile(r'"(?:costUsd|spentUsd|leftUsd|historySeconds|percent|secondsIdle)": ?[^,}\n]+')


def still(text: str) -> str:
    """Without what goes on while two commands look at it, one after the other."""
    return _CLOCKS.sub("", _MOVING.sub("", text))


def test_every_look_at_a_server_prints_what_a_look_beside_the_database_prints(far: Away, clip: Path) -> None:
    thumbnail = ("--output-format", "thumbnail")
    far.away.ok("run", "video", clip, *thumbnail, "--batch", "films")
    far.here.ok("org", "add", "acme")
    far.here.ok("role", "grant", "ada", "viewer", "--organisation", "acme")
    far.here.ok("budget", "set", "5")
    far.away.ok("schedule", "add", "video", "https://media.example/film.mp4", "--name", "nightly", "--cron", "@daily")
    for look in LOOKS:
        here, away = far.here(*look), far.away(*look)
        assert away.code == here.code, (look, away.err)
        assert still(away.out) == still(here.out), look
        assert still(away.err) == still(here.err), look
    assert not far.away.state_dir.joinpath("pitchey.db").exists(), "nothing is kept where the command runs"


def scenario(command: Pitchey, clip: Path) -> list[Any]:
    """What somebody does in a morning; what it printed, without what is a job's own."""
    (command.cwd / "films").mkdir()
    for name in ("one", "two"):
        (command.cwd / "films" / f"{name}.mp4").write_bytes(clip.read_bytes())
    (command.cwd / "broken.mp4").write_bytes(b"no film at all")
    lines = [{"input": "films/one.mp4", "name": "first"}, {"input": "films/two.mp4", "name": "second"}]
    (command.cwd / "lines.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    thumbnail = ("--output-format", "thumbnail")
    done = [
        command("run", "video", "films", *thumbnail, "-o", "out", "--quiet"),
        command("run", "video", "films", *thumbnail, "-o", "out", "--quiet"),
        command("run", "video", "broken.mp4", *thumbnail),
        command("run", "video", "missing.mp4"),
        command("run", "video", "films/one.mp4", "--quality", "best"),
        command("submit", "video", "--manifest", "lines.jsonl", *thumbnail, "--batch", "listed"),
        command("batch", "wait", "listed", "--quiet"),
        command("dlq", "list", "--limit", "1", "--json"),
        command("probe", "films/one.mp4", "--json"),
        command("result", "@last", "--output", "nowhere/at/all", "--list"),
        command("submit", "video", "films/one.mp4", *thumbnail, "--after", "nothere"),
    ]
    found = [(each.code, unnamed(each.out), unnamed(each.err)) for each in done]
    files = sorted(str(path.relative_to(command.cwd)) for path in command.cwd.rglob("*.jpg"))
    return [*found, files]


_IDS = re.compile(r"\b[0-9a-hjkmnp-tv-z]{12}\b")
_OWN = re.compile(r'"(?:idempotencyKey|inputUrl|attemptsUsed)":"?[^,]*')


def unnamed(text: str) -> str:
    text = re.sub(r"waited .*", "", _IDS.sub("JOB", still(_OWN.sub("", text))))
    return "\n".join(line for line in text.splitlines() if not re.search(r"queued|running", line))


def test_the_same_morning_here_and_there(far: Away, clip: Path) -> None:
    for away, here in zip(scenario(far.away, clip), scenario(far.here, clip), strict=True):
        assert away == here


def test_a_pipeline_runs_there_on_files_from_here(far: Away, clip: Path) -> None:
    steps = '[steps.small]\nservice="video"\ninput="@input"\noutputFormat="thumbnail"\n'
    (far.folder() / "small.toml").write_text(steps)
    (far.folder() / "film.mp4").write_bytes(clip.read_bytes())
    answer = far.away.ok("pipeline", "run", "small.toml", "film.mp4", "-o", "out", "--batch", "walk")
    assert [path.name for path in (far.folder() / "out").iterdir()] == ["film-small-thumbnail-001.jpg"], answer.out
    assert far.here.ok("batch", "status", "walk", "--json").json["states"] == {"succeeded": 1}


@pytest.mark.parametrize(
    "verb", [("daemon", "status"), ("images", "list"), ("db", "check"), ("doctor",), ("models", "pin", "a@1")]
)
def test_what_is_about_a_machine_says_so_and_does_nothing(far: Away, verb: tuple[str, ...]) -> None:
    answer = far.away(*verb)
    assert answer.code == 2 and "at the machine of the daemon alone" in answer.err and "--context local" in answer.err
    assert answer.out == "" and not far.away.state_dir.exists()


# --- files on their way


def test_an_upload_that_is_cut_goes_on_where_it_was_and_sends_little_twice(far: Away, clip: Path) -> None:
    film = big_film(clip, far.folder() / "film.mp4")
    size = film.stat().st_size
    with wire_to(far.port) as wire:
        wire.cut_after_sent = size // 2
        far.away.ok("submit", "video", film, "--output-format", "thumbnail", PITCHEY_SERVER=wire.url)
        assert wire.cuts == 1
        assert size <= wire.sent < size * 1.25, "what had come was not sent again"


def test_an_upload_goes_on_after_the_server_was_killed_and_the_command_interrupted(far: Away, clip: Path) -> None:
    film = big_film(clip, far.folder() / "film.mp4")
    size = film.stat().st_size
    with wire_to(far.port) as wire:
        wire.cut_after_sent, wire.stays_down = size // 2, True
        sending = far.away.start(
            "submit", "video", film, "--output-format", "thumbnail", PITCHEY_SERVER=wire.url
        )  # fmt: skip
        until(lambda: wire.cuts, "half of it has been sent")
        far.daemon.kill()
        far.daemon.wait()
        sending.send_signal(signal.SIGINT)
        assert sending.wait(DEADLINE_SECONDS) == 130
        far.restart()
        wire.is_down = wire.stays_down = False
        before = wire.sent
        job_id = far.away.ok("submit", "video", film, "--output-format", "thumbnail", PITCHEY_SERVER=wire.url).lines[0]
        assert wire.sent - before < size, "what had come was not sent again"
    far.away.ok("wait", job_id)


@pytest.fixture
def shop(pitchey: Pitchey, tmp_path: Path) -> Iterator[Shop]:
    with served(tmp_path / "shop") as ready:
        content = os.urandom(BIG)
        job_id = ready.add()
        ready.succeed(job_id, tmp_path, content)
        with wire_to(ready.address.port) as wire:
            command = replace(pitchey, environment={**pitchey.environment, "PITCHEY_SERVER": wire.url})
            yield Shop(ready, command, wire, job_id, content)


@dataclass
class Shop:
    """A server with a large result, at the end of a wire."""

    served: Served
    command: Pitchey
    wire: Wire
    job_id: str
    content: bytes

    def folder(self) -> Path:
        return self.command.cwd / "out"

    def got(self) -> bytes:
        (found,) = self.folder().iterdir()
        assert not found.name.endswith(".part")
        return found.read_bytes()


def test_a_download_that_is_cut_goes_on_where_it_was(shop: Shop) -> None:
    shop.wire.cut_after_received = BIG // 2
    shop.command.ok("result", shop.job_id, "-o", "out")
    assert shop.wire.cuts == 1 and BIG <= shop.wire.received < BIG * 1.25
    assert shop.got() == shop.content


def test_an_interrupted_download_leaves_a_part_that_the_next_goes_on_with(shop: Shop) -> None:
    shop.wire.cut_after_received, shop.wire.stays_down = BIG // 2, True
    getting = shop.command.start("result", shop.job_id, "-o", "out")
    until(lambda: shop.wire.cuts, "half of it has come")
    getting.send_signal(signal.SIGINT)
    assert getting.wait(DEADLINE_SECONDS) == 130
    (part,) = shop.folder().iterdir()
    assert part.name.endswith(".part") and part.stat().st_size > BIG // 4
    shop.wire.is_down = shop.wire.stays_down = False
    before = shop.wire.received
    shop.command.ok("result", shop.job_id, "-o", "out")
    assert shop.wire.received - before < BIG * 0.75
    assert shop.got() == shop.content


# --- who asks


def test_a_wrong_token_is_refused_in_one_sentence_and_shown_nowhere(shop: Shop) -> None:
    token = shop.served.token()
    wrong = token[:-4] + "zzzz"
    for shown in (wrong, ""):
        answer = shop.command("jobs", PITCHEY_TOKEN=shown)
        assert answer.code == 4 and "PITCHEY_TOKEN" in answer.err and not (shown and shown in answer.err)
    assert shop.command("--debug", "jobs", PITCHEY_TOKEN=wrong).err.count(wrong) == 0
    assert shop.command.ok("jobs", "--ids", PITCHEY_TOKEN=token).lines == [shop.job_id]
    secret = shop.command.cwd / "token"
    secret.write_text(f"{token}\n")
    assert shop.command.ok("--token-file", secret, "jobs", "--ids").lines == [shop.job_id]


def test_another_organisation_finds_nothing_and_a_viewer_may_change_nothing(shop: Shop) -> None:
    shop.served.token()
    theirs = shop.served.token(Role.ADMIN, "rival")
    assert shop.command.ok("jobs", "--ids", PITCHEY_TOKEN=theirs).out == ""
    assert shop.command("status", shop.job_id, PITCHEY_TOKEN=theirs).code == 3
    assert shop.command("result", shop.job_id, PITCHEY_TOKEN=theirs).code == 3
    assert shop.command.ok("status", "--json", PITCHEY_TOKEN=theirs).json["jobs"] == {}
    assert shop.command("scaling", "status", PITCHEY_TOKEN=theirs).code == 4
    own = shop.command.ok("cost", "--json", PITCHEY_TOKEN=theirs).json
    assert own["organisation"] == "rival" and own["idleNanodollars"] is None
    viewer = shop.served.token(Role.VIEWER, "default")
    denied = shop.command("cancel", shop.job_id, PITCHEY_TOKEN=viewer)
    assert denied.code == 4 and "submitter" in denied.err


def test_an_upload_belongs_to_its_organisation_and_is_what_it_was_announced_to_be(shop: Shop) -> None:
    ours, theirs = (shop.served.client(shop.served.token(Role.SUBMITTER, name)) for name in ("acme", "rival"))
    said = base64.b64encode(hashlib.sha256(b"what").hexdigest().encode()).decode()
    tus = {"Tus-Resumable": "1.0.0"}
    begin = {
        **tus,
        "Upload-Length": "4",
        "Upload-Metadata": f"filename {base64.b64encode(b'a.mp4').decode()},sha256 {said}",
    }
    place = ours.post("/v1/uploads", headers=begin).headers["location"]
    piece = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    assert theirs.head(place, headers=tus).status_code == 404
    assert theirs.patch(place, headers=piece, content=b"what").status_code == 404
    assert theirs.post("/v1/uploads", headers=begin).headers["location"] != place
    early = {"service": "video", "spec": {"inputUrl": f"upload:{place.rpartition('/')[2]}"}}
    assert ours.post("/v1/jobs", json=early).status_code == 422
    assert ours.patch(place, headers={**piece, "Upload-Offset": "2"}, content=b"at").status_code == 409
    assert ours.patch(place, headers=piece, content=b"wh").headers["upload-offset"] == "2"
    assert ours.head(place, headers=tus).headers["upload-offset"] == "2"
    assert ours.patch(place, headers={**piece, "Upload-Offset": "2"}, content=b"ats").status_code == 413
    again = ours.post("/v1/uploads", headers=begin)
    assert (again.status_code, again.headers["location"]) == (200, place)
    offset = again.headers["upload-offset"]
    wrong = ours.patch(place, headers={**piece, "Upload-Offset": offset}, content=b"en"[: 4 - int(offset)])
    assert wrong.status_code == 422 and wrong.json()["code"] == "checksum"
    assert ours.head(place, headers=tus).status_code == 404, "nobody knows which piece was wrong: all of it is gone"
    assert theirs.post("/v1/jobs", json=early).status_code == 422
    large = {**tus, "Upload-Length": str(10**15)}
    assert ours.post("/v1/uploads", headers=large).status_code == 413
    assert ours.post("/v1/uploads", headers={"Upload-Length": "4"}).status_code == 412


def test_uploads_that_nobody_goes_on_with_expire(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path, lasts_seconds=100, most_bytes=1000)
    upload, is_new = arrivals.begin("acme", About("film.mp4", 600, ""))
    assert is_new
    with pytest.raises(QuotaReached):
        arrivals.begin("acme", About("other.mp4", 600, ""))
    arrivals.begin("rival", About("theirs.mp4", 600, ""))
    began = upload.path.stat().st_mtime
    assert arrivals.sweep(now=began + 99) == 0
    assert arrivals.sweep(now=began + 102) == 2
    with pytest.raises(InputNotFound):
        arrivals.find("acme", upload.id)


# --- what goes wrong


def test_each_way_in_which_a_server_cannot_be_reached_is_one_sentence(pitchey: Pitchey) -> None:
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        for url, code, words in (
            (f"http://127.0.0.1:{taken.getsockname()[1]}", 8, "the connection is refused"),
            ("unix:/nowhere/api.sock", 8, "There is no socket"),
            ("ftp://example", 2, "no address of a server"),
            ("https://me:secret@example", 2, "before the @"),
        ):
            answer = pitchey("--server", url, "jobs")
            assert answer.code == code and words in answer.err and "secret" not in answer.err, answer.err
            assert len(answer.err.splitlines()) == 2, "what it is, and the way out"


def test_a_stranger_and_another_version_are_told_apart(pitchey: Pitchey) -> None:
    class Stranger(BaseHTTPRequestHandler):
        headers_of_it: ClassVar[dict[str, str]] = {}

        def do_GET(self) -> None:
            self.send_response(200)
            for name, value in self.headers_of_it.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b'{"views": 999}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        strange = pitchey("--server", url, "cost")
        Stranger.headers_of_it = {"Pitchey-Version": "9.9"}
        newer = pitchey("--server", url, "cost")
        server.shutdown()
    assert strange.code == 8 and "no Pitchey, or an old one" in strange.err
    assert newer.code == 8 and "is Pitchey 9.9, and this is" in newer.err


def test_too_many_requests_are_waited_for(tmp_path: Path, pitchey: Pitchey) -> None:
    with served(tmp_path / "busy", PITCHEY_API_REQUESTS_PER_MINUTE="60") as busy:
        client = busy.client()
        while client.get("/v1/me").status_code == 200:
            pass
        assert pitchey.ok("--server", str(busy.address), "jobs", "--json").out == ""


# --- contexts


def test_a_context_has_a_server_and_a_token_that_nobody_sees(shop: Shop) -> None:
    token = shop.served.token()
    command = replace(shop.command, environment={"PITCHEY_ENGINE_KIND": "process"})
    added = command.ok("context", "add", "shop", shop.wire.url, "--ask-token", "--use", stdin=f"{token}\n")
    kept = command.state_dir / "config" / "pitchey" / "tokens" / "shop"
    assert str(kept) in added.err and stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert command.ok("jobs", "--ids").lines == [shop.job_id]
    for look in (("list",), ("list", "--json"), ("show",), ("show", "shop", "--json")):
        answer = command.ok("context", *look)
        assert "shop" in answer.out and token not in answer.out + answer.err
    assert token not in (kept.parent.parent / "contexts.toml").read_text()
    assert command.ok("--context", "local", "jobs", "--ids").out == ""
    kept.chmod(0o644)
    assert command("jobs").code == 4, "others can read the token"
    kept.chmod(0o600)
    command.ok("context", "use", "local")
    assert command.ok("jobs", "--ids").out == ""
    command.ok("context", "remove", "shop")
    assert not kept.exists() and command("--context", "shop", "jobs").code == 3


def test_to_ask_for_help_loads_nothing_that_only_servers_need(pitchey: Pitchey) -> None:
    program = (
        "import sys; sys.argv = ['pitchey', *sys.argv[1:]]\n"
        "import atexit; atexit.register(lambda: print(sorted({'httpx'} & set(sys.modules)), file=sys.stderr))\n"
        "from pitchey_cli.cli.main import main; main()"
    )
    for arguments in (["--help"], ["jobs"]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], env=pitchey._environment({}), capture_output=True, text=True
        )
        assert done.returncode == 0 and "httpx" not in done.stderr, done.stderr
