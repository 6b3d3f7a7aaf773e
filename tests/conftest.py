"""What the tiers share: the command line in a process of its own, with a state directory of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.resources.forking import Forks
from tests.resources.waiting import DEADLINE_SECONDS

if TYPE_CHECKING:
    from tests.servers.postgres import PostgresServer

# Else each of the processes that the tests start compiles all of Pitchey again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# How long an example takes says how busy the machine is, and nothing of what is tested. In CI the examples are the same
# each time, so that it says the same of the same code; whoever runs the tests elsewhere looks at others each time.
settings.register_profile("pitchey", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("pitchey")

ROOT = Path(__file__).resolve().parent.parent
RESOURCES = ROOT / "tests" / "resources"
COMMAND_SECONDS = 300.0
LOOK_SECONDS = 0.05  #: between two looks: what is looked at is to have the processor meanwhile
_FORKS = Forks()


@dataclass(frozen=True)
class Answer:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


@dataclass
class Pitchey:
    """Runs `pitchey` as a user does."""

    state_dir: Path
    cwd: Path
    environment: dict[str, str] = field(default_factory=dict)
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    inside: tuple[str, ...] = ()  #: the program that what is started is started by, in a network of its own for one
    root: Path = ROOT  #: where its packages are; those of another version lie elsewhere

    def __call__(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Answer:
        if self.root != ROOT:
            return self._in_its_own_python(arguments, stdin, environment)
        done = _FORKS.run(
            [*map(str, arguments)],
            stdin=stdin,
            cwd=self.cwd,
            environment=self._environment(environment),
            timeout_seconds=COMMAND_SECONDS,
        )
        return Answer(*done)

    def _in_its_own_python(self, arguments: tuple[str | Path, ...], stdin: str, environment: dict[str, str]) -> Answer:
        done = subprocess.run(
            self._command(arguments),
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.cwd,
            env=self._environment(environment),
            timeout=COMMAND_SECONDS,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str | Path, stdin: str = "", **environment: str) -> Answer:
        """Run a command that must succeed."""
        answer = self(*arguments, stdin=stdin, **environment)
        assert answer.code == 0, f"{arguments}: exit {answer.code}\n{answer.out}\n{answer.err}"
        return answer

    def start(
        self, *arguments: str | Path, stderr: int | IO[str] = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        """Start a command, a Python of its own, and leave it running; it is killed at the end of the test."""
        process = subprocess.Popen(
            [*self.inside, *self._command(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=self.cwd,
            env=self._environment(environment),
            # A test run that was started in the background ignores Ctrl-C, and its children would as well.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.started.append(process)
        return process

    def start_daemon(self, **environment: str) -> subprocess.Popen[str]:
        """Start `pitchey daemon run`, and wait until it is ready."""
        process = self.start("daemon", "run", stderr=subprocess.PIPE, **environment)
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if line.rstrip().endswith(" ready"):
                return process
        raise AssertionError(f"the daemon did not get ready:\n{''.join(said)}")

    def job(self, job_id: str) -> dict[str, Any]:
        """One job, as `pitchey status JOB --json` has it."""
        document: dict[str, Any] = self.ok("status", job_id, "--json").json
        return document

    def until(self, job_id: str, is_so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until something is true of a job."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not is_so(job := self.job(job_id)):
            assert time.monotonic() < deadline, f"still not so: {job}"
            time.sleep(LOOK_SECONDS)
        return job

    def until_working(self, job_id: str) -> dict[str, Any]:
        """Wait until a job has made some progress."""
        return self.until(job_id, lambda job: job["state"] == "running" and bool(job["progress"]))

    def _command(self, arguments: tuple[str | Path, ...]) -> list[str]:
        return [sys.executable, "-m", "pitchey_cli", *map(str, arguments)]

    def _environment(self, extra: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PITCHEY_", "DOCKER_"))}
        kept |= {"PITCHEY_STATE_DIR": str(self.state_dir), "XDG_CONFIG_HOME": str(self.state_dir / "config")}
        return kept | {"PYTHONPATH": str(self.root), "COLUMNS": "120", "NO_COLOR": "1"} | self.environment | extra

    def end(self) -> None:
        """Stop what was started, by pid; instances too."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        # Two signals that come at once are one, and that one waits for the work: it is told until it has ended.
        while left := [process for process in self.started if process.poll() is None]:
            for process in left:
                process.send_signal(signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                left[0].communicate(timeout=2 * LOOK_SECONDS)
        for process in self.started:
            process.communicate()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of a run, or of one of its workers; each test has a database of its own there."""
    from tests.servers.postgres import postgres  # late, as its driver: most tests need no server

    with postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database in which there is nothing."""
    name = postgres_server.create()
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A database with our schema, to be copied: that takes a tenth of the time of making it."""
    from pitchey_cli.store.postgres import PostgresStore  # late: most tests need no server

    name = postgres_server.create()
    PostgresStore.open(postgres_server.url(name)).close()
    return name


@pytest.fixture
def postgres_store_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """A database with our schema and nothing in it."""
    name = postgres_server.create(postgres_template)
    # A store of its own, as another state directory has it.
    postgres_server.run("UPDATE pitchey.meta SET value = md5(random()::text) WHERE name = 'state_id'", database=name)
    yield postgres_server.url(name)
    postgres_server.drop(name)


@pytest.fixture
def pitchey(tmp_path: Path) -> Iterator[Pitchey]:
    """The command line with an empty state directory, on the process engine."""
    work = tmp_path / "work"
    work.mkdir()
    command = Pitchey(tmp_path / "state", work, {"PITCHEY_ENGINE_KIND": "process"})
    yield command
    command.end()


@pytest.fixture(scope="session")
def clip() -> Path:
    """A real clip of ten seconds with picture and sound."""
    return RESOURCES / "video" / "sample_10s.mp4"


@pytest.fixture
def lasting_options() -> list[str]:
    """What makes the transcoding of a short clip last for some seconds: long enough to be met at work."""
    return ["--quality", "high", "--framerate", "240", "--output-format", "webm", "--resolution", "160x160"]


@pytest.fixture
def slow_options() -> list[str]:
    """What makes the transcoding of a short clip take far longer than any test waits."""
    return ["--output-format", "webm", "--quality", "ultra", "--framerate", "240"]
