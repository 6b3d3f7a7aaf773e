"""Every file of a folder through every output format, and what is wrong with what came out.

    python -m tests.quality.matrix FOLDER --engine docker --url unix:///...

A sound and a video with tags, chapters and a cover are made of the first ones of the folder, and go with them. The jobs
go through a whole Pitchey; the checks ask ffmpeg and ffprobe alone. Prints a line for each file and format. Exit code 1
if anything is wrong.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.store.sqlite import SqliteStore
from tests.conftest import Pitchey
from tests.quality import checks, labels
from tests.quality.manifests import representations
from tests.quality.playlists import Rendition, master

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm", ".ts"}
SOUNDS = {".wav", ".mp3", ".m4a", ".ogg", ".opus", ".flac", ".aac"}

VIDEO_JOBS: dict[str, dict[str, Any]] = {
    "mp4 h264": {"outputFormat": "mp4"},
    "mp4 hevc": {"outputFormat": "mp4", "codec": "hevc"},
    "mp4 av1": {"outputFormat": "mp4", "codec": "av1"},
    "webm vp9": {"outputFormat": "webm"},
    "webm av1": {"outputFormat": "webm", "codec": "av1"},
    "cmaf": {"outputFormat": "cmaf"},
    "hls": {"outputFormat": "hls"},
    "dash": {"outputFormat": "dash"},
    "audio": {"outputFormat": "audio"},
    "gif": {"outputFormat": "gif"},
    "webp": {"outputFormat": "webp"},
    "pictures": {"outputFormat": "thumbnail", "thumbnailCount": 3, "poster": True, "sprite": True},
    "scenes": {"outputFormat": "scenes"},
    "probe": {"outputFormat": "probe"},
}
PRESETS = ("mp3", "aac", "ogg", "opus", "flac", "wav", "podcast", "ebu", "music", "hls-audio", "dash-audio")
TARGETS = {"podcast": -16.0, "ebu": -23.0, "music": -14.0}  #: LUFS

_TOLERANCE_LU = 0.5
_TOLERANCE_DB = 0.1  # of a true peak, for what another resampler sees
_PADDING_SECONDS = 0.1  # that encoders of sound may add


@dataclass(frozen=True)
class Case:
    """One job of the matrix."""

    source: Path
    what: str
    service: str
    spec: dict[str, Any]


def files(folder: Path) -> list[Path]:
    """The videos and sounds of a folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEOS | SOUNDS)


def with_labels(found: list[Path], folder: Path) -> list[Path]:
    """The files, and those with labels that are made of the first of them."""
    sounds = [path for path in found if path.suffix.lower() in SOUNDS]
    videos = [path for path in found if path.suffix.lower() in VIDEOS]
    return [*found, *(labels.labelled(sounds[0], videos[0], folder) if sounds and videos else [])]


def cases(found: list[Path]) -> Iterator[Case]:
    """All jobs for some files."""
    for path in found:
        if path.suffix.lower() in VIDEOS:
            has_sound = checks.streams(path).first("audio") is not None
            for what, spec in VIDEO_JOBS.items():
                if what != "audio" or has_sound:
                    yield Case(path, what, "video", {"inputUrl": str(path), **spec})
        else:
            for preset in PRESETS:
                yield Case(path, preset, "media", {"inputMedia": str(path), "outputPresets": [preset]})


# --- checks: each gives what is wrong


def _check_video(case: Case, out: Path) -> Iterator[str]:
    made = next(out.glob("video.*"))
    if complaint := checks.problems_of_decoding(made):
        yield f"does not decode: {complaint}"
    before, after = checks.frames(case.source), checks.frames(made)
    if before != after:
        yield f"{after} frames of {before}"
    source, result = checks.streams(case.source), checks.streams(made)
    yield from _same_length(_video_seconds(source), _video_seconds(result), 1 / _rate(source))
    if made.suffix == ".mp4" and not checks.is_index_first(made):
        yield "its index is not first"
    if result.kinds < source.kinds:  # chapters of an MP4 are a stream of data besides
        yield "a stream is missing"
    if case.source.stem == "labelled":
        yield from labels.missing(made, has_cover=False)


def _check_stream(case: Case, out: Path) -> Iterator[str]:
    if (out / "master.m3u8").exists():
        yield from _check_hls(case, out / "master.m3u8")
    if (out / "manifest.mpd").exists():
        yield from _check_dash(case, out / "manifest.mpd")
    if not list(out.glob("*.m3u8")) + list(out.glob("*.mpd")):
        yield "there is no playlist"


