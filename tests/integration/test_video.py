"""Real clips through a real worker and a real ffmpeg; what comes out is looked at with ffprobe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from processors.ffmpeg.opening import opened
from processors.ffmpeg.probe import probe
from processors.worker.context import HandlerError
from tests.resources.studio import (
    BIKES,
    BUNNY,
    CARPHONE,
    HDR,
    SAMPLE,
    Studio,
    brightness,
    ffmpeg,
    ffprobe,
    likeness,
    written,
)
from tests.resources.workers import ROOT, is_alive

# --- what comes out


def test_an_mp4_plays_anywhere_and_has_its_thumbnails(studio: Studio) -> None:
    out, result = studio.make(BUNNY, resolution="320x320", thumbnailTimes=[1, 5.27])
    assert [output["path"] for output in result["outputs"]] == ["video.mp4", "thumbnail-001.jpg", "thumbnail-002.jpg"]
    made = ffprobe(out / "video.mp4")
    assert (made["video"]["codec_name"], made["video"]["pix_fmt"]) == ("h264", "yuv420p")
    assert (made["video"]["width"], made["video"]["height"]) == (320, 180)
    assert (made["audio"]["codec_name"], made["audio"]["channels"]) == ("aac", 6)
    assert float(made["format"]["duration"]) == pytest.approx(5.312, abs=0.1)
    head = (out / "video.mp4").read_bytes()
    assert head.index(b"moov") < head.index(b"mdat")
    details = result["outputs"][0]["details"]
    assert (details["width"], details["videoCodec"], details["audioCodec"]) == (320, "h264", "aac")
    assert result["outputs"][0]["size"] == len(head)
    assert result["details"]["input"]["width"] == 1280
    for thumbnail in ("thumbnail-001.jpg", "thumbnail-002.jpg"):
        assert (ffprobe(out / thumbnail)["video"]["codec_name"], brightness(out / thumbnail) > 20) == ("mjpeg", True)


def test_a_webm_has_vp9_and_opus_also_from_surround_sound(studio: Studio) -> None:
    out, _ = studio.make(BUNNY, outputFormat="webm", resolution="160x90")
    made = ffprobe(out / "video.webm")
    assert (made["video"]["codec_name"], made["audio"]["codec_name"]) == ("vp9", "opus")
    assert float(made["format"]["duration"]) == pytest.approx(5.312, abs=0.1)


def test_pixels_become_square_and_sides_even(studio: Studio) -> None:
    out, _ = studio.make(CARPHONE)
    video = ffprobe(out / "video.mp4")["video"]
    assert (video["width"], video["height"], video["sample_aspect_ratio"]) == (192, 144, "1:1")


def test_a_turned_video_is_upright(studio: Studio, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", BIKES, "-c", "copy", "-t", "2", "-metadata:s:v", "rotate=90", turned)
    out, result = studio.make(turned, resolution="136x320")
    video = ffprobe(out / "video.mp4")["video"]
    assert (video["width"], video["height"]) == (136, 320)
    assert video.get("side_data_list", []) == []
    assert result["details"]["input"]["width"] == 272


def test_rate_and_frames_are_as_asked(studio: Studio) -> None:
    out, _ = studio.make(BIKES, framerate=12.5, bitrate="150k")
    made = ffprobe(out / "video.mp4")
    assert made["video"]["avg_frame_rate"] == "25/2"
    assert 100_000 < int(made["format"]["bit_rate"]) < 225_000
    assert "audio" not in made


def test_hdr_becomes_ordinary_video(studio: Studio) -> None:
    out, _ = studio.make(HDR)
    video = ffprobe(out / "video.mp4")["video"]
    assert (video["pix_fmt"], video["color_transfer"], video["color_space"]) == ("yuv420p", "bt709", "bt709")


def test_metadata_is_kept(studio: Studio, tmp_path: Path) -> None:
    titled = tmp_path / "titled.mp4"
    ffmpeg("-i", SAMPLE, "-c", "copy", "-t", "1", "-metadata", "title=A walk", titled)
    out, _ = studio.make(titled)
    assert ffprobe(out / "video.mp4")["format"]["tags"]["title"] == "A walk"


def test_a_thumbnail_is_of_the_very_frame(studio: Studio, tmp_path: Path) -> None:
    out, _ = studio.make(BIKES, outputFormat="thumbnail", thumbnailTimes=[3.04, 9.99, 10], quality="ultra")
    for name, frame in (("thumbnail-001.jpg", 76), ("thumbnail-002.jpg", 249), ("thumbnail-003.jpg", 249)):
        expected = tmp_path / "expected.png"
        ffmpeg("-i", BIKES, "-vf", f"select=eq(n\\,{frame})", "-frames:v", "1", expected)
        assert likeness(out / name, expected) > 0.95  # a frame earlier is another shot: 76 is the first after a cut


def test_the_progress_of_a_job_never_goes_back_and_ends_at_one(studio: Studio) -> None:
    events = studio.worker.events(studio.begin(BIKES, quality="high", thumbnailTimes=[1]))
    progress = [event for event in events if event["type"] == "progress"]
    fractions = [event["fraction"] for event in progress]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1], progress[-1]["stage"]) == (0.0, 1.0, "done")


def test_pictures_are_upright_fitted_and_as_good_as_asked(studio: Studio, tmp_path: Path) -> None:
    turned = tmp_path / "turned.mp4"
    ffmpeg("-i", BIKES, "-c", "copy", "-t", "2", "-metadata:s:v", "rotate=90", turned)
    sizes = []
    for quality in ("low", "ultra"):
        out, result = studio.make(
            turned, outputFormat="thumbnail", thumbnailTimes=[1], resolution="136x320", quality=quality
        )
        picture = out / "thumbnail-001.jpg"
        expected = tmp_path / "expected.png"
        ffmpeg("-ss", "1", "-i", turned, "-frames:v", "1", "-vf", "scale=136:320", expected)
        assert likeness(picture, expected) > 0.9
        assert result["outputs"][0]["details"] == {"timeSeconds": 1, "width": 136, "height": 320}
        sizes.append(picture.stat().st_size)
    assert sizes[0] < sizes[1] / 1.5


@pytest.mark.parametrize("form", ["raw.h264", "stream.ts", "late.mkv"])
def test_a_picture_is_found_without_an_index_too(studio: Studio, tmp_path: Path, form: str) -> None:
    """Raw frames without times, a broadcast that begins at 1.4 s, a copy that was cut out of something longer."""
    clip = tmp_path / form
    ffmpeg("-i", BIKES, "-c", "copy", *(["-output_ts_offset", "40"] if form == "late.mkv" else []), clip)
    out, _ = studio.make(clip, outputFormat="thumbnail", thumbnailTimes=[3.04], quality="ultra")
    expected = tmp_path / "expected.png"
    ffmpeg("-i", BIKES, "-vf", "select=eq(n\\,76)", "-frames:v", "1", expected)
    assert likeness(out / "thumbnail-001.jpg", expected) > 0.9


def test_a_screen_recording_shows_the_picture_that_stands(studio: Studio, tmp_path: Path) -> None:
    still = tmp_path / "still.mkv"  # frames at 0 s and at 8 s, and nothing between
    ffmpeg("-i", BIKES, "-vf", "select='eq(n,0)+eq(n,200)'", "-fps_mode", "vfr", still)
    out, _ = studio.make(still, outputFormat="thumbnail", thumbnailTimes=[6], quality="ultra")
    expected = tmp_path / "expected.png"
    ffmpeg("-i", BIKES, "-frames:v", "1", expected)
    assert likeness(out / "thumbnail-001.jpg", expected) > 0.9


def test_a_slide_that_stands_for_long_is_not_taken_for_a_cut(studio: Studio, tmp_path: Path) -> None:
    slides = tmp_path / "slides.mp4"
    ffmpeg("-r", "0.2", "-i", BIKES, "-r", "0.2", "-t", "20", "-an", slides)
    out, _ = studio.make(slides, outputFormat="thumbnail", thumbnailTimes=[19])
    assert (out / "thumbnail-001.jpg").stat().st_size > 1000


# --- what a file is


def test_matroska_keeps_its_length_in_a_tag(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    ffmpeg("-i", SAMPLE, "-c", "copy", clip)
    found = probe(clip, clip.name)
    assert found.duration_seconds == pytest.approx(9.99, abs=0.03)
    assert found.video is not None
    assert (found.video.codec, found.audio and found.audio.channels, found.video.framerate) == ("h264", 2, 24.0)


def test_the_cover_of_an_album_is_no_video(studio: Studio, tmp_path: Path) -> None:
    song, picture, album = tmp_path / "song.m4a", tmp_path / "cover.jpg", tmp_path / "album.m4a"
    ffmpeg("-i", SAMPLE, "-vn", "-c", "copy", song)
    ffmpeg("-i", SAMPLE, "-frames:v", "1", picture)
    ffmpeg("-i", song, "-i", picture, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v", "attached_pic", album)
    assert [other.kind for other in probe(album, album.name).others] == ["cover"]
    error = studio.failure(album)
    assert error["message"] == "album.m4a has sound, but no moving picture."


# --- what cannot work


def test_a_thumbnail_after_the_end_is_refused_before_any_work(studio: Studio) -> None:
    token = studio.begin(BIKES, thumbnailTimes=[1, 12])
    error = studio.worker.ending(token)["error"]
    assert (error["code"], error["reason"]) == ("thumbnail_after_end", "rejected")
    assert error["message"] == "There is no picture at 12 s: bikes.mp4 is 10 s long."
    assert list((studio.worker.spool / token / "out").iterdir()) == []


def test_what_is_no_video_is_refused_by_name(studio: Studio, tmp_path: Path) -> None:
    text = written(tmp_path / "notes.mp4", b"hello\n" * 100)
    playlist = written(tmp_path / "list.mp4", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    short = written(tmp_path / "short.mp4", b"hello\n")
    empty = written(tmp_path / "empty.mp4", b"")
    sound = tmp_path / "sound.mp4"
    ffmpeg("-i", SAMPLE, "-vn", "-c", "copy", sound)
    found = {clip.name: studio.failure(clip) for clip in (text, short, playlist, empty, sound)}
    assert {name: error["code"] for name, error in found.items()} == {
        "notes.mp4": "not_media",
        "short.mp4": "not_media",
        "list.mp4": "not_media",
        "empty.mp4": "not_media",
        "sound.mp4": "no_video_stream",
    }
    for name, error in found.items():
        assert name in error["message"]
        assert (error["reason"], error["retryable"]) == ("rejected", False)


@pytest.mark.parametrize("is_index_first", [False, True])
def test_half_a_file_is_called_what_it_is(studio: Studio, tmp_path: Path, is_index_first: bool) -> None:
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", SAMPLE, "-c", "copy", *(["-movflags", "+faststart"] if is_index_first else []), whole)
    half = written(tmp_path / "half.mp4", whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(half)
    assert (error["code"], error["reason"], error["retryable"]) == ("truncated", "rejected", False)
    if is_index_first:
        assert studio.failure(half, outputFormat="thumbnail", thumbnailTimes=[9])["code"] == "truncated"


# --- cancelling


def test_a_cancelled_transcoding_leaves_no_process(studio: Studio) -> None:
    token = studio.begin(BUNNY, quality="ultra", framerate=240)
    with studio.worker.follow(token) as events:
        assert any(event.get("stage") == "transcode" for event in events)
        family = [process.pid for process in psutil.Process(studio.worker.pid).children(recursive=True)]
        assert len(family) == 2  # the attempt and its ffmpeg
        studio.worker.http.delete(f"/attempts/{token}?grace=60")
        assert list(events)[-1]["error"]["reason"] == "cancelled"
    assert not any(map(is_alive, family))
    # Told to end, it would encode all that it holds, and write an index: that takes seconds, and nobody takes the file.
    assert b"moov" not in (studio.worker.spool / token / "out" / "video.mp4").read_bytes()


def test_a_disk_that_fails_is_not_taken_for_a_damaged_file() -> None:
    with pytest.raises(HandlerError) as caught, opened(Path("/proc/self/mem"), "clip.mp4"):  # reads of it fail with EIO
        pass
    assert (caught.value.code, caught.value.retryable) == ("input_unreadable", True)


def test_memory_that_runs_out_is_not_taken_for_a_damaged_file() -> None:
    script = """
import resource, sys
from pathlib import Path
from processors.ffmpeg.opening import decoded, opened
with opened(Path(sys.argv[1]), "clip.mp4") as container:
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 200_000, resource.RLIM_INFINITY))
    try:
        list(decoded(container, container.streams.video[0]))
    except MemoryError:
        sys.exit(7)
"""
    done = subprocess.run([sys.executable, "-c", script, HDR], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == 7, done.stderr
