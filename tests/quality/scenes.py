"""How well the video service finds scenes: F1 of cuts at a frame more or less, on films whose cuts are known.

    python -m tests.quality.scenes

The films are random shots of real clips, mirrored, cropped and darkened, encoded well and badly; each goes through a
real worker. Prints a table as Markdown. Exit code 1 if any kind of film is below what is promised.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

from tests.resources.films import BIKES_CUTS, Found, compared, edited
from tests.resources.studio import BIKES, Studio
from tests.resources.workers import Worker

PROMISED = 0.95
SEEDS = range(100, 104)  # not those of the tests, nor those that the method was made with


@dataclass(frozen=True)
class Kind:
    """A kind of film."""

    name: str
    shortest: int  #: frames of a shot
    crf: int
    shots: int = 24


KINDS = (
    Kind("shots of 0.4 to 1.8 s, CRF 23", 10, 23),
    Kind("shots of 0.1 to 1.8 s, CRF 30", 3, 30),
    Kind("shots of 0.1 to 1.8 s, CRF 38", 3, 38),
)


def said(studio: Studio, film: Path) -> list[int]:
    """The first frames of all scenes but the first."""
    out, _ = studio.make(film, outputFormat="scenes", scenes={"thumbnails": False})
    return [scene["startFrame"] for scene in json.loads((out / "scenes.json").read_text())["scenes"]][1:]


def main() -> int:
    """Run it from the command line."""
    rows: list[tuple[str, Found]] = []
    with tempfile.TemporaryDirectory() as home, Worker(Path(home) / "worker", service="video") as worker:
        studio, film = Studio(worker), Path(home) / "film.mp4"
        for kind in KINDS:
            own: list[Found] = []
            for seed in SEEDS:
                true = edited(film, seed, shots=kind.shots, shortest=kind.shortest, crf=kind.crf)
                own.append(compared(said(studio, film), true))
            rows.append((f"{len(own)} films, {kind.name}", reduce(add, own)))
        rows.append(("bikes.mp4, as it is", compared(said(studio, BIKES), BIKES_CUTS)))
    rows.append(("all", reduce(add, (found for _, found in rows))))
    lines = ["| films | cuts | wrong | missed | F1 |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {name} | {found.right + found.missed} | {found.wrong} | {found.missed} | {found.f1:.3f} |"
        for name, found in rows
    ]
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if any(found.f1 < PROMISED for _, found in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
