"""How fast a submission reaches a warm instance, and how fast an instance is there, beside `docker run`.

Prints a table. Needs PITCHEY_TEST_DOCKER and the docker command; `make bench` sets both up.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon import lock
from pitchey_cli.domain import layout
from pitchey_cli.engines import images
from pitchey_cli.operations import follow, submit
from pitchey_cli.operations.drafts import drafted
from pitchey_cli.operations.sources import Source
from pitchey_cli.store.sqlite import SqliteStore
from processors.vocabulary import Service

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "tests" / "resources" / "video" / "carphone_pristine.mp4"
SUBMISSIONS = 100
STARTS = 9


def main() -> None:
    """Measure and print."""
    url = os.environ["PITCHEY_TEST_DOCKER"]
    image = images.current_tag(Service.VIDEO)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        state = Path(directory)
        environment = os.environ | {
            "PITCHEY_STATE_DIR": str(state),
            "PITCHEY_ENGINE_KIND": "docker",
            "PITCHEY_ENGINE_URL": url,
            "PITCHEY_SERVICES_VIDEO_SLEEP_AFTER_SECONDS": "0",
        }
        subprocess.run(_pitchey("images", "build", "video"), env=environment, check=True, capture_output=True)
        ready, runs = _starts(environment, url, image, state)
        environment["PITCHEY_SERVICES_VIDEO_SLEEP_AFTER_SECONDS"] = "300"
        picked = _pick_ups(environment, state)
    print(f"{'':44} {'p50':>9} {'p95':>9}")  # noqa: T201
    _row("submission to the worker's accepted, warm", picked)
    _row("docker run of the same image, true", runs)
    _row("instance asked for to worker ready", ready)
    ratio = statistics.median(runs) / statistics.median(picked)
    print(f"docker run / pick-up, p50: {ratio:.0f} times (aim: at least 40)")  # noqa: T201
    ratio = statistics.median(ready) / statistics.median(runs)
    print(f"instance ready / docker run, p50: {ratio:.2f} (aim: at most 1.5)")  # noqa: T201


def _row(what: str, seconds: list[float]) -> None:
    p95 = sorted(seconds)[int(len(seconds) * 0.95)]
    print(f"{what:44} {statistics.median(seconds) * 1000:6.1f} ms {p95 * 1000:6.1f} ms")  # noqa: T201


def _pitchey(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pitchey_cli", *arguments]


def _submitter(state: Path, store: SqliteStore) -> Callable[[], str]:
    artifacts = LocalArtifacts(layout.artifacts(state))
    settings = submit.JobSettings(max_attempts=1, timeout_seconds=60)
    fields = {"output_format": "thumbnail", "thumbnail_times": [0]}
    draft = drafted(Service.VIDEO, fields, Source(str(CLIP), "clip"))

    def once() -> str:
        (job,) = submit.stage([draft], artifacts, lambda _: settings, limit_bytes=2**30)
        (job_id,) = submit.submit(store, [job], now=datetime.now(UTC), artifacts=artifacts)
        lock.poke(state)
        follow.until_finished(store, [job_id], on_change=lambda job: None)
        return job_id

    return once


def _pick_ups(environment: dict[str, str], state: Path) -> list[float]:
    """Seconds from the moment of submission to the one that the worker itself has written into its first event."""
    daemon = _daemon(environment)
    store = SqliteStore.open(layout.database(state))
    once = _submitter(state, store)
    try:
        once()  # leaves zero
        seconds: list[float] = []
        for _ in range(SUBMISSIONS):
            job = store.job(once())  # type: ignore[arg-type]
            (attempt,) = store.attempts(job.id)
            first = layout.kept_events(state, attempt.token).read_text().splitlines()[0]
            accepted = float(first.partition('"at":')[2].partition(",")[0].rstrip("}"))
            seconds.append(accepted - job.created_at.timestamp())
        return seconds
    finally:
        daemon.terminate()
        daemon.wait()
        store.close()


def _starts(environment: dict[str, str], url: str, image: str, state: Path) -> tuple[list[float], list[float]]:
    """Instances that leave zero, and `docker run` of the same image, in turn."""
    daemon = _daemon(environment)
    store = SqliteStore.open(layout.database(state))
    once = _submitter(state, store)
    ready: list[float] = []
    runs: list[float] = []
    command = ["docker", "-H", url, "run", "--rm", "--network", "none", "--entrypoint", "true", image]
    try:
        for _ in range(STARTS):
            once()
            instance = store.instances(active_only=False)[-1]
            assert instance.ready_at is not None
            ready.append((instance.ready_at - instance.created_at).total_seconds())
            while store.instances():
                time.sleep(0.01)
            began = time.perf_counter()
            subprocess.run(command, check=True)
            runs.append(time.perf_counter() - began)
        return ready, runs
    finally:
        daemon.terminate()
        daemon.wait()
        store.close()


def _daemon(environment: dict[str, str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(_pitchey("daemon", "run"), env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(" ready"):
            break
    return process


if __name__ == "__main__":
    main()