def _check_hls(case: Case, path: Path) -> Iterator[str]:
    found = master(path)
    if complaint := checks.problems_of_decoding(path):
        yield f"{path.name} does not decode: {complaint}"
    if not found.iframes and case.service == "video":
        yield "there are no I-frame playlists"
    rungs = {rung.path: rung for rung in found.variants}.values()
    wanted = {"BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS"}
    wanted |= {"RESOLUTION", "FRAME-RATE"} if case.service == "video" else set()
    for rung in rungs:
        if missing := wanted - rung.attributes.keys():
            yield f"{rung.path.parent.name} lacks {', '.join(sorted(missing))}"
        yield from _check_rung(case, rung, found.sounds)
    yield from _check_sounds(case, found.sounds)
    if len({tuple(rung.seconds) for rung in rungs}) > 1:
        yield "its rungs are not aligned"


def _check_dash(case: Case, path: Path) -> Iterator[str]:
    if complaint := checks.problems_of_decoding(path):
        yield f"{path.name} does not decode: {complaint}"
    found = representations(path)
    pictures = [each for each in found if each.attributes["mimeType"].startswith("video/")]
    sounds = [each for each in found if each.attributes["mimeType"].startswith("audio/")]
    if not (pictures if case.service == "video" else sounds):
        yield f"{path.name} offers nothing"
    for each in found:
        wanted = {"bandwidth", "codecs"} | ({"width", "height", "frameRate"} if each in pictures else set())
        if missing := wanted - each.attributes.keys():
            yield f"{path.name}: {each.path.parent.name} lacks {', '.join(sorted(missing))}"
        if each.peak_bits_per_second > float(each.attributes["bandwidth"]) * 1.001:
            yield f"{path.name}: {each.path.parent.name} exceeds its bandwidth"
    for each in pictures:
        yield from _check_pictures_of(case, each)
    yield from _check_sounds(case, sounds)
    if len({tuple(each.seconds) for each in pictures}) > 1:
        yield f"{path.name}: its rungs are not aligned"


def _check_sounds(case: Case, sounds: list[Rendition]) -> Iterator[str]:
    """All of them are whole: as long as the picture, where there is one, for silence fills what is missing."""
    for each in sounds:
        source = checks.seconds_of_sound(case.source)
        if case.service == "media":
            yield from _same_length(source, sum(each.seconds), _PADDING_SECONDS)
        elif sum(each.seconds) < source - _PADDING_SECONDS:
            yield f"{each.path.parent.name} has {sum(each.seconds):.3f} s of {source:.3f} s"


def _check_rung(case: Case, rung: Rendition, sounds: list[Rendition]) -> Iterator[str]:
    peak = rung.peak_bits_per_second + max((each.peak_bits_per_second for each in sounds), default=0.0)
    if peak > float(rung.attributes["BANDWIDTH"]) * 1.001:
        yield f"{rung.path.parent.name}: {peak:.0f} b/s, and BANDWIDTH is {rung.attributes['BANDWIDTH']}"
    if case.service == "video":
        yield from _check_pictures_of(case, rung)


def _check_pictures_of(case: Case, rung: Rendition) -> Iterator[str]:
    if not all(checks.begins_with_idr(rung.init, segment) for segment in rung.segments):
        yield f"{rung.path.parent.name}: a segment does not begin with an IDR picture"
    source = checks.streams(case.source)
    yield from _same_length(_video_seconds(source), sum(rung.seconds), 1 / _rate(source))


def _check_sound(case: Case, out: Path) -> Iterator[str]:
    made = next(path for path in out.rglob("*") if path.suffix in SOUNDS)
    if complaint := checks.problems_of_decoding(made):
        yield f"does not decode: {complaint}"
    yield from _same_length(checks.seconds_of_sound(case.source), checks.seconds_of_sound(made), _PADDING_SECONDS)
    if case.what in TARGETS:
        before, after = checks.loudness(case.source), checks.loudness(made)
        # Written so that what is no number is wrong.
        if before.integrated > -70 and not abs(after.integrated - TARGETS[case.what]) <= _TOLERANCE_LU:
            yield f"{after.integrated:.1f} LUFS instead of {TARGETS[case.what]:.1f}"
        if not after.true_peak <= -1.0 + _TOLERANCE_DB:
            yield f"true peak {after.true_peak:.1f} dBTP"
    if case.source.stem == "labelled":
        yield from labels.missing(made, has_cover=True)


