"""Films that are cut together from real shots, of which the very frames of all cuts are known."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tests.resources.studio import BIKES, BUNNY, CARPHONE, ffmpeg

BIKES_CUTS = [30, 76, 137, 187, 242]  # found by eye
SIZE = "160:90"
RUSH_SIZE = "320:180"  # half of it may be cut out

#: shots without a cut in them: clip, first frame, number of frames
SHOTS = [
    *((BIKES, start, end - start) for start, end in zip([0, *BIKES_CUTS[:-1]], BIKES_CUTS, strict=True)),
    (BUNNY, 0, 130),
    (CARPHONE, 0, 118),
]
LOOKS = ["null", "hflip", "crop=iw/2:ih/2:0:0", "crop=iw/2:ih/2:iw/2:ih/2", "eq=brightness=-0.2"]


@dataclass(frozen=True)
class Found:
    """How well cuts were found, at a frame more or less."""

    right: int
    wrong: int
    missed: int

    def __add__(self, other: Found) -> Found:
        return Found(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall."""
        return 2 * self.right / (2 * self.right + self.wrong + self.missed)


def compared(said: Sequence[int], true: Sequence[int]) -> Found:
    """Compare the cuts that were said with those that there are, by their frames."""
    right = sum(any(abs(one - other) <= 1 for one in said) for other in true)
    wrong = sum(not any(abs(one - other) <= 1 for other in true) for one in said)
    return Found(right, wrong, len(true) - right)


def frames(clip: Path) -> int:
    """Count the frames of a clip, by decoding them."""
    counted = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries"]
    said = subprocess.run([*counted, "stream=nb_read_frames", "-of", "csv=p=0", clip], check=True, capture_output=True)
    return int(said.stdout)


def rushes(folder: Path) -> Mapping[Path, Path]:
    """Make the clips small, once: a film decodes one of them for each of its shots."""
    made = {clip: folder / f"{clip.stem}.mkv" for clip in dict.fromkeys(clip for clip, _, _ in SHOTS)}
    for clip, small in made.items():
        if not small.exists():
            looks = ("-vf", f"scale={RUSH_SIZE},setsar=1,format=yuv420p", "-fps_mode", "passthrough")
            ffmpeg("-i", clip, "-an", *looks, "-preset", "ultrafast", "-qp", "0", small)
    return made


def edited(target: Path, seed: int, *, shots: int, shortest: int, crf: int) -> list[int]:
    """Cut a film of random shots; give the frames at which it is cut.

    Args:
        target: beside it, the small clips are kept for the next film.
    """
    dice = random.Random(seed)
    clips = rushes(target.parent)
    inputs: list[str | Path] = []
    chains: list[str] = []
    lengths: list[int] = []
    last = (-1, -1)
    for number in range(shots):
        choice = last
        while choice == last:
            choice = dice.randrange(len(SHOTS)), dice.randrange(len(LOOKS))
        last = choice
        clip, first, length = SHOTS[choice[0]]
        taken = min(length, dice.randint(shortest, 45))
        start = first + dice.randint(0, length - taken)
        inputs += ["-i", clips[clip]]
        trim = f"trim=start_frame={start}:end_frame={start + taken},setpts=N/25/TB"
        chains.append(f"[{number}:v]{trim},{LOOKS[choice[1]]},scale={SIZE},setsar=1,format=yuv420p,fps=25[v{number}]")
        lengths.append(taken)
    joined = "".join(f"[v{number}]" for number in range(shots)) + f"concat=n={shots}:v=1:a=0"
    encoder = ["-preset", "ultrafast", "-crf", str(crf), "-r", "25"]
    ffmpeg(*inputs, "-filter_complex", ";".join([*chains, joined]), *encoder, target)
    assert frames(target) == sum(lengths)
    return list(accumulate(lengths))[:-1]
