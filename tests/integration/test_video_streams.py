"""Real clips become streams; what comes out is read by others than those who made it: m3u8, ElementTree, ffmpeg."""

from __future__ import annotations

import shutil
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import m3u8
import pytest

from processors.streaming import packager
from processors.streaming.measure import measured
from processors.streaming.tracks import Track
from processors.streaming.verify import verify_sound, verify_stream
from processors.worker.context import HandlerError
from tests.quality.checks import begins_with_idr
from tests.resources.studio import BIKES, BUNNY, HDR, Studio, brightness, ffmpeg
from tests.resources.workers import Worker

MPD = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("streams"), service="video") as worker:
        yield Studio(worker)


@pytest.fixture(scope="module")
def bunny(studio: Studio) -> tuple[Path, dict[str, Any]]:
    """5.28 s at 25 frames per second, in three rungs and segments of 2 s."""
    return studio.make(BUNNY, outputFormat="cmaf", segmentSeconds=2, resolution="640x360", ladder={"maxRungs": 3})


def key_times(folder: Path) -> list[float]:
    whole = folder / "whole.mp4"
    parts = [folder / "init.mp4", *sorted(folder.glob("segment-*.m4s"))]
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    command = [
        "ffprobe",
        "-v",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=pts_time,flags",
        "-of",
        "csv=p=0",
    ]
    said = subprocess.run([*command, whole], check=True, capture_output=True, text=True).stdout
    whole.unlink()
    return sorted(float(line.split(",")[0]) for line in said.splitlines() if "K" in line)


def variants(out: Path) -> list[m3u8.Playlist]:
    return list(m3u8.load(str(out / "master.m3u8")).playlists)


