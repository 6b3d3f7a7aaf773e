"""A storm in short: a fault of each kind that takes no long time, on a few dozen jobs. `make chaos` is the large one.

The engine is not restarted here: other tests use it.
"""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from pitchey_cli.engines.port import EngineKind
from tests.chaos.ground import clock_shifter
from tests.chaos.local import Engine, LocalStorm
from tests.chaos.storm import Options

SEED = 20


def _problems(options: Options, engine: Engine) -> dict[str, list[str]]:
    if clock_shifter() is None and os.environ.get("CI"):
        pytest.fail("Debian's package faketime is missing, and in CI no fault may be left out.")
    return LocalStorm(options, Console(highlight=False, width=120), engine).run().problems


def test_on_docker_nothing_is_lost_doubled_or_left_over_in_a_storm() -> None:
    url = os.environ.get("PITCHEY_TEST_DOCKER")
    if not url:
        pytest.fail("There is no docker for the tests: `make test` starts one.")
    assert _problems(Options(40, SEED), Engine(EngineKind.DOCKER, url)) == {}


def test_on_plain_processes_nothing_is_lost_doubled_or_left_over_in_a_storm() -> None:
    too_long = frozenset({"daemon stopped", "database damaged"})
    assert _problems(Options(24, SEED, without=too_long), Engine(EngineKind.PROCESS)) == {}
