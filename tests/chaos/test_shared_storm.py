"""A storm over two daemons in short: a fault of each kind, on a few dozen jobs. `make nodes` is the large one."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from tests.chaos.shared import SharedStorm
from tests.chaos.small_networks import can_be_made
from tests.chaos.storm import Options

SEED = 10
_TOO_LONG = frozenset({"S3 silent", "cut from all", "node drained", "daemon stopped"})  # these have like ones here


def test_on_two_nodes_with_postgresql_and_s3_nothing_is_lost_doubled_or_left_over_in_a_storm() -> None:
    if os.environ.get("CI") and not can_be_made():
        pytest.fail("Networks cannot be made here, and in CI no fault may be left out.")
    options = Options(60, SEED, _TOO_LONG)
    assert SharedStorm(options, Console(highlight=False, width=120), nodes=2).run().problems == {}
