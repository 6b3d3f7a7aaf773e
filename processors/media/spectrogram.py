"""A picture of what frequencies a sound has, and when."""

from __future__ import annotations

from typing import Any

from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.verify import incomplete
from processors.media.analysis import Sound
from processors.media.encoding import beside
from processors.media.filters import cutting
from processors.worker.context import Context

_COLUMNS, _ROWS = 1200, 512
_MOST_SECONDS = 600  # what is longer is drawn from samples of it: all of it would be held in memory
_SAMPLE = 4096  # samples at once


def draw(context: Context[Any], sound: Sound, made: str, name: str, *, seconds: float) -> None:
    """Draw a sound into a PNG of the out directory.

    Args:
        made: the file, as it is called from the out directory.
        name: what to call the input in messages.
        seconds: of the sound.

    Raises:
        HandlerError: nothing came of it.
    """
    chain = f"{cutting(sound.cut)},aformat=channel_layouts=mono"
    if seconds > _MOST_SECONDS:
        step, window = seconds / _COLUMNS, _SAMPLE / sound.sample_rate
        chain += f",asetnsamples=n={_SAMPLE}:p=0,aselect='lt(mod(t,{step:.6f}),{window:.6f})',asetpts=N/SR/TB"
    graph = f"[0:{sound.index}]{chain},showspectrumpic=s={_COLUMNS}x{_ROWS}:legend=0:scale=log[out]"
    argv = [
        *FFMPEG, "-y", *sound.arguments, "-filter_complex", graph, "-map", "[out]", "-frames:v", "1", "-update", "1",
        beside(made),
    ]  # fmt: skip
    run_ffmpeg(context, argv, name)
    if not (context.out / made).exists():
        raise incomplete(made, "it is missing")
