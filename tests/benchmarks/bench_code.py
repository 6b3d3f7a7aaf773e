"""Programs through Pitchey, beside the same without it: `python3 file`, `docker run`, and the bare toolchains.

    scripts/bench code

Prints tables, for Docker and for Podman. Pitchey's time is from the submission to the recorded end, on a daemon whose
pool is warm; the bare ones are whole processes. What compiles does so in the same image with the same share of the
processors and warm caches.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import docker

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import Job, JobState
from pitchey_cli.engines import images
from pitchey_cli.operations import submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service

ROUNDS = 40
SUSTAINED = 60
PAUSE_SECONDS = 0.7
COMPILED_ROUNDS = 9
PATIENCE_SECONDS = 120.0

PYTHON = "print('hello')\n"
GO = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'
RUST = 'fn main() { println!("hello"); }\n'
#: as languages.py has it, on a container that lives on
BARE = {
    "go": "cd /tmp && GOCACHE=/usr/local/lib/go-cache CGO_ENABLED=0 GO111MODULE=off GODEBUG=goindex=0"
    " go build -ldflags='-s -w' -o /tmp/program main.go && /tmp/program",
    "rust": "cd /tmp && rustc --edition=2021 -C debuginfo=0 -C strip=symbols -C linker=gcc -C link-arg=-fuse-ld=mold"
    " -o /tmp/program main.rs && /tmp/program",
}


class Ground(NamedTuple):
    """A daemon on an engine."""

    kind: str
    url: str
    state: Path
    store: SqliteStore
    api: docker.APIClient
    image: str


def main() -> None:
    """Measure and print."""
    for kind in ("docker", "podman"):
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            _measure(kind, os.environ[f"PITCHEY_TEST_{kind.upper()}"], Path(directory))


def _measure(kind: str, url: str, state: Path) -> None:
    environment = os.environ | {
        "PITCHEY_STATE_DIR": str(state),
        "PITCHEY_ENGINE_KIND": kind,
        "PITCHEY_ENGINE_URL": url,
    }
    subprocess.run(_pitchey("images", "build", "code"), env=environment, check=True, capture_output=True)
    subprocess.run(_pitchey("daemon", "start"), env=environment, check=True, capture_output=True)
    store = SqliteStore.open(layout.database(state), create=False)
    api = docker.APIClient(url, version="auto", timeout=120)
    ground = Ground(kind, url, state, store, api, images.current_tag(Service.CODE))
    try:
        _latency(ground)
        _sustained(ground)
        _compiled(ground)
    finally:
        store.close()
        api.close()
        subprocess.run(_pitchey("daemon", "stop"), env=environment, check=True, capture_output=True)


def _latency(ground: Ground) -> None:
    cold = _jobs(ground, "python", PYTHON, 1)
    through = [_after_a_pause(lambda: _jobs(ground, "python", PYTHON, 1)[0]) for _ in range(ROUNDS)]
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "main.py"
        file.write_text(PYTHON)
        python = os.path.realpath(sys.executable)  # no shim before it
        bare = _timed(lambda: subprocess.run([python, str(file)], check=True, capture_output=True))
    runs = _timed(lambda: _run(ground, ["-c", PYTHON]), rounds=9)
    commands = _timed(lambda: _command(ground), rounds=9)
    print(f"\n{ground.kind}: a Python hello of one line{'':20} {'p50 ms':>8} {'p95 ms':>8}")  # noqa: T201
    _row("the first job, from nothing", cold)
    _row("a warm job, submission to recorded end", through)
    _row("python3 file", bare)
    _row("a new container for it, over the engine's interface", runs)
    _row("docker run", commands)
    more = statistics.median(through) - statistics.median(bare)
    print(f"Pitchey - python3, p50: {more * 1000:.0f} ms (aim: at most 40)")  # noqa: T201
    ratio = statistics.median(commands) / statistics.median(through)
    print(f"docker run / Pitchey, p50: {ratio:.1f} times (aim: at least 10)")  # noqa: T201


def _after_a_pause(job: Callable[[], float]) -> float:
    """As jobs come now and then: one on the heels of another shares the processors with the making of the next slot."""
    time.sleep(PAUSE_SECONDS)
    return job()


def _command(ground: Ground) -> None:
    limits = ["--network", "none", "--cap-drop", "ALL", "--memory", "512m", "--cpus", "0.5", "--log-driver", "none"]
    command = ["docker", "-H", ground.url, "run", "--rm", *limits]
    command += ["--entrypoint", "python3", ground.image, "-c", PYTHON]
    subprocess.run(command, check=True, capture_output=True)


def _sustained(ground: Ground) -> None:
    began = time.perf_counter()
    _jobs(ground, "python", PYTHON, SUSTAINED)
    through = SUSTAINED / (time.perf_counter() - began)
    began = time.perf_counter()
    for _ in range(SUSTAINED // 4):
        _run(ground, ["-c", PYTHON])
    runs = SUSTAINED // 4 / (time.perf_counter() - began)
    print(f"{SUSTAINED} jobs at once: {through:.1f} per second; a loop of container runs: {runs:.1f};"  # noqa: T201
          f" {through / runs:.1f} times")  # fmt: skip


def _compiled(ground: Ground) -> None:
    for language, code in (("go", GO), ("rust", RUST)):
        _jobs(ground, language, code, 1)
        through = [_jobs(ground, language, code, 1)[0] for _ in range(COMPILED_ROUNDS)]
        bare = _bare_compiles(ground, language, code)
        _row(f"{language}: compiled and run through Pitchey", through)
        _row(f"{language}: the bare toolchain in a container that lives on", bare)
        ratio = statistics.median(through) / statistics.median(bare)
        print(f"Pitchey / bare, p50: {ratio:.2f}")  # noqa: T201


def _bare_compiles(ground: Ground, language: str, code: str) -> list[float]:
    file = "/tmp/main." + {"go": "go", "rust": "rs"}[language]
    container = _create(ground, ["-c", "import time; time.sleep(600)"])
    try:
        ground.api.start(container)
        writing = _exec(ground, container, ["python3", "-c", f"open({file!r}, 'w').write({code!r})"])
        assert writing == "", writing
        assert _exec(ground, container, ["sh", "-c", BARE[language]]).strip() == "hello"
        return _timed(lambda: _exec(ground, container, ["sh", "-c", BARE[language]]), rounds=COMPILED_ROUNDS)
    finally:
        ground.api.remove_container(container, force=True)


def _exec(ground: Ground, container: str, command: Sequence[str]) -> str:
    made = ground.api.exec_create(container, list(command), user="0:0", environment={"HOME": "/tmp"})
    said: bytes = ground.api.exec_start(made["Id"])
    return said.decode()


def _run(ground: Ground, command: Sequence[str]) -> None:
    container = _create(ground, command)
    ground.api.start(container)
    assert ground.api.wait(container)["StatusCode"] == 0
    ground.api.remove_container(container, force=True)


def _create(ground: Ground, command: Sequence[str]) -> str:
    config = {
        "Image": ground.image,
        "Entrypoint": ["python3"],
        "Cmd": list(command),
        "HostConfig": {
            "NetworkMode": "none",
            "CapDrop": ["ALL"],
            "Memory": 512 << 20,
            "NanoCpus": 500_000_000,
            "LogConfig": {"Type": "none"},
            "Tmpfs": {"/tmp": "rw,exec"},
        },
    }
    return str(ground.api.create_container_from_config(config)["Id"])  # type: ignore[no-untyped-call]


def _jobs(ground: Ground, language: str, code: str, count: int) -> list[float]:
    """Submit jobs at once, wait for them all; seconds from their submission to their end."""
    draft = drafted(Service.CODE, {"language": language, "code": code}, None)
    settings = submit.JobSettings(max_attempts=1, timeout_seconds=60)
    artifacts = LocalArtifacts(layout.artifacts(ground.state))
    jobs = submit.stage([draft] * count, artifacts, lambda _: settings, limit_bytes=1 << 30)
    ids = submit.submit(ground.store, jobs, now=datetime.now(UTC), artifacts=artifacts)
    lock.poke(ground.state)
    deadline = time.monotonic() + PATIENCE_SECONDS
    ended: list[Job] = []
    while len(ended) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        found = [ground.store.job(job_id) for job_id in ids]
        ended = [job for job in found if job is not None and job.finished_at is not None]
    assert all(job.state is JobState.SUCCEEDED for job in ended), [job.error for job in ended]
    for job in ended:
        details = ground.store.details(job.id)
        assert details["stdout"]["text"] == "hello\n", json.dumps(details)
    return [(job.finished_at - job.created_at).total_seconds() for job in ended if job.finished_at is not None]


def _timed(action: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    seconds: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def _row(what: str, seconds: list[float]) -> None:
    p95 = sorted(seconds)[int(len(seconds) * 0.95)]
    print(f"{what:58} {statistics.median(seconds) * 1000:8.0f} {p95 * 1000:8.0f}")  # noqa: T201


def _pitchey(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pitchey_cli", *arguments]


if __name__ == "__main__":
    main()
