"""What one job saves that makes several things of one file, beside one ffmpeg for each of them.

Both sides run on this machine with the same ffmpeg: the jobs in a worker, as in an instance. Prints a table.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from processors.worker.threads import granted_threads
from tests.resources.sounds import SPEECH
from tests.resources.sounds import Studio as Sounds
from tests.resources.studio import BIKES, BUNNY, Studio
from tests.resources.workers import Worker

ROUNDS = 3
SIZES = ("1280x720", "960x540", "640x360", "416x234")
PRESETS = ("mp3", "aac", "ogg", "opus")
THREADS = str(granted_threads())
FFMPEG = ("ffmpeg", "-v", "error", "-nostdin", "-y")

#: what ffmpeg is told by hand for the same presets
BY_HAND = {
    "mp3": ("-c:a", "libmp3lame", "-b:a", "192k", "a.mp3"),
    "aac": ("-c:a", "aac", "-b:a", "160k", "a.m4a"),
    "ogg": ("-c:a", "libvorbis", "-b:a", "160k", "a.ogg"),
    "opus": ("-c:a", "libopus", "-b:a", "128k", "-ar", "48000", "a.opus"),
}


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(dir="/var/tmp") as directory,
        Worker(Path(directory) / "video", service="video") as video,
        Worker(Path(directory) / "media", service="media") as media,
    ):
        work = Path(directory)
        print(f"{'':44} {'Pitchey':>9} {'ffmpeg':>9} {'ratio':>7}")  # noqa: T201
        pictures, sounds = Studio(video), Sounds(media)
        _ladder(pictures, work)
        _formats(sounds, work)
        _loudness(sounds, work)
        _sprite(pictures, work)


def _ladder(studio: Studio, work: Path) -> None:
    clip = _looped(BUNNY, 3, work / "ladder.mp4")
    rungs: list[dict[str, int]] = []

    def ours() -> None:
        _, result = studio.make(clip, outputFormat="cmaf", quality="medium", ladder={"sizes": list(SIZES)})
        rungs[:] = result["details"]["stream"]["rungs"]

    def theirs() -> None:
        for rung in rungs:
            size, rate = f"{rung['width']}:{rung['height']}", str(rung["bitrateLimit"])
            options = ["-c:v", "libx264", "-preset", "medium", "-crf", "23", "-maxrate", rate, "-bufsize", rate]
            options += ["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
            _run([*FFMPEG, "-i", clip, "-vf", f"scale={size}", *options, "-an", work / "rung.mp4"])
        _run([*FFMPEG, "-i", clip, "-vn", "-c:a", "aac", "-ac", "2", "-b:a", "128k", work / "sound.mp4"])

    _row(f"HLS and DASH, {len(SIZES)} rungs, packaged", ours, theirs, "at most 0.85")


def _formats(studio: Sounds, work: Path) -> None:
    sound = _looped(SPEECH, 39, work / "formats.flac")

    def ours() -> None:
        studio.make(sound, outputPresets=list(PRESETS))

    def theirs() -> None:
        for name in PRESETS:
            _run([*FFMPEG, "-i", sound, *BY_HAND[name][:-1], work / BY_HAND[name][-1]])

    _row(f"{len(PRESETS)} formats of one sound", ours, theirs, "at most 0.6")


def _loudness(studio: Sounds, work: Path) -> None:
    sound = _looped(SPEECH, 39, work / "loudness.flac")
    target = "loudnorm=I=-16:TP=-1:LRA=11"

    def ours() -> None:
        studio.make(sound, outputPresets=["wav"], loudness={"target": -16, "truePeak": -1})

    def theirs() -> None:
        meter = ["ffmpeg", "-nostdin", "-hide_banner", "-i", str(sound), "-af", f"{target}:print_format=json"]
        said = subprocess.run([*meter, "-f", "null", "-"], check=True, capture_output=True, text=True).stderr
        found = json.loads(said[said.rindex("{") : said.rindex("}") + 1])
        measured = ":".join(f"measured_{key}={found[f'input_{name}']}" for key, name in
                            (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh")))  # fmt: skip
        second = f"{target}:{measured}:offset={found['target_offset']}:linear=true"
        _run([*FFMPEG, "-i", sound, "-af", second, "-ar", "48000", "-c:a", "pcm_s16le", work / "loud.wav"])

    _row("loudness, measured in the result", ours, theirs, "at most 0.5 of loudnorm's two passes")


def _sprite(studio: Studio, work: Path) -> None:
    clip = _looped(BIKES, 29, work / "sprite.mp4")
    tiles = 0

    def ours() -> None:
        nonlocal tiles
        out, _ = studio.make(clip, outputFormat="thumbnail", sprite=True)
        tiles = (out / "sprite.vtt").read_text().count("#xywh=")

    def theirs() -> None:
        for number in range(tiles):
            at = str((number + 0.5) * 300 / tiles)
            _run([*FFMPEG, "-ss", at, "-i", clip, "-frames:v", "1", "-vf", "scale=160:-2", work / f"{number}.jpg"])

    _row("sprite sheets of five minutes", ours, theirs, "at most 0.05 of one ffmpeg per tile")


def _looped(source: Path, again: int, target: Path) -> Path:
    codec = ("-c:a", "flac") if target.suffix == ".flac" else ("-c", "copy")
    _run([*FFMPEG, "-stream_loop", str(again), "-i", source, *codec, target])
    return target


def _run(argv: Sequence[str | Path]) -> None:
    subprocess.run(argv, check=True)


def _row(what: str, ours: Callable[[], None], theirs: Callable[[], None], aim: str) -> None:
    rounds = [(_timed(ours), _timed(theirs)) for _ in range(ROUNDS)]
    mine = statistics.median(own for own, _ in rounds)
    peer = statistics.median(other for _, other in rounds)
    print(f"{what:44} {mine:7.2f} s {peer:7.2f} s {mine / peer:7.2f}  (aim: {aim})", flush=True)  # noqa: T201


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
