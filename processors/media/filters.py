"""Pure: what is done to sound, as text for libavfilter. All of it is made of numbers and words of our own."""

from __future__ import annotations

from collections.abc import Sequence

from processors.ffmpeg.cut import Cut

_SHARE = 0.7071  # -3 dB, for what is heard on both sides: ITU-R BS.775-4, table 2

# The channels that go into the left and the right, by layout; the low-frequency one is left out, as BS.775 has it.
_DOWN = {
    "3.0": ("FC", ""),
    "quad": ("", "BL BR"),
    "5.0": ("FC", "BL BR"),
    "5.0(side)": ("FC", "SL SR"),
    "5.1": ("FC", "BL BR"),
    "5.1(side)": ("FC", "SL SR"),
    "7.1": ("FC", "BL BR SL SR"),
}

#: layouts that need no guess
KNOWN_LAYOUTS = frozenset({"mono", "stereo", *_DOWN})


def cutting(cut: Cut) -> str:
    """Take a part out, to the sample. What comes out begins at 0, whatever the times of a broken stream say."""
    if cut.start == 0 and cut.end is None:
        return "asetpts=N/SR/TB"
    end = "" if cut.end is None else f":end={cut.end:.6f}"
    return f"asetpts=N/SR/TB,atrim=start={cut.start:.6f}{end},asetpts=N/SR/TB"


def mixing(layout: str, channels: int, wanted: int) -> str:
    """Mix down without clipping: the shares of each side add up to one. One channel is played on both sides."""
    if (channels, wanted) == (1, 2):
        return "pan=stereo|c0=c0|c1=c0"  # FFmpeg's own way would take 3 dB of it
    if wanted >= channels:
        return "anull"
    if wanted == 1 and channels == 2:
        return "pan=mono|c0=0.5*c0+0.5*c1"
    if layout in _DOWN and wanted <= 2:
        centre, back = _DOWN[layout]
        sides = back.split()
        left = "+".join(["FL", *(f"{_SHARE}*{each}" for each in (centre, *sides[::2]) if each)])
        right = "+".join(["FR", *(f"{_SHARE}*{each}" for each in (centre, *sides[1::2]) if each)])
        stereo = f"pan=stereo|FL<{left}|FR<{right}"
        return stereo if wanted == 2 else f"{stereo},pan=mono|c0=0.5*c0+0.5*c1"
    return f"aformat=channel_layouts={ {1: 'mono', 2: 'stereo'}.get(wanted, '5.1') }".replace(" ", "")


def silence(path: str) -> str:
    """Find silence, and write where it begins and ends into a file."""
    return f"silencedetect=noise=-50dB:duration=0.1,ametadata=print:file={path}"


def peaks(path: str, samples: int) -> str:
    """The lowest and the highest sample of each so many, of all channels as one, into a file."""
    meter = "astats=metadata=1:reset=1:measure_perchannel=none:measure_overall=Min_level+Max_level"
    return f"aformat=sample_fmts=flt,asetnsamples=n={samples}:p=0,{meter},ametadata=print:file={path}"


def split(source: str, chains: Sequence[str]) -> list[str]:
    """Send one sound through several chains; each ends in what its last label is."""
    if len(chains) == 1:
        return [f"[{source}]{chains[0]}"]
    labels = [f"{source.replace(':', '_')}_{number}" for number in range(len(chains))]
    fan = "".join(f"[{label}]" for label in labels)
    return [f"[{source}]asplit={len(chains)}{fan}"] + [
        f"[{label}]{chain}" for label, chain in zip(labels, chains, strict=True)
    ]
