"""The large storms.

    python -m tests.chaos --jobs 500 --engine docker --seed 7
    python -m tests.chaos --jobs 500 --nodes 3

`make chaos` starts a private engine for the first; `make nodes` runs the second.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from pitchey_cli.engines.port import EngineKind
from tests.chaos.ground import clock_shifter
from tests.chaos.local import Engine, LocalStorm
from tests.chaos.shared import SharedStorm
from tests.chaos.small_networks import can_be_made
from tests.chaos.storm import PLANNED_FOR, Options, Storm


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=PLANNED_FOR, help="how many; the faults grow with them")
    parser.add_argument("--nodes", type=int, default=0, help="daemons on PostgreSQL and S3, on plain processes")
    parser.add_argument("--engine", type=EngineKind, default=EngineKind.DOCKER, help="docker, podman or process")
    parser.add_argument("--seed", type=int, help="of an earlier storm, to have it again")
    parser.add_argument("--engine-root", type=Path, help="of a private engine that may be restarted")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    options, console = Options(given.jobs, seed), Console(highlight=False, width=120)
    if given.nodes:
        if os.environ.get("CI") and not can_be_made():
            parser.error("Networks cannot be made here, and in CI no fault may be left out.")
        return _carried_out(SharedStorm(options, console, given.nodes))
    url = os.environ.get(f"PITCHEY_TEST_{given.engine.upper()}")
    if url is None and given.engine is not EngineKind.PROCESS:
        parser.error(f"PITCHEY_TEST_{given.engine.upper()} names no engine: `make chaos` starts one.")
    if os.environ.get("CI") and clock_shifter() is None:
        parser.error("Debian's package faketime is missing, and in CI no fault may be left out.")
    return _carried_out(LocalStorm(options, console, Engine(given.engine, url, given.engine_root)))


def _carried_out(storm: Storm[Any]) -> int:
    # A TERM takes everything away like Ctrl-C does, and one that was started in the background hears both.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    try:
        result = storm.run()
    except KeyboardInterrupt:
        return 130
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())
