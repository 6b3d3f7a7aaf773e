"""What one job saves that makes several things of one file, beside one ffmpeg for each of them.

Both sides run in one instance of the service, with the same ffmpeg and the same limits: the job in its worker, ffmpeg
by hand beside it when the worker has nothing to do. Prints a table of the time, and of the processors' time, which
other work on the machine changes less. Arguments choose rows: ladder formats loudness sprite.
Needs PITCHEY_TEST_DOCKER and the docker command; `make bench` sets both up.
"""

from __future__ import annotations

import json
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.resources.instances import Housed
from tests.resources.sounds import MUSIC, SPEECH
from tests.resources.sounds import Studio as Sounds
from tests.resources.studio import BIKES, BUNNY, Studio

ROUNDS = 3
SIZES = ("1280x720", "960x540", "640x360", "416x234")
PRESETS = ("mp3", "aac", "ogg", "opus")
FFMPEG = ("ffmpeg", "-v", "error", "-nostdin", "-y")

#: what ffmpeg is told by hand for the same presets, of a sound in stereo
BY_HAND = {
    "mp3": ("-c:a", "libmp3lame", "-b:a", "192k", "a.mp3"),
    "aac": ("-c:a", "aac", "-b:a", "160k", "a.m4a"),
    "ogg": ("-c:a", "libvorbis", "-b:a", "160k", "a.ogg"),
    "opus": ("-c:a", "libopus", "-b:a", "128k", "-ar", "48000", "a.opus"),
}


