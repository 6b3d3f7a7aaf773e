"""A crowd in short: a few dozen jobs of five organisations, one in five hostile. `make sandbox` has 2,000."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Pitchey
from tests.e2e.conftest import CodeEngine
from tests.sandbox.crowd import Crowd


def test_in_a_crowd_every_verdict_is_right_and_nothing_is_left(code_engine: CodeEngine, tmp_path: Path) -> None:
    command = Pitchey(tmp_path / "state", tmp_path, dict(code_engine.settings))
    try:
        assert Crowd(command, code_engine.url, jobs=30, seed=20).run() == []
    finally:
        command.end()
