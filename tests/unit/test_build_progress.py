"""An image that is built in a pipe: its steps, and a sign of life, not all that a package manager says."""

from __future__ import annotations

import itertools

import pytest

from pitchey_cli.cli.progress import show_build
from pitchey_cli.engines.port import BuildStep


def test_steps_are_shown_and_of_their_output_a_line_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = itertools.count(0, 1)
    steps = [BuildStep("STEP 1/2: FROM x", 1, 2), *(BuildStep(f"Unpacking {n} ...") for n in range(30))]
    steps.append(BuildStep("STEP 2/2: RUN " + "y" * 500, 2, 2))
    show_build(steps, title="building the video image", clock=lambda: float(next(seconds)))
    said = capsys.readouterr().err.splitlines()
    assert said[:2] == ["building the video image", "  STEP 1/2: FROM x"]
    assert said[-1].startswith("  STEP 2/2: RUN yyy") and len(said[-1]) < 110
    assert 2 < len(said) < 10
    assert any("Unpacking" in line for line in said)
