"""Pure: which renditions a stream has, from what its source is.

The rates are those of Apple's HLS Authoring Specification for H.264, of 16:9 pictures; other shapes, sizes and codecs
are scaled from them. A rung is never larger than the source, the source's own size is always among them, and none costs
nearly as much as the next better one. `processors.video.per_title` finds rungs for one video by trial instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from processors.specs import Ladder, VideoCodec, bits_per_second
from processors.video.codecs import RATE_SHARE
from processors.video.quality import fit

#: width, height, bits per second in H.264: Apple's rungs up to 1080p; above them the rule of 0.75 in `quality`
RATES: tuple[tuple[int, int, tuple[int, ...]], ...] = (
    (416, 234, (145_000,)),
    (640, 360, (365_000,)),
    (768, 432, (1_100_000, 730_000)),
    (960, 540, (2_000_000,)),
    (1280, 720, (4_500_000, 3_000_000)),
    (1920, 1080, (7_800_000, 6_000_000)),
    (2560, 1440, (12_000_000,)),
    (3840, 2160, (22_000_000,)),
)

#: of a picture's rate when its number of pixels changes; see `quality`
PIXEL_POWER = 0.75

MOST_FRAMES = 60.0  # per second; Apple: at most 60
_MOST_FRAMES_OF_SMALL = 30.0  # Apple: at most 30 up to 768x432
_SMALL_PIXELS = 768 * 432
_FEWEST_FRAMES = 10.0  # a slide show gets so many, so that its segments can be as long as all others
_LEAST_STEP = 1.2  # a rung costs at least so much less than the next better one; Apple's closest are 1.3 apart
_SHORTEST_SIDE = 64  # SVT-AV1 takes no smaller pictures, and nobody looks at them
_LEAST_RATE = 16_000  # below, headers are most of it


@dataclass(frozen=True, slots=True)
class Rung:
    """One rendition: bits per second are what it may cost on average."""

    width: int
    height: int
    framerate: float
    bitrate: int
    crf: float | None = None  #: the quality that this rate was found for by trial; None: the tier's

    @property
    def pixels(self) -> int:
        """How many there are in a frame."""
        return self.width * self.height


def stream_framerate(framerate: float) -> float:
    """The constant rate that a stream of so many frames per second gets: halved until there are 60 at most."""
    while framerate > MOST_FRAMES + 0.01:
        framerate /= 2
    return max(_FEWEST_FRAMES, framerate)


def ladder(
    width: int,
    height: int,
    framerate: float,
    wanted: Ladder,
    *,
    codec: VideoCodec = "h264",
    share: float = 1.0,
    top_bitrate: int | None = None,
) -> tuple[Rung, ...]:
    """Give the rungs, the best first; each has a lower rate than the one before it, and is not larger.

    Args:
        width: of the best rung, both sides even: that of the source, or what it is to be fitted to.
        framerate: as `stream_framerate` gives it.
        share: of the rates of the table, by the quality that is wanted.
        top_bitrate: what the best rung is to cost; the others change with it.

    Returns:
        From 1 to `max_rungs`; where sizes are given, one for each that is not larger than the source.
    """
    share *= RATE_SHARE[codec]
    if wanted.sizes:
        sizes = {fit(width, height, box) for box in wanted.sizes}
        rungs = [Rung(*size, framerate, _rates(*size)[0]) for size in sizes]
    else:
        smaller = [(fit(width, height, _box(width, height, *box)), rates) for *box, rates in RATES]
        rungs = [
            Rung(*size, framerate, _scaled(rate, size, (box_width, box_height)))
            for (size, rates), (box_width, box_height, _) in zip(smaller, RATES, strict=True)
            if size != (width, height) and min(size) >= _SHORTEST_SIDE
            for rate in rates
        ]
        rungs += [Rung(width, height, framerate, rate) for rate in _rates(width, height)]
    rungs.sort(key=lambda rung: (rung.pixels, rung.bitrate), reverse=True)
    if top_bitrate is not None:
        share = top_bitrate / rungs[0].bitrate
    rungs = [replace(rung, bitrate=_whole(rung.bitrate * share)) for rung in rungs]
    if top_bitrate is not None:
        rungs[0] = replace(rungs[0], bitrate=top_bitrate)
    if wanted.sizes:
        rungs = _falling(rungs)
    rungs = _within(rungs, wanted)
    steps = without_dominated(rungs, least_step=1.0 if wanted.sizes else _LEAST_STEP)
    chosen = steps if wanted.sizes else thinned(steps, wanted.max_rungs)
    return (chosen[0], *(slowed(rung) for rung in chosen[1:]))  # the best is as good as the source


def without_dominated(rungs: Iterable[Rung], *, least_step: float = _LEAST_STEP) -> list[Rung]:
    """Leave out what costs nearly as much as a better one that stays; the best come first, before and after."""
    kept: list[Rung] = []
    for rung in rungs:
        if not kept or (rung.bitrate < kept[-1].bitrate and rung.bitrate * least_step <= kept[-1].bitrate):
            kept.append(rung)
    return kept


def thinned(rungs: Sequence[Rung], most: int) -> list[Rung]:
    """Leave out rungs until there are so many at most: the best one stays, then the cheapest, then an even spread."""
    if most == 1:
        return list(rungs[:1])
    left = list(rungs)
    while len(left) > most:
        gaps = [left[at - 1].bitrate / left[at + 1].bitrate for at in range(1, len(left) - 1)]
        del left[1 + gaps.index(min(gaps))]
    return left


def names(rungs: Sequence[Rung]) -> tuple[str, ...]:
    """Call each by its shorter side, as 720p; where two share one, by the rate too."""
    sides = [f"{min(rung.width, rung.height)}p" for rung in rungs]
    return tuple(
        side if sides.count(side) == 1 else f"{side}-{rung.bitrate // 1000}k"
        for side, rung in zip(sides, rungs, strict=True)
    )


def _falling(rungs: Sequence[Rung]) -> list[Rung]:
    """Give each a lower rate than the one before it: small sizes that were named may have the same least rate."""
    fallen: list[Rung] = []
    for rung in rungs:
        most = round(fallen[-1].bitrate / _LEAST_STEP) if fallen else rung.bitrate
        fallen.append(replace(rung, bitrate=min(rung.bitrate, most)))
    return fallen


def _within(rungs: Sequence[Rung], wanted: Ladder) -> list[Rung]:
    """Leave out what is too dear or too cheap; one is left, and brought to the rate that is allowed."""
    most = bits_per_second(wanted.max_bitrate) if wanted.max_bitrate else None
    least = bits_per_second(wanted.min_bitrate) if wanted.min_bitrate else 0
    cheap = [rung for rung in rungs if most is None or rung.bitrate <= most]
    if not cheap and most is not None:
        cheap = [replace(rungs[-1], bitrate=most)]
    return [rung for rung in cheap if rung.bitrate >= least] or [replace(cheap[0], bitrate=least)]


def _rates(width: int, height: int) -> list[int]:
    """What pictures of a size may cost: the rates of the smallest box that holds them, scaled."""
    fitting = (row for row in RATES if max(width, height) <= row[0] and min(width, height) <= row[1])
    box_width, box_height, rates = next(fitting, RATES[-1])
    return [_scaled(rate, (width, height), (box_width, box_height)) for rate in rates]


def _scaled(rate: int, size: tuple[int, int], box: tuple[int, int]) -> int:
    share: float = (size[0] * size[1] / (box[0] * box[1])) ** PIXEL_POWER
    return round(rate * share)


def _box(width: int, height: int, box_width: int, box_height: int) -> str:
    """Turn a box of the table with the picture: a telephone's video is as fine as a film, only upright."""
    return f"{box_width}x{box_height}" if width >= height else f"{box_height}x{box_width}"


def _whole(rate: float) -> int:
    return max(_LEAST_RATE, round(rate / 1000) * 1000)


def slowed(rung: Rung) -> Rung:
    """Give a small rung of a fast video half of its frames."""
    is_small = rung.pixels <= _SMALL_PIXELS
    is_fast = rung.framerate > _MOST_FRAMES_OF_SMALL + 0.01
    return replace(rung, framerate=rung.framerate / 2) if is_small and is_fast else rung
