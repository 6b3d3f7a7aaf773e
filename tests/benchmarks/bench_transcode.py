"""What Pitchey adds to ffmpeg: the same work through it and by hand, in containers of the same image and limits.

Prints a table. Arguments choose rows: clip thumbnails folder. Needs PITCHEY_TEST_DOCKER and the docker command;
`make bench` sets both up.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pitchey_cli.engines import images
from processors.ffmpeg.probe import probe
from processors.ffmpeg.tasks import Source
from processors.specs import VideoSpec
from processors.video.encoding import Wanted, transcode
from processors.vocabulary import Service

ROOT = Path(__file__).resolve().parents[2]
SHORT_CLIP = ROOT / "tests" / "resources" / "video" / "carphone_pristine.mp4"  # 4 s, 176x144
CLIP = ROOT / "tests" / "resources" / "video" / "sample_10s.mp4"  # 320x320, stereo
ROUNDS = 3
THUMBNAILS = 60
CLIPS = 40
AT_ONCE = 3  # slots of a video instance, and what xargs is given
CPUS = 2
QUALITY = ["--quality", "ultra"]


def main() -> None:
    """Measure and print."""
    chosen = sys.argv[1:] or ["clip", "thumbnails", "folder"]
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory, _daemon(Path(directory)) as environment:
        work = Path(directory) / "work"
        work.mkdir(mode=0o777)
        work.chmod(0o777)
        long_clip = _long_clip(work)
        print(f"{'':44} {'Pitchey':>9} {'by hand':>9} {'ratio':>7}", flush=True)  # noqa: T201
        with _container(environment["PITCHEY_ENGINE_URL"], work) as execute:
            if "clip" in chosen:
                ours, theirs = _transcode(environment, long_clip, work, execute)
                added = statistics.median(ours) / statistics.median(theirs)
                _row("one clip, wall time", ours, theirs, "at most 1.05", added)
            if "thumbnails" in chosen:
                ours, theirs = _thumbnails(environment, work, execute)
                share = statistics.median(theirs) / statistics.median(ours)
                _row(f"{THUMBNAILS} thumbnail jobs, wall time", ours, theirs, "throughput at least 0.9 of it", share)
            if "folder" in chosen:
                for what, clip in (("of 10 s", CLIP), ("of 4 s, tiny", SHORT_CLIP)):
                    ours, theirs = _folder(environment, clip, work, execute)
                    share = statistics.median(theirs) / statistics.median(ours)
                    _row(f"a folder of {CLIPS} clips {what}", ours, theirs, "throughput at least 0.95 of it", share)


def _row(what: str, ours: list[float], theirs: list[float], aim: str, ratio: float) -> None:
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"{what:44} {a:7.2f} s {b:7.2f} s {ratio:7.2f}  (aim: {aim})", flush=True)  # noqa: T201


def _transcode(
    environment: dict[str, str], clip: Path, work: Path, execute: Callable[[list[str]], None]
) -> tuple[list[float], list[float]]:
    spec = VideoSpec(input_url="clip", quality="ultra")  # type: ignore[call-arg]  # the other fields have defaults
    source = Source(Path("/bench") / clip.name, clip.name, probe(clip, clip.name))
    wanted = Wanted(sounds=source.probe.audios[:1], threads=CPUS)  # as the job has it in its instance
    step = transcode(spec, source, source.probe.videos[0], wanted)
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        ours.append(_timed(lambda: _run(environment, clip, work, *QUALITY)))
        theirs.append(_timed(lambda: execute(list(step.argv))))
    return ours, theirs


def _thumbnails(
    environment: dict[str, str], work: Path, execute: Callable[[list[str]], None]
) -> tuple[list[float], list[float]]:
    shutil.copy(CLIP, work / "short.mp4")
    one = "ffmpeg -v error -nostdin -y -ss 2 -i /bench/short.mp4 -frames:v 1 -q:v 4 /bench/thumbnail-{}.jpg"
    by_hand = ["sh", "-c", f"seq {THUMBNAILS} | xargs -P {AT_ONCE} -I{{}} {one}"]
    line = f'{{"inputUrl": "{work}/short.mp4", "outputFormat": "thumbnail", "thumbnailTimes": [2]}}\n'

    def through_pitchey() -> None:
        command = _pitchey("submit", "video", "-", "--no-cache")
        done = subprocess.run(
            command, env=environment, input=line * THUMBNAILS, capture_output=True, text=True, check=True
        )
        subprocess.run(_pitchey("wait", "--quiet", *done.stdout.split()), env=environment, check=True)

    rounds = [(_timed(through_pitchey), _timed(lambda: execute(by_hand))) for _ in range(ROUNDS)]
    return [ours for ours, _ in rounds], [theirs for _, theirs in rounds]


def _folder(
    environment: dict[str, str], clip: Path, work: Path, execute: Callable[[list[str]], None]
) -> tuple[list[float], list[float]]:
    folder = work / clip.stem
    folder.mkdir()
    for number in range(CLIPS):
        shutil.copy(clip, folder / f"{number}.mp4")
    source = Source(Path(f"/bench/{clip.stem}/{{}}.mp4"), "clip", probe(clip, "clip"))
    spec = VideoSpec(input_url="clip", quality="low")  # type: ignore[call-arg]  # the other fields have defaults
    wanted = Wanted(sounds=source.probe.audios[:1], threads=CPUS)
    argv = [*transcode(spec, source, source.probe.videos[0], wanted).argv]
    one = " ".join(shlex.quote(each) for each in argv).replace("video.mp4", "made-{}.mp4")
    by_hand = ["sh", "-c", f"seq 0 {CLIPS - 1} | xargs -P {AT_ONCE} -I{{}} {one}"]

    def through_pitchey() -> None:
        _run(environment, folder, work, "--quality", "low")

    rounds = [(_timed(through_pitchey), _timed(lambda: execute(by_hand))) for _ in range(ROUNDS)]
    return [ours for ours, _ in rounds], [theirs for _, theirs in rounds]


def _long_clip(work: Path) -> Path:
    """The real clip over and over, so long that its transcoding takes more than ten seconds."""
    target = work / "long.mp4"
    command = ["ffmpeg", "-v", "error", "-stream_loop", "23", "-i", str(CLIP), "-c", "copy", str(target)]
    subprocess.run(command, check=True)
    return target


def _run(environment: dict[str, str], clip: Path, work: Path, *options: str) -> None:
    command = _pitchey(
        "run", "video", str(clip), "-o", str(work / "out"), "--overwrite", "--quiet", "--no-cache", *options
    )
    subprocess.run(command, env=environment, check=True)


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _pitchey(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pitchey_cli", *arguments]


@contextlib.contextmanager
def _daemon(directory: Path) -> Iterator[dict[str, str]]:
    environment = os.environ | {
        "PITCHEY_STATE_DIR": str(directory / "state"),
        "PITCHEY_ENGINE_KIND": "docker",
        "PITCHEY_ENGINE_URL": os.environ["PITCHEY_TEST_DOCKER"],
    }
    subprocess.run(_pitchey("images", "build", "video"), env=environment, check=True, capture_output=True)
    process = subprocess.Popen(_pitchey("daemon", "run"), env=environment, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.rstrip().endswith(" ready"):
            break
    try:
        yield environment
    finally:
        process.terminate()
        process.communicate()


@contextlib.contextmanager
def _container(url: str, work: Path) -> Iterator[Callable[[list[str]], None]]:
    """A container with the limits of an instance that waits for commands; gives what runs one in it."""
    docker = ["docker", "-H", url]
    limits = ["--network", "none", "--cpus", str(CPUS), "--memory", "2g", "-v", f"{work}:/bench", "-w", "/bench"]
    command = [
        *docker,
        "run",
        "-d",
        "--rm",
        *limits,
        "--entrypoint",
        "sleep",
        images.current_tag(Service.VIDEO),
        "3600",
    ]
    identity = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def execute(argv: list[str]) -> None:
        subprocess.run([*docker, "exec", identity, *argv], check=True, capture_output=True)

    try:
        yield execute
    finally:
        subprocess.run([*docker, "kill", identity], check=True, capture_output=True)


if __name__ == "__main__":
    main()
