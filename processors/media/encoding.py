"""One run of ffmpeg for all formats of a sound: it is decoded once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from processors.ffmpeg.levelling import levelling
from processors.ffmpeg.loudness import Setting
from processors.ffmpeg.mixing import mixing
from processors.ffmpeg.program import FFMPEG, run_ffmpeg
from processors.ffmpeg.sound_codecs import CONTAINER_OPTIONS, Container, encoder_options
from processors.ffmpeg.tasks import Report
from processors.ffmpeg.verify import incomplete, is_short, last_moment
from processors.media.analysis import Sound
from processors.media.chapters import Part
from processors.media.cover import Cover
from processors.media.filters import cutting, split
from processors.media.tags import metadata
from processors.media.wanted import Encode
from processors.worker.context import Context, Rejected
from processors.worker.threads import granted_threads

_PICTURED: tuple[Container, ...] = ("mp3", "m4a", "flac")  # hold a cover as a stream


@dataclass(frozen=True, slots=True)
class Labels:
    """What is written beside the sound."""

    tags: Mapping[str, str] = field(default_factory=dict)
    parts: Sequence[Part] = ()
    cover: Cover | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A file that is to be made now, and how loud."""

    encode: Encode
    setting: Setting = field(default_factory=Setting)


def encode(
    context: Context[Any],
    sound: Sound,
    orders: Sequence[Order],
    labels: Labels,
    scratch: str,
    name: str,
    report: Report,
) -> float:
    """Make files of a sound; give the seconds of it that they have.

    Args:
        scratch: a folder of the out directory, as it is called from there.
        name: what to call the input in messages.
    """
    for order in orders:
        (context.out / order.encode.name).parent.mkdir(parents=True, exist_ok=True)
    argv = command(sound, orders, labels, _written(context.out, orders, labels, scratch))
    run_ffmpeg(context, argv, name, report, seconds=sound.length)
    # In the end, FFmpeg 7 tells the length of the shortest stream, and that of a cover is one frame.
    longest = 0.0
    for order in orders:
        longest = max(longest, _encoded_seconds(context.out / order.encode.name, name))
        if sound.length is not None and not is_short(longest, sound.length):
            break  # all were made of one decode; each is looked at by itself before it is published
    return longest


def _encoded_seconds(path: Path, name: str) -> float:
    try:
        return last_moment(path, name)
    except Rejected as error:
        if error.code in ("not_media", "truncated"):  # nothing came out, not even a header
            return 0.0
        raise incomplete(path.name, error.message, retryable=False) from error


@dataclass(frozen=True, slots=True)
class Inputs:
    """The files beside the sound that ffmpeg reads. Names from the out directory."""

    metadata: Sequence[str]  #: one for each order
    cover: str | None


def _written(out: Path, orders: Sequence[Order], labels: Labels, scratch: str) -> Inputs:
    files: list[str] = []
    for number, order in enumerate(orders):
        made = order.encode
        text = metadata(labels.tags, labels.parts, made.container, cover=labels.cover)
        files.append(f"{scratch}/metadata-{number}.txt")
        (out / files[-1]).write_text(text)
    cover = None
    if labels.cover is not None and any(order.encode.container in _PICTURED for order in orders):
        cover = f"{scratch}/cover.{'jpg' if labels.cover.kind == 'jpeg' else 'png'}"
        (out / cover).write_bytes(labels.cover.data)
    return Inputs(files, cover)


def beside(name: str) -> str:
    """A file of the out directory, as ffmpeg is told of it: names of an album may begin as options or protocols do."""
    return f"./{name}"


def command(sound: Sound, orders: Sequence[Order], labels: Labels, inputs: Inputs) -> list[str]:
    """The command. Pure."""
    argv = [*FFMPEG, "-y", "-filter_complex_threads", str(granted_threads()), *sound.arguments]
    for file in inputs.metadata:
        argv += ["-f", "ffmetadata", "-i", file]
    if inputs.cover is not None:
        form = "jpeg_pipe" if inputs.cover.endswith("jpg") else "png_pipe"
        argv += ["-f", form, "-i", inputs.cover]
    graph, outlets = _graph(sound, orders)
    if graph:
        argv += ["-filter_complex", ";".join(graph)]
    picture = len(inputs.metadata) + 1
    for number, order in enumerate(orders, start=1):
        made = order.encode
        argv += ["-map", f"0:{sound.index}" if made.is_copy else f"[{outlets[made.name]}]"]
        if inputs.cover is not None and made.container in _PICTURED:
            argv += ["-map", f"{picture}:v", "-c:v", "copy", "-disposition:v:0", "attached_pic"]
        argv += ["-map_metadata", str(number), "-map_metadata:s:a:0", f"{number}:g", "-map_chapters", str(number)]
        if made.is_copy:
            argv += ["-c:a", "copy"]
        else:
            argv += encoder_options(made.codec, bitrate=made.bitrate, bit_depth=made.bit_depth, is_float=made.is_float)
        argv += _container_options(made)
        argv += [beside(made.name)]
    return argv


def _container_options(made: Encode) -> list[str]:
    options = [word for key, value in CONTAINER_OPTIONS.get(made.container, {}).items() for word in (f"-{key}", value)]
    if made.container == "m4a":
        return ["-f", "ipod" if made.codec == "aac" else "mp4", "-strict", "-2", *options]
    return ["-f", made.container, *options]


@dataclass(frozen=True, slots=True)
class _Chain:
    """What several files have in common: they fork where they differ."""

    channels: int
    setting: Setting


def _graph(sound: Sound, orders: Sequence[Order]) -> tuple[list[str], dict[str, str]]:
    """The filters, and the label that each file's sound has in the end."""
    chains: dict[_Chain, list[Encode]] = {}
    for order in orders:
        if not order.encode.is_copy:
            shared = _Chain(order.encode.channels, replace(order.setting, note="", is_given_up=False))
            chains.setdefault(shared, []).append(order.encode)
    if not chains:
        return [], {}
    outlets = {
        made.name: f"s{number}" for number, made in enumerate(each for group in chains.values() for each in group)
    }
    links = [f"[0:{sound.index}]{cutting(sound.cut)}[whole]"]
    links += split(
        "whole",
        [
            f"{mixing(sound.layout, sound.channels, chain.channels)},{levelling(chain.setting)}[c{number}]"
            for number, chain in enumerate(chains)
        ],
    )
    for number, group in enumerate(chains.values()):
        links += split(f"c{number}", [f"{_ending(made)}[{outlets[made.name]}]" for made in group])
    return links, outlets


def _ending(made: Encode) -> str:
    return f"aresample={made.sample_rate},aformat=channel_layouts={made.layout}"
