"""How fast the command line starts, and what an idle daemon uses. Prints a table; `make bench` sets it up."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROUNDS = 15
IDLE_SECONDS = 20


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        environment = os.environ | {"PITCHEY_STATE_DIR": directory, "PITCHEY_ENGINE_KIND": "process"}
        pitchey = str(Path(sys.executable).parent / "pitchey")
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "docker ps": ["docker", "-H", os.environ["PITCHEY_TEST_DOCKER"], "ps"],
            "pitchey --version": [pitchey, "--version"],
            "pitchey status": [pitchey, "status"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(
            ROUNDS + 1
        ):  # in turn, so that a slow moment of the machine meets all of them; the first warms up
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, env=environment, check=True, capture_output=True)
                times[name].append(time.perf_counter() - began)
        cpu, memory = _idle_daemon(environment)
    bare = statistics.median(times["python -c pass"][1:])
    print(f"{'':24} {'median':>9} {'fastest':>9} {'beside python':>14}")  # noqa: T201
    for name, seconds in times.items():
        median = statistics.median(seconds[1:])
        print(f"{name:24} {median * 1000:6.0f} ms {min(seconds) * 1000:6.0f} ms {median / bare:13.1f}x")  # noqa: T201
    print(f"idle daemon: {cpu * 100:.2f} % of one CPU, {memory / 2**20:.0f} MiB")  # noqa: T201


def _idle_daemon(environment: dict[str, str]) -> tuple[float, int]:
    command = [sys.executable, "-m", "pitchey_cli", "daemon", "run"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(" ready"):
            break
    daemon = psutil.Process(process.pid)
    before = sum(daemon.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    used = sum(daemon.cpu_times()[:2]) - before
    memory = daemon.memory_info().rss
    process.terminate()
    process.communicate()
    return used / IDLE_SECONDS, memory


if __name__ == "__main__":
    main()
