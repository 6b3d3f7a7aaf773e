"""Pure: what is done to sound, as text for libavfilter. All of it is made of numbers and words of our own."""

from __future__ import annotations

from collections.abc import Sequence

from processors.ffmpeg.cut import Cut


def cutting(cut: Cut) -> str:
    """Take a part out, to the sample. What comes out begins at 0, whatever the times of a broken stream say."""
    if cut.start == 0 and cut.end is None:
        return "asetpts=N/SR/TB"
    end = "" if cut.end is None else f":end={cut.end:.6f}"
    return f"asetpts=N/SR/TB,atrim=start={cut.start:.6f}{end},asetpts=N/SR/TB"


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
