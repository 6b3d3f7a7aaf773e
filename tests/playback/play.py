"""Plays real streams in a real browser: from the beginning, at each rendition, after seeking, to the end.

    python -m tests.playback.play --players FOLDER

FOLDER holds hls.js and dash.js; `scripts/playback` gets them. A stream counts as played when the browser has shown
every rendition, gone on after each seek, and come to the end without an error of the player's.
"""

from __future__ import annotations

import argparse
import json
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.resources.studio import BUNNY, Studio, ffmpeg
from tests.resources.workers import Worker

PAGE = Path(__file__).with_name("player.html")
LONGEST_SECONDS = 240
CHROMIUM = ("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--mute-audio", "--no-first-run",
            "--autoplay-policy=no-user-gesture-required", "--disable-background-networking")  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A stream, and what the browser should find in it."""

    name: str
    spec: dict[str, Any]
    sounds: int = 1
    subtitles: int = 1


CASES = [
    Case("H.264", {"outputFormat": "cmaf"}),
    Case("H.264, segments of 2 s", {"outputFormat": "cmaf", "segmentSeconds": 2}),
    Case("AV1", {"outputFormat": "cmaf", "codec": "av1"}),
    Case("VP9", {"outputFormat": "dash", "codec": "vp9"}),
    Case("no sound", {"outputFormat": "cmaf", "audioTracks": ["none"], "subtitles": "none"}, 0, 0),
]


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012  the class of the standard library has it so
        ".m3u8": "application/vnd.apple.mpegurl",
        ".mpd": "application/dash+xml",
        ".html": "text/html",
        ".js": "text/javascript",
        ".vtt": "text/vtt",
        "": "video/mp4",
    }

    def __init__(self, *arguments: Any, reports: queue.Queue[dict[str, Any]], **options: Any) -> None:
        self._reports = reports
        super().__init__(*arguments, **options)

    def do_POST(self) -> None:
        self._reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@contextmanager
def served(folder: Path, reports: queue.Queue[dict[str, Any]]) -> Iterator[str]:
    """Serve a folder on this machine alone."""
    handler = partial(_Handler, directory=str(folder), reports=reports)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def watched(url: str, reports: queue.Queue[dict[str, Any]]) -> dict[str, Any]:
    """Open a page in the browser, and wait for its report."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [*CHROMIUM, f"--user-data-dir={profile}", url]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return reports.get(timeout=LONGEST_SECONDS)
        except queue.Empty:
            return {"errors": [f"no report within {LONGEST_SECONDS} s"]}
        finally:
            browser.terminate()
            browser.wait()


def problems(case: Case, report: dict[str, Any], rungs: list[dict[str, Any]], seconds: float) -> list[str]:
    """Say what was not as it should be."""
    found = list(report["errors"])
    if found:
        return found
    if sorted(report["heights"]) != sorted(rung["height"] for rung in rungs):
        found.append(f"saw the heights {report['heights']}")
    if abs(report["duration"] - seconds) > 0.1 or report["endedAt"] < report["duration"] - 0.1:
        found.append(f"ended at {report['endedAt']} of {report['duration']} s instead of {seconds} s")
    if (report["sounds"], report["subtitles"]) != (case.sounds, case.subtitles):
        found.append(f"found {report['sounds']} sounds and {report['subtitles']} subtitles")
    if case.subtitles and report.get("cue") != "Grüße":
        found.append(f"read the subtitle {report.get('cue')}")
    return found


def main() -> int:
    """Play all cases in all players; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--players", type=Path, required=True, help="folder with hls.js and dash.js")
    arguments = parser.parse_args()
    reports: queue.Queue[dict[str, Any]] = queue.Queue()
    failed = 0
    with tempfile.TemporaryDirectory() as home_name, Worker(Path(home_name) / "worker", service="video") as worker:
        home, studio = Path(home_name), Studio(worker)
        site = home / "site"
        shutil.copytree(arguments.players, site / "players")
        shutil.copy(PAGE, site)
        words, clip = home / "words.srt", home / "clip.mkv"
        words.write_text("1\n00:00:00,500 --> 00:00:09,500\nGrüße\n")
        ffmpeg("-stream_loop", "3", "-i", BUNNY, "-i", words, "-map", "0:v", "-map", "0:a", "-map", "1", "-t", "14",
               "-c:v", "libx264", "-preset", "ultrafast", "-s", "640x360", "-c:a", "copy", "-metadata:s:s:0",
               "language=deu", clip)  # fmt: skip
        with served(site, reports) as address:
            for number, case in enumerate(CASES):
                out, result = studio.make(clip, **case.spec, ladder={"maxRungs": 3})
                shutil.copytree(out, site / str(number))
                stream = result["details"]["stream"]
                for player, name in (("hls", "master.m3u8"), ("dash", "manifest.mpd")):
                    if not (out / name).exists():
                        continue
                    page = f"{address}/{PAGE.name}?player={player}&url=/{number}/{name}"
                    report = watched(page, reports)
                    trouble = problems(case, report, stream["rungs"], 14)
                    failed += bool(trouble)
                    sys.stdout.write(f"{case.name:24} {player:5} {'; '.join(trouble) or 'played'}\n")
                    sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
