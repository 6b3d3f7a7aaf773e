"""The detector of COCO's things out of the package that has it, which npm fetches: what it finds in real pictures.

`make frameworks` runs it, on the engine `process`. No part of `make test`: it is 29 MB of somebody else's registry.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources.oracle import ASTRONAUT, COFFEE


@pytest.fixture(scope="module")
def pitchey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pitchey]:
    folder = tmp_path_factory.mktemp("conversions")
    command = Pitchey(folder / "state", folder, {"PITCHEY_ENGINE_KIND": "process"})
    command.ok("models", "add", "coco-detector")
    yield command
    command.end()


@pytest.mark.parametrize(("picture", "label"), [(COFFEE, "cup"), (ASTRONAUT, "person")])
def test_the_detector_finds_what_a_picture_shows(pitchey: Pitchey, picture: Path, label: str) -> None:
    answer = json.loads(pitchey.ok("run", "inference", "coco-detector", str(picture)).out)
    best = next(each for each in answer["output"] if each["label"] == label)
    assert best["score"] > 0.35
    sides = best["box"]
    assert sides["xmax"] - sides["xmin"] > 100 and sides["ymax"] - sides["ymin"] > 100


def test_the_detector_says_where_it_comes_from_and_that_nobody_knows_its_licence(pitchey: Pitchey) -> None:
    shown = pitchey.ok("models", "show", "coco-detector", "--json").json["manifest"]
    assert shown["licence"] == "LicenseRef-unknown" and shown["source"]["package"].startswith("npm:@vladmandic/human@")
    assert pitchey.ok("models", "verify", "coco-detector").lines == ["coco-detector@1: whole"]
    assert "one input at a time" in pitchey.ok("models", "bench", "coco-detector").err