def main() -> None:
    """Measure and print."""
    chosen = sys.argv[1:] or ["ladder", "formats", "loudness", "sprite"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        work = Path(directory)
        work.chmod(0o755)
        (work / "shared").mkdir()
        shared = work / "shared"
        print(f"{'':36} {'Pitchey':>9} {'ffmpeg':>9} {'ratio':>7} {'processor':>11} {'ffmpeg':>11} {'ratio':>7}")  # noqa: T201
        with Housed(work / "video", service="video", shared=shared) as video:
            pictures = Studio(video)
            if "ladder" in chosen:
                clip = _looped(BUNNY, 3, shared / "ladder.mp4")
                _ladder(video, pictures, clip, "720p")
                _ladder(video, pictures, _enlarged(clip, shared / "large.mp4"), "1080p")
            if "sprite" in chosen:
                _sprite(video, pictures, shared)
        with Housed(work / "media", service="media", shared=shared) as media:
            sounds = Sounds(media)
            if "formats" in chosen:
                _formats(media, sounds, shared)
            if "loudness" in chosen:
                _loudness(media, sounds, shared)


def _ladder(video: Housed, studio: Studio, clip: Path, what: str) -> None:
    rungs: list[dict[str, int]] = []

    def ours() -> float:
        seconds, result = _job(
            video, studio.begin(clip, outputFormat="cmaf", quality="medium", ladder={"sizes": list(SIZES)})
        )
        rungs[:] = result["details"]["stream"]["rungs"]
        return seconds

    def theirs() -> float:
        lines = []
        for rung in rungs:
            size, rate = f"{rung['width']}:{rung['height']}", str(rung["bitrateLimit"])
            options = ["-c:v", "libx264", "-preset", "medium", "-crf", "23", "-maxrate", rate, "-bufsize", rate]
            options += ["-g", "50", "-keyint_min", "50", "-sc_threshold", "0", "-pix_fmt", "yuv420p"]
            lines.append([*FFMPEG, "-i", clip.name, "-vf", f"scale={size}", *options, "-an", "rung.mp4"])
        lines.append([*FFMPEG, "-i", clip.name, "-vn", "-c:a", "aac", "-ac", "2", "-b:a", "128k", "sound.mp4"])
        return video.execute(_script(lines))[0]

    _row(video, f"HLS and DASH of {what}, {len(SIZES)} rungs", ours, theirs, "at most 0.85")


def _formats(media: Housed, studio: Sounds, work: Path) -> None:
    sound = _looped(MUSIC, 29, work / "formats.flac")

    def ours() -> float:
        return _job(media, studio.begin(sound, outputPresets=list(PRESETS)))[0]

    def theirs() -> float:
        return media.execute(_script([[*FFMPEG, "-i", sound.name, *BY_HAND[name]] for name in PRESETS]))[0]

    _row(media, f"{len(PRESETS)} formats of one sound", ours, theirs, "at most 0.6")


def _loudness(media: Housed, studio: Sounds, work: Path) -> None:
    sound = _looped(SPEECH, 39, work / "loudness.flac")
    target = "loudnorm=I=-16:TP=-1:LRA=11"

    def ours() -> float:
        loudness = {"target": -16, "truePeak": -1}
        return _job(media, studio.begin(sound, outputPresets=["wav"], loudness=loudness))[0]

    def theirs() -> float:
        meter = ["ffmpeg", "-nostdin", "-hide_banner", "-i", sound.name, "-af", f"{target}:print_format=json"]
        first, said = media.execute(_script([[*meter, "-f", "null", "-"]]))
        found = json.loads(said[said.rindex("{") : said.rindex("}") + 1])
        measured = ":".join(f"measured_{key}={found[f'input_{name}']}" for key, name in
                            (("I", "i"), ("TP", "tp"), ("LRA", "lra"), ("thresh", "thresh")))  # fmt: skip
        second = f"{target}:{measured}:offset={found['target_offset']}:linear=true"
        options = ["-af", second, "-ar", "48000", "-c:a", "pcm_s16le", "loud.wav"]
        return first + media.execute(_script([[*FFMPEG, "-i", sound.name, *options]]))[0]

    _row(media, "loudness, measured in the result", ours, theirs, "at most 0.5 of loudnorm's two passes")


def _sprite(video: Housed, studio: Studio, work: Path) -> None:
    clip = _looped(BIKES, 29, work / "sprite.mp4")
    tiles = 0

    def ours() -> float:
        nonlocal tiles
        seconds, result = _job(video, studio.begin(clip, outputFormat="thumbnail", sprite=True))
        tiles = result["outputs"][-1]["details"]["tiles"]
        return seconds

    def theirs() -> float:
        moments = [str((number + 0.5) * 300 / tiles) for number in range(tiles)]
        options = ["-frames:v", "1", "-vf", "scale=160:-2"]
        lines = [[*FFMPEG, "-ss", at, "-i", clip.name, *options, f"{at}.jpg"] for at in moments]
        return video.execute(_script(lines))[0]

    _row(video, "sprite sheets of five minutes", ours, theirs, "at most 0.05 of one ffmpeg per tile")


def _looped(source: Path, again: int, target: Path) -> Path:
    codec = ("-c:a", "flac") if target.suffix == ".flac" else ("-c", "copy")
    subprocess.run([*FFMPEG, "-stream_loop", str(again), "-i", source, *codec, target], check=True)
    return target


def _enlarged(clip: Path, target: Path) -> Path:
    options = ["-vf", "scale=1920:1080", "-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-c:a", "copy"]
    subprocess.run([*FFMPEG, "-i", clip, *options, target], check=True)
    return target


def _script(commands: Sequence[Sequence[str]]) -> str:
    return "\n".join(shlex.join(command) for command in commands)


def _row(instance: Housed, what: str, ours: Callable[[], float], theirs: Callable[[], float], aim: str) -> None:
    rounds: list[tuple[float, float, float, float]] = []
    for _ in range(ROUNDS):
        start = instance.cpu_seconds
        mine = ours()
        middle = instance.cpu_seconds
        peer = theirs()
        rounds.append((mine, peer, middle - start, instance.cpu_seconds - middle))
    mine, peer, my_work, its_work = (statistics.median(each) for each in zip(*rounds, strict=True))
    times = f"{what:36} {mine:7.2f} s {peer:7.2f} s {mine / peer:7.2f}"
    print(f"{times} {my_work:9.2f} s {its_work:9.2f} s {my_work / its_work:7.2f}  (aim: {aim})", flush=True)  # noqa: T201


def _job(instance: Housed, token: str) -> tuple[float, dict[str, Any]]:
    """Wait for a job; give the seconds from when the worker took it to its result, by the clock inside too."""
    events = instance.events(token)
    assert events[-1]["type"] == "result", events[-1]
    return events[-1]["at"] - events[0]["at"], events[-1]["result"]


if __name__ == "__main__":
    main()
