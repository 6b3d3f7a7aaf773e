"""What `pitchey probe` shows of a document that the video service wrote."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from pitchey_cli.reports.probe import table
from processors.ffmpeg.report import document
from processors.ffmpeg.streams import Probe, Video

DOCUMENT: dict[str, Any] = {
    "format": "mov,mp4",
    "durationSeconds": 3723.5,
    "size": 315_300,
    "bitrate": 2_534_000,
    "tags": {"title": "Holiday", "artist": "A\x1b[31m"},
    "chapters": [
        {"start": 0.0, "end": 62.5, "title": "Arrival"},
        {"start": 62.5, "end": 3723.5, "title": "[red]Return"},
    ],
    "streams": [
        {
            "index": 0, "kind": "video", "codec": "hevc", "profile": "Main 10", "language": None, "title": None,
            "isDefault": True, "durationSeconds": 3723.5, "bitrate": 2_400_000, "tags": {},
            "width": 1920, "height": 1080, "storedWidth": 1440, "storedHeight": 1080, "sampleAspect": "4:3",
            "rotation": 90, "framerate": 29.97002997, "isVariable": True, "pixelFormat": "yuv420p10le",
            "bitDepth": 10, "colorPrimaries": "bt2020", "colorTransfer": "smpte2084", "colorSpace": "bt2020nc",
            "colorRange": "tv", "isHdr": True, "isInterlaced": True, "frames": 111_593,
        },
        {
            "index": 1, "kind": "audio", "codec": "aac", "profile": "LC", "language": "fra", "title": "Commentary",
            "isDefault": False, "durationSeconds": 3723.4, "bitrate": 128_000, "tags": {},
            "channels": 6, "layout": "5.1", "sampleRate": 44100, "bitDepth": None,
        },
        {
            "index": 2, "kind": "subtitle", "codec": "mov_text", "profile": None, "language": "eng", "title": None,
            "isDefault": False, "durationSeconds": None, "bitrate": None, "tags": {},
        },
    ],
}  # fmt: skip


def printed(document: dict[str, Any], name: str = "holiday.mp4") -> str:
    console = Console(width=240, no_color=True)
    with console.capture() as said:
        console.print(table(name, document))
    return said.get()


def test_a_file_is_a_line_and_its_streams_are_rows() -> None:
    lines = printed(DOCUMENT).splitlines()
    assert lines[0] == "holiday.mp4: mov,mp4, 1 h 02 min, 307.9 KiB, 2.53 Mb/s"
    video, audio, subtitle = (next(line for line in lines if line.startswith(f"{index} ")) for index in "012")
    for said in (
        "hevc (Main 10)", "1920x1080, stored as 1440x1080, pixels 4:3, turned by 90°, 29.97 fps (variable)",
        "yuv420p10le, HDR (smpte2084), interlaced, default", "2.4 Mb/s",
    ):  # fmt: skip
        assert said in video
    assert "aac (LC)" in audio and "5.1, 44.1 kHz, “Commentary”" in audio and "fra" in audio and "128 kb/s" in audio
    assert subtitle.split() == ["2", "subtitle", "mov_text", "eng"]


def test_what_the_video_service_writes_of_a_recording_is_what_is_shown() -> None:
    tape = Video(0, "dvvideo", 2.0, width=768, height=576, framerate=25.0, is_interlaced=True, is_variable=True)
    said = printed(document(Probe("avi", True, 2.0, 1000, None, [tape])))
    assert "768x576" in said and "25 fps (variable)" in said and "interlaced" in said


def test_chapters_have_times_as_a_player_shows_them() -> None:
    lines = printed(DOCUMENT).splitlines()
    assert [line.split() for line in lines if "Arrival" in line] == [["1", "0:00", "1:02.5", "Arrival"]]
    assert any("1:02.5" in line and "1:02:03.5" in line for line in lines)


def test_nothing_that_a_file_says_is_obeyed() -> None:
    text = printed(DOCUMENT, name="a\x1b]0;b.mp4")
    assert "\x1b" not in text and "\\x1b[31m" in text and "[red]Return" in text


def test_a_plain_picture_is_said_plainly() -> None:
    plain = {
        "kind": "video", "index": 0, "codec": "h264", "width": 320, "height": 240, "storedWidth": 320,
        "storedHeight": 240, "sampleAspect": "1:1", "rotation": 0, "framerate": "25/1", "isInterlaced": False,
        "colorSpace": "unknown", "pixelFormat": "yuv420p",
    }  # fmt: skip
    assert "320x240, 25/1 fps, yuv420p  " in printed({"format": "mp4", "streams": [plain]})


@pytest.mark.parametrize(
    ("sound", "says"),
    [
        ({"channels": 1, "layout": None}, "mono"),
        ({"channels": 3}, "3 channels"),
        ({"channels": 2, "layout": "stereo", "sampleRate": 48000, "bitDepth": 24}, "stereo, 48 kHz, 24 bit"),
    ],
)
def test_sound(sound: dict[str, Any], says: str) -> None:
    assert says in printed({"streams": [{"kind": "audio", "index": 0, "codec": "pcm", **sound}]})


def test_a_file_that_says_nothing_of_itself_is_shown_too() -> None:
    assert printed({"format": None, "streams": [{}], "tags": {}, "chapters": []}).startswith(
        "holiday.mp4: unknown format, -"
    )
