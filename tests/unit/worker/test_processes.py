"""Processes that are not to outlive the one that started them."""

from __future__ import annotations

import subprocess
import sys

from tests.resources.workers import ROOT

_FORK_OF_ONE_THAT_IS_GONE = """
import os
from processors.worker import processes

parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        pass
    processes.die_with_parent(parent)
    print("it lives")
"""


def test_a_process_whose_parent_was_killed_before_it_could_say_that_it_goes_with_it_ends() -> None:
    command = [sys.executable, "-c", _FORK_OF_ONE_THAT_IS_GONE]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT).stdout == ""
