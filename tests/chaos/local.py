"""A storm over one daemon: instances are lost, disks filled, clocks shifted, the database is damaged."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pitchey_cli.engines.port import EngineKind
from tests.chaos import faults
from tests.chaos.ground import Ground
from tests.chaos.load import KINDS, TOO_LARGE, Load
from tests.chaos.storm import Options, Storm


@dataclass(frozen=True)
class Engine:
    """Which engine runs the instances."""

    kind: EngineKind
    url: str | None = None
    root: Path | None = None  #: of a private engine that may be restarted


class LocalStorm(Storm[Ground]):
    """Over a state directory with a disk and a clock of its own."""

    plan = faults.PLAN

    def __init__(self, options: Options, console: Console, engine: Engine) -> None:
        super().__init__(options, console)
        self.engine = engine

    def ground(self) -> Ground:
        """One daemon."""
        self.say(f"{self.options.jobs} jobs on {self.engine.kind}, seed {self.options.seed}")
        return Ground(self.engine.kind, self.engine.url, self.engine.root)

    def load(self, ground: Ground, dice: random.Random) -> Load:
        """Videos, and what is none; too large ones only where memory is limited."""
        is_limited = self.engine.kind is not EngineKind.PROCESS
        kinds = [kind for kind in KINDS if kind.name != TOO_LARGE or is_limited]
        return Load(ground, dice, self.options.jobs, kinds)

    def impossible(self, ground: Ground) -> dict[str, str]:
        """The faults that cannot be injected here, and why."""
        return faults.impossible(ground)
