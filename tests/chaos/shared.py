"""A storm over several daemons on one PostgreSQL and one S3."""

from __future__ import annotations

import random
from dataclasses import replace

from rich.console import Console

from pitchey_cli.domain.errors import ExitCode
from pitchey_cli.domain.job import JobState
from processors.vocabulary import Service
from tests.chaos import shared_faults
from tests.chaos.load import KINDS, TOO_LARGE, Kind, Load
from tests.chaos.shared_ground import SharedGround
from tests.chaos.storm import Options, Storm

_TEXT = {"outputFormats": ["text"]}
_VIDEOS = {"pictures": 24, "short": 14, "lasting": 6}  # fewer than where there is nothing else: shares in hundredths
#: What works on the files of this service and the others; code needs containers.
OTHERS = (
    Kind(
        "sound",
        14,
        JobState.SUCCEEDED,
        {"outputPresets": ["podcast"]},
        "sample_10s.mp3",
        Service.MEDIA,
        seconds=10.0,
    ),
    Kind("page", 14, JobState.SUCCEEDED, _TEXT, "formatting.html", Service.DOCUMENT, holds=b"bold"),
    Kind("paper", 12, JobState.SUCCEEDED, _TEXT, "crazyones.pdf", Service.DOCUMENT, holds=b"crazy ones"),
)
#: S3 out of reach is an error of the network; of the database, one of the store.
_REFUSALS = (ExitCode.STORE, ExitCode.JOB_FAILED)
_MOST = 16  # at once: each submission brings its input to the bucket anew, which takes longer than to a disk


class SharedStorm(Storm[SharedGround]):
    """Nodes, each with a state directory and an engine root of its own."""

    plan = shared_faults.PLAN

    def __init__(self, options: Options, console: Console, nodes: int) -> None:
        super().__init__(options, console)
        self.nodes = nodes

    def ground(self) -> SharedGround:
        """As many nodes as were asked for."""
        self.say(f"{self.options.jobs} jobs on {self.nodes} nodes, seed {self.options.seed}")
        return SharedGround(self.nodes)

    def load(self, ground: SharedGround, dice: random.Random) -> Load:
        """Videos, sounds and documents."""
        videos = [replace(kind, share=_VIDEOS.get(kind.name, kind.share)) for kind in KINDS if kind.name != TOO_LARGE]
        return Load(ground, dice, self.options.jobs, [*videos, *OTHERS], _REFUSALS, _MOST)

    def impossible(self, ground: SharedGround) -> dict[str, str]:
        """The faults that cannot be injected here, and why."""
        return shared_faults.impossible(ground)

    def place_of(self, ground: SharedGround, line: str) -> str:
        """The node whose state directory a command line names."""
        return next((str(each) for each in ground.state_dirs if f"{each}/" in line), "")