def _check_pictures(case: Case, out: Path) -> Iterator[str]:
    del case
    pictures = [*out.glob("*.jpg"), *out.glob("*.gif"), *out.glob("*.webp")]
    if not pictures:
        yield "there is no picture"
    for picture in pictures:
        # FFmpeg 5.1 does not read animated WebP.
        if picture.suffix != ".webp" and (complaint := checks.problems_of_decoding(picture)):
            yield f"{picture.name} does not decode: {complaint}"


def _check_document(case: Case, out: Path) -> Iterator[str]:
    name = f"{case.spec['outputFormat']}.json"
    document = json.loads((out / name).read_text())
    if case.what == "probe" and len(document["streams"]) != len(checks.streams(case.source).streams):
        yield "a stream is missing"


def _same_length(before: float, after: float, tolerance: float) -> Iterator[str]:
    if abs(before - after) > tolerance + 0.001:
        yield f"{after:.3f} s instead of {before:.3f} s"


def _video_seconds(found: checks.Streams) -> float:
    return _seconds(found.first("video") or {})


def _seconds(stream: dict[str, Any]) -> float:
    if "duration" in stream:
        return float(stream["duration"])
    hours, minutes, seconds = (float(part) for part in stream["tags"]["DURATION"].split(":"))  # Matroska's way
    return hours * 3600 + minutes * 60 + seconds


def _rate(found: checks.Streams) -> float:
    video = found.first("video")
    assert video is not None
    over, _, under = str(video["avg_frame_rate"]).partition("/")
    return float(over) / float(under or 1)


def check_of(case: Case) -> Callable[[Case, Path], Iterator[str]]:
    """The check that fits what was asked for."""
    what = case.spec.get("outputFormat", case.what)
    if what in ("mp4", "webm"):
        return _check_video
    if what in ("hls", "dash", "cmaf", "hls-audio", "dash-audio"):
        return _check_stream
    if what in ("gif", "webp", "thumbnail"):
        return _check_pictures
    return _check_document if what in ("scenes", "probe") else _check_sound


# --- the run


def _submit(command: Pitchey, case: Case, manifest: Path) -> JobId:
    manifest.write_text(json.dumps(case.spec))
    submitted = command.ok("submit", case.service, "--manifest", manifest, "--json").json
    return JobId(submitted[0]["id"])


def run(command: Pitchey, found: list[Case], work: Path) -> dict[int, list[str]]:
    """Put all of them through, and check them; what is wrong, by number."""
    wrong: dict[int, list[str]] = {}
    ids = [_submit(command, case, work / "job.jsonl") for case in found]
    command.start("wait", *ids, "--quiet").communicate()
    store = SqliteStore.open(layout.database(command.state_dir), create=False)
    with closing(store):
        artifacts = LocalArtifacts(layout.artifacts(command.state_dir))
        for number, (case, job_id) in enumerate(zip(found, ids, strict=True)):
            job = store.job(job_id)
            assert job is not None
            if job.state is not JobState.SUCCEEDED:
                wrong[number] = [f"{job.state}: {job.error.message if job.error else ''}"]
            else:
                out = work / str(number)
                for output in store.outputs(job_id):
                    place = out / output.path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(artifacts.path(output.sha256), place)
                wrong[number] = list(check_of(case)(case, out))
            verdict = "; ".join(wrong[number]) or "ok"
            print(f"{case.source.name:42} {case.what:12} {verdict}", flush=True)  # noqa: T201
    return wrong


def main() -> int:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--engine", choices=("docker", "podman", "process"), required=True)
    parser.add_argument("--url", default="")
    parser.add_argument("--only", default="", help="jobs whose name begins so")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pitchey-matrix-", dir="/var/tmp") as directory:
        given = with_labels(files(options.folder.resolve()), Path(directory))
        found = [case for case in cases(given) if case.what.startswith(options.only)]
        settings = {"PITCHEY_ENGINE_KIND": options.engine} | (
            {"PITCHEY_ENGINE_URL": options.url} if options.url else {}
        )
        command = Pitchey(Path(directory) / "state", Path(directory), settings)
        if options.engine != "process":
            for service in sorted({case.service for case in found}):
                command.ok("images", "build", service)
        daemon = command.start_daemon()
        try:
            wrong = run(command, found, Path(directory))
        finally:
            command("daemon", "stop")
            daemon.communicate(timeout=60)
            command.end()
    bad = sum(1 for problems in wrong.values() if problems)
    print(f"{len(wrong) - bad} passed, {bad} failed")  # noqa: T201
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
