"""Texts and pictures through the queue and a real, limited container, on Docker and on Podman."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Pitchey
from tests.resources.oracle import COFFEE


def test_the_image_brings_its_models_and_needs_no_network(contained: Pitchey) -> None:
    answer = json.loads(contained.ok("run", "inference", "sentiment", "I absolutely love it.").out)
    assert answer["output"][0]["label"] == "POSITIVE" and answer["device"] == "cpu"


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("arguments", "begin"),
    [
        (["classify", str(COFFEE)], "espresso 0."),
        (["entities", "Tim Cook opened an office in Berlin."], "Tim Cook PERSON"),
        (["generate", "Write one sentence about the sea.", "--max-tokens", "8"], "The sea"),
        (["moderate-text", "shut up moron"], "flagged"),
    ],
)
def test_each_kind_of_model_runs_in_the_image(contained: Pitchey, arguments: list[str], begin: str) -> None:
    out = contained.ok("run", "inference", *arguments, "--output-format", "text").out
    assert out.startswith(begin), out