def plays(playlist: Path) -> int:
    """Decode all of a playlist, as a strict player would; give the number of its frames."""
    command = ["ffmpeg", "-v", "error", "-xerror", "-i", playlist.name, "-map", "0:v", "-f", "framemd5", "-"]
    done = subprocess.run(command, cwd=playlist.parent, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    return sum(1 for line in done.stdout.splitlines() if not line.startswith("#"))


# --- what comes out


def test_a_master_playlist_says_all_that_a_player_chooses_by(bunny: tuple[Path, dict[str, Any]]) -> None:
    out, result = bunny
    master = m3u8.load(str(out / "master.m3u8"))
    assert [each.stream_info.resolution for each in master.playlists] == [(640, 360), (416, 234)]
    for each in master.playlists:
        info = each.stream_info
        assert info.codecs.startswith("avc1.64") and info.codecs.endswith("mp4a.40.2")
        assert info.frame_rate == 25 and 0 < info.average_bandwidth <= info.bandwidth
        assert info.audio == "audio"
    (sound,) = master.media
    assert (sound.type, sound.default, sound.uri) == ("AUDIO", "YES", "audio-und/playlist.m3u8")
    assert len(master.iframe_playlists) == len(master.playlists)
    assert master.is_independent_segments
    rungs = result["details"]["stream"]["rungs"]
    assert [(rung["width"], rung["frames"], rung["codec"]) for rung in rungs] == [
        (640, 132, "h264"),
        (416, 132, "h264"),
    ]


def test_a_media_playlist_is_whole_and_plays_to_the_last_frame(bunny: tuple[Path, dict[str, Any]]) -> None:
    out, _ = bunny
    for each in variants(out):
        playlist = m3u8.load(str(out / each.uri))
        assert (playlist.playlist_type, playlist.is_endlist) == ("vod", True)
        assert [segment.duration for segment in playlist.segments] == [2, 2, pytest.approx(1.28)]
        assert all(segment.duration <= playlist.target_duration for segment in playlist.segments)
        assert plays(out / each.uri) == 132


def test_there_is_an_i_frame_for_each_two_seconds_whatever_the_segments(studio: Studio) -> None:
    out, _ = studio.make(BIKES, outputFormat="hls", resolution="160x90", segmentSeconds=6)
    (still,) = m3u8.load(str(out / "master.m3u8")).iframe_playlists
    frames = m3u8.load(str(out / still.uri))
    assert frames.is_i_frames_only and len(frames.segments) == 5
    folder = (out / still.uri).parent
    for each in frames.segments:
        size, offset = map(int, each.byterange.split("@"))
        one = folder / "one.mp4"
        one.write_bytes((folder / "init.mp4").read_bytes() + (folder / each.uri).read_bytes()[offset : offset + size])
        command = ["ffmpeg", "-v", "quiet", "-i", one, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
        assert len(subprocess.run(command, capture_output=True).stdout) == 160 * 68


def test_a_manifest_has_the_same_segments(bunny: tuple[Path, dict[str, Any]]) -> None:
    out, _ = bunny
    mpd = ElementTree.parse(out / "manifest.mpd").getroot()
    assert mpd.get("type") == "static" and (mpd.get("mediaPresentationDuration") or "").startswith("PT5.")
    templates = [each.get("media") or "" for each in mpd.iterfind(".//mpd:SegmentTemplate", MPD)]
    assert templates == [f"{name}/segment-$Number%05d$.m4s" for name in ("video-360p", "video-234p", "audio-und")]
    heights = [each.get("height") for each in mpd.iterfind(".//mpd:Representation", MPD)]
    assert heights == ["360", "234", None]


def test_every_file_is_an_output_and_nothing_else_is_left(bunny: tuple[Path, dict[str, Any]]) -> None:
    out, result = bunny
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    paths = [output["path"] for output in result["outputs"]]
    assert set(paths) == files and len(paths) == len(files)
    assert paths[:2] == ["master.m3u8", "manifest.mpd"]
    roles = {output["path"]: (output["role"], output["mediaType"]) for output in result["outputs"]}
    assert roles["master.m3u8"] == ("playlist", "application/vnd.apple.mpegurl")
    assert roles["video-360p/segment-00001.m4s"] == ("segment", "video/mp4")
    assert roles["audio-und/init.mp4"] == ("segment", "audio/mp4")


def test_hls_alone_has_no_manifest_and_dash_alone_no_playlist(studio: Studio) -> None:
    hls, _ = studio.make(BIKES, outputFormat="hls", resolution="160x90", end=2)
    dash, _ = studio.make(BIKES, outputFormat="dash", resolution="160x90", end=2)
    assert {path.suffix for path in hls.rglob("*.*")} == {".m3u8", ".m4s", ".mp4"}
    assert {path.suffix for path in dash.rglob("*.*")} == {".mpd", ".m4s", ".mp4"}


@pytest.mark.parametrize("framerate", ["60000/1001", "24000/1001", "50"])
def test_all_rungs_have_key_frames_at_the_same_moments(studio: Studio, tmp_path: Path, framerate: str) -> None:
    """Also where a small rung has half of the frames, and where two seconds are no whole number of them."""
    clip = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size=160x120:rate={framerate}:duration=21", "-preset", "ultrafast", clip)
    out, result = studio.make(clip, outputFormat="cmaf", segmentSeconds=4, ladder={"sizes": ["160x120", "80x60"]})
    best, worst = [key_times(out / rung["path"]) for rung in result["details"]["stream"]["rungs"]]
    assert best == pytest.approx(worst, abs=0.001) and len(best) == 11
    rates = [rung["framerate"] for rung in result["details"]["stream"]["rungs"]]
    assert rates[1] == pytest.approx(rates[0] if framerate.startswith("24") else rates[0] / 2, abs=0.001)


def test_no_segment_needs_more_than_the_playlists_say(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"  # quiet, then noise, and a short end
    quiet, noise = (
        "color=gray:size=320x240:rate=25:duration=9",
        "nullsrc=size=320x240:rate=25:duration=4,geq=random(1)*255",
    )
    ffmpeg(
        "-f", "lavfi", "-i", quiet, "-f", "lavfi", "-i", noise, "-lavfi", "[0][1]concat", "-preset", "ultrafast", clip
    )
    out, _ = studio.make(clip, outputFormat="cmaf", segmentSeconds=4, ladder={"sizes": ["320x240", "160x120"]})
    said = {
        (each.find("mpd:SegmentTemplate", MPD).get("media") or "").partition("/")[0]: int(each.get("bandwidth") or 0)  # type: ignore[union-attr]
        for each in ElementTree.parse(out / "manifest.mpd").getroot().iterfind(".//mpd:Representation", MPD)
    }
    for each in variants(out):
        playlist = m3u8.load(str(out / each.uri))
        folder = (out / each.uri).parent
        runs = [playlist.segments[first : first + count] for count in (1, 2) for first in range(4)]
        for run in runs:
            seconds = sum(segment.duration for segment in run)
            if 2 <= seconds <= 6:
                rate = 8 * sum((folder / segment.uri).stat().st_size for segment in run) / seconds
                assert rate <= each.stream_info.bandwidth * 1.001 and rate <= said[folder.name] * 1.001


def test_each_language_is_in_a_menu_of_its_own(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "clip.mkv"
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,500 --> 00:00:01,500\nGrüße\n")
    ffmpeg(
        "-i", BIKES, "-f", "lavfi", "-i", "sine=440:duration=3", "-f", "lavfi", "-i", "sine=880:duration=3",
        "-i", words,
        "-t", "3", "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "copy", "-c:a", "aac",
        "-metadata:s:a:0", "language=fra", "-metadata:s:a:0", "title=Le son, en \"vrai\"",
        "-metadata:s:a:1", "language=eng", "-disposition:a:1", "default", "-disposition:a:0", "0",
        "-metadata:s:s:0", "language=deu", clip,
    )  # fmt: skip
    out, _ = studio.make(clip, outputFormat="cmaf", resolution="160x90")
    media = m3u8.load(str(out / "master.m3u8")).media
    assert [(each.type, each.language, each.default, each.uri) for each in media] == [
        ("AUDIO", "en", "YES", "audio-eng/playlist.m3u8"),
        ("AUDIO", "fr", "NO", "audio-fra/playlist.m3u8"),
        ("SUBTITLES", "de", "NO", "text-deu/playlist.m3u8"),
    ]
    names = ["English", "Le son en vrai", "German"]
    assert [each.name for each in media] == names
    assert "Grüße" in (out / "text-deu" / "segment-00001.vtt").read_text()
    languages = [each.get("lang") for each in ElementTree.parse(out / "manifest.mpd").getroot().iterfind(".//*[@lang]")]
    assert sorted(filter(None, languages)) == ["de", "en", "fr"]
    labels = ElementTree.parse(out / "manifest.mpd").getroot().iterfind(".//{*}Label")
    assert sorted(filter(None, (each.text for each in labels))) == sorted(names)
    only, _ = studio.make(clip, outputFormat="hls", resolution="160x90", audioTracks=["fra"], subtitles="none")
    assert [each.language for each in m3u8.load(str(only / "master.m3u8")).media] == ["fr"]
    assert studio.failure(clip, outputFormat="hls", audioTracks=["spa"])["code"] == "no_such_track"


def test_subtitles_that_are_pictures_are_left_out_and_the_result_says_so(studio: Studio, tmp_path: Path) -> None:
    pictures, clip = tmp_path / "pictures.sup", tmp_path / "clip.mkv"
    screen = struct.pack(">HHBHBBBB", 640, 272, 0x10, 0, 0x80, 0, 0, 0)  # of the format of Blu-rays, with nothing on it
    parts = [(0x16, screen), (0x80, b"")]
    pictures.write_bytes(
        b"".join(b"PG" + struct.pack(">IIBH", 90000, 0, kind, len(data)) + data for kind, data in parts)
    )
    ffmpeg("-i", BIKES, "-i", pictures, "-t", "2", "-map", "0", "-map", "1", "-c", "copy", clip)
    out, result = studio.make(clip, outputFormat="hls", resolution="160x90")
    assert result["details"]["notes"][0].startswith("Subtitle track 1 (no language) was left out: it is pictures")
    assert "SUBTITLES" not in (out / "master.m3u8").read_text()


def test_what_is_asked_of_a_file_is_asked_of_a_stream_too(studio: Studio, tmp_path: Path) -> None:
    """A part of it, text that is burnt in, a file of subtitles, a loudness."""
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:09,000\nHello\n")
    clip = tmp_path / "clip.mkv"
    black, tone = "color=black:size=320x180:rate=25:duration=6", "sine=440:duration=6"
    inputs: list[str | Path] = ["-f", "lavfi", "-i", black, "-f", "lavfi", "-i", tone, "-i", words]
    ffmpeg(*inputs, "-map", "0", "-map", "1", "-map", "2", clip)
    out, result = studio.make(clip, outputFormat="hls", start=2, end=5, subtitles="burn", loudness=-30)
    stream = result["details"]["stream"]
    assert (stream["durationSeconds"], stream["subtitles"]) == (3, [])
    frame, playlist = tmp_path / "frame.png", out / stream["rungs"][0]["path"] / "playlist.m3u8"
    ffmpeg("-i", playlist, "-vf", "crop=24:10:148:163", "-frames:v", "1", frame)
    assert brightness(frame) > 3  # all was black, but for the letters
    meter: list[str | Path] = ["ffmpeg", "-nostats", "-i", out / "master.m3u8", "-af", "ebur128", "-f", "null", "-"]
    said = subprocess.run(meter, check=True, capture_output=True, text=True).stderr
    assert float(said.rpartition("I:")[2].split()[0]) == pytest.approx(-30, abs=1)


def test_a_watermark_is_in_every_rendition(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "black.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=black:size=320x180:rate=25:duration=1", clip)
    mark = {"text": "MMMM", "position": "center", "opacity": 1, "scale": 0.8}
    out, result = studio.make(clip, outputFormat="hls", watermark=mark, ladder={"sizes": ["320x180", "160x90"]})
    for number, rung in enumerate(result["details"]["stream"]["rungs"]):
        frame = tmp_path / f"{number}.png"
        picture = out / rung["path"] / "playlist.m3u8"
        ffmpeg("-i", picture, "-vf", "crop=iw/8:ih/8", "-frames:v", "1", frame)
        assert brightness(frame) > 20


def test_a_file_of_subtitles_that_is_given_is_in_the_menu(studio: Studio, tmp_path: Path) -> None:
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,500 --> 00:00:01,500\nHello\n")
    out, result = studio.make(BIKES, outputFormat="hls", end=2, resolution="160x90", subtitleUrl=words)
    assert result["details"]["stream"]["subtitles"] == [{"path": "text-und", "language": None}]
    assert "Hello" in (out / "text-und" / "segment-00001.vtt").read_text()


def test_a_quality_that_is_asked_for_is_that_of_the_best_rung(studio: Studio) -> None:
    found = {}
    for target in (70, 90):
        _, result = studio.make(BIKES, outputFormat="hls", end=2, resolution="320x136", targetQuality=target)
        stream = result["details"]["stream"]
        assert target <= stream["vmafOfSamples"] < target + 6
        found[target] = stream["rungs"][0]["bitrate"]
    assert found[70] < found[90] / 1.5


# --- the ladder


def test_a_rate_is_what_the_best_rung_comes_to(studio: Studio) -> None:
    _, result = studio.make(BIKES, outputFormat="hls", end=5, bitrate="300k", ladder={"maxRungs": 2})
    best, worst = result["details"]["stream"]["rungs"]
    assert 240_000 < best["bitrate"] < 360_000
    assert worst["bitrate"] < best["bitrate"] / 1.2 and worst["height"] <= best["height"]


def test_a_rung_that_needs_as_much_as_a_better_one_is_left_out(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "still.mp4"
    ffmpeg("-f", "lavfi", "-i", "color=gray:size=640x360:rate=25:duration=2", clip)
    _, result = studio.make(clip, outputFormat="hls", quality="high")
    found = [(rung["width"], rung["bitrate"]) for rung in result["details"]["stream"]["rungs"]]
    assert found[0][0] == 640
    assert all(better > 1.05 * worse for (_, better), (_, worse) in pairwise(found))


def test_the_ladder_of_one_title_follows_its_pictures(studio: Studio, tmp_path: Path) -> None:
    easy = tmp_path / "easy.mp4"  # one colour after the other, softly
    ffmpeg("-f", "lavfi", "-i", "gradients=size=640x272:rate=25:duration=2.4:speed=0.01", "-preset", "ultrafast", easy)
    rates = []
    for clip in (easy, BIKES):
        _, result = studio.make(clip, outputFormat="hls", end=2.4, ladder={"perTitle": True, "maxRungs": 2})
        rungs = result["details"]["stream"]["rungs"]
        assert (rungs[0]["width"], rungs[0]["height"]) == (640, 272)
        assert all(better["bitrate"] > worse["bitrate"] for better, worse in pairwise(rungs))
        assert all(rung["bitrate"] <= rung["bitrateLimit"] * 1.3 for rung in rungs)
        rates.append(rungs[0]["bitrate"])
    assert rates[0] < rates[1] / 3


@pytest.mark.parametrize(
    ("codec", "form", "said"), [("hevc", "hls", "hvc1."), ("av1", "hls", "av01."), ("vp9", "dash", "vp09.")]
)
def test_other_codecs_have_the_same_groups(studio: Studio, codec: str, form: str, said: str) -> None:
    out, result = studio.make(
        BIKES, outputFormat=form, codec=codec, end=5, segmentSeconds=2, ladder={"sizes": ["320x180", "160x90"]}
    )
    best, worst = [key_times(out / rung["path"]) for rung in result["details"]["stream"]["rungs"]]
    assert best == worst == [0, 2, 4]
    for rung in result["details"]["stream"]["rungs"]:
        folder = out / rung["path"]
        segments = sorted(folder.glob("segment-*.m4s"))
        assert len(segments) == 3
        assert all(begins_with_idr(folder / "init.mp4", segment) for segment in segments)
    lists = (out / ("master.m3u8" if form == "hls" else "manifest.mpd")).read_text()
    assert said in lists


def test_a_segment_that_leans_on_the_one_before_is_refused(tmp_path: Path) -> None:
    """In an open group of HEVC, pictures are shown before the key frame that refer to the group before."""
    folder = tmp_path / "video-64p"
    folder.mkdir()
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=64x64:r=10:d=3", "-c:v", "libx265", "-tag:v", "hvc1",
        "-x265-params", "log-level=none:keyint=10:min-keyint=10:scenecut=0:open-gop=1", "-f", "hls", "-hls_time", "1",
        "-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", "init.mp4",
        "-hls_segment_filename", folder / "segment-%05d.m4s", folder / "playlist.m3u8",
    )  # fmt: skip
    with pytest.raises(HandlerError, match="its first picture needs others before it"):
        measured(tmp_path, [Track("video", folder.name, folder)], 1)


def test_hdr_stays_hdr_when_asked_and_says_so(studio: Studio) -> None:
    kept, _ = studio.make(HDR, outputFormat="hls", codec="hevc", hdr="keep", end=1, resolution="160x90")
    mapped, _ = studio.make(HDR, outputFormat="hls", end=1, resolution="160x90")
    assert "VIDEO-RANGE=PQ" in (kept / "master.m3u8").read_text()
    assert "VIDEO-RANGE=PQ" not in (mapped / "master.m3u8").read_text()


def test_what_a_stream_cannot_have_is_told(studio: Studio) -> None:
    asked: dict[str, Any] = {"outputFormat": "dash", "end": 0.5, "resolution": "160x90"}
    _, result = studio.make(HDR, codec="vp9", hdr="keep", **asked)
    assert result["details"]["notes"] == ["The mastering display was left out: VP9 has no place for it."]
    _, result = studio.make(BIKES, framerate=120, **asked)
    assert "The stream has 60 frames per second instead of 120: players want 10 to 60." in result["details"]["notes"]


# --- what is not published


TRACKS = [
    Track("video", "video-360p", Path()),
    Track("video", "video-234p", Path()),
    Track("audio", "audio-und", Path()),
]


def verdict(out: Path) -> str:
    try:
        verify_stream(out, TRACKS, measured(out, TRACKS, 2), seconds=5.28, frame_seconds=0.04)
    except HandlerError as error:
        return error.message
    return ""


def test_a_stream_that_is_not_whole_or_not_true_is_refused(bunny: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    def spoiled(name: str, old: str | bytes, new: str | bytes) -> str:
        out = tmp_path / "out"
        shutil.copytree(bunny[0], out)
        data = (out / name).read_bytes()
        old, new = (text.encode() if isinstance(text, str) else text for text in (old, new))
        assert old in data
        (out / name).write_bytes(data.replace(old, new, 1))
        try:
            return verdict(out)
        finally:
            shutil.rmtree(out)

    assert verdict(bunny[0]) == ""
    short, longer = tmp_path / "short.mp4", tmp_path / "longer.mp4"
    ffmpeg("-f", "lavfi", "-i", "sine=d=5", short)
    ffmpeg("-f", "lavfi", "-i", "sine=d=6", longer)
    sound = measured(bunny[0], TRACKS, 2)[-1]
    verify_sound(replace(sound, track=replace(sound.track, source=short)))
    with pytest.raises(HandlerError, match=r"audio-und is not what it should be: it is 5\.\d+ s long instead of 6"):
        verify_sound(replace(sound, track=replace(sound.track, source=longer)))
    second = (bunny[0] / "video-360p" / "segment-00002.m4s").read_bytes()
    half = spoiled("video-360p/segment-00002.m4s", second[len(second) // 4 :], b"")
    assert half.startswith("The output video-360p/segment-00002.m4s is not what it should be")
    first = (bunny[0] / "video-360p" / "segment-00001.m4s").read_bytes()
    assert "key frames" in spoiled("video-360p/segment-00002.m4s", second, first)
    assert "which is not there" in spoiled("video-234p/playlist.m3u8", "segment-00002.m4s", "segment-00009.m4s")
    assert "has no end" in spoiled("video-234p/playlist.m3u8", "#EXT-X-ENDLIST", "")
    assert "bits per second at most" in spoiled("master.m3u8", ":BANDWIDTH=", ":BANDWIDTH=1,X-WAS=")
    assert "bits per second at most" in spoiled("manifest.mpd", 'bandwidth="', 'bandwidth="1" was="')


def test_without_packager_there_is_a_way_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(packager, "_MODULE", "a_module_that_nobody_has")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HandlerError, match="Shaka Packager, which is not here") as caught:
        packager.packager()
    assert "pip install 'pitchey[streaming]'" in (caught.value.hint or "")


def test_a_stream_that_was_cut_off_is_refused_as_any_video(studio: Studio, tmp_path: Path) -> None:
    whole, half = tmp_path / "whole.mp4", tmp_path / "half.mp4"
    ffmpeg("-i", BIKES, "-c", "copy", "-movflags", "+faststart", whole)
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(half, outputFormat="hls", resolution="160x90")
    assert (error["code"], error["reason"]) == ("truncated", "rejected")
