"""Files that are damaged, or made to do harm: one clear error each, and the next job goes well."""

from __future__ import annotations

import json
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import psutil
import pytest

from processors.ffmpeg.safety import SAFE_DECODER, SAFE_INPUT
from processors.ffmpeg.verify import Expected, verified
from processors.worker.context import HandlerError
from tests.resources.studio import BIKES, SAMPLE, TINY, Studio, ffmpeg, ffprobe, written
from tests.resources.waiting import until

PASSWD = "file:///etc/passwd"
SVG = f"""<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "{PASSWD}">]>
<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100"><text>&x;</text></svg>"""
DASH = f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><BaseURL>{PASSWD}</BaseURL></Period></MPD>'

NAMES_FILES = {
    "hls.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{PASSWD}\n#EXT-X-ENDLIST\n",
    "hls.mp4": f"#EXTM3U\n#EXTINF:10,\n{PASSWD}\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile /etc/passwd\n",
    "concat.txt": "file '/etc/passwd'\n",
    "picture.svg": SVG,
    "dash.mpd": DASH,
    "sdp.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "list.xspf": f"<playlist><trackList><track><location>{PASSWD}</location></track></trackList></playlist>",
}


@pytest.mark.parametrize("name", NAMES_FILES)
def test_a_file_that_names_others_is_not_followed(studio: Studio, tmp_path: Path, name: str) -> None:
    error = studio.failure(written(tmp_path / name, NAMES_FILES[name].encode("latin-1")))
    assert (error["code"], error["reason"], error["retryable"]) == ("not_media", "rejected", False)
    assert error["message"] == f"{name} is not a media file that can be read."
    assert "root:" not in str(error)


def test_a_name_that_is_a_pattern_is_no_sequence_of_pictures(studio: Studio, tmp_path: Path) -> None:
    for number in range(3):
        ffmpeg("-f", "lavfi", "-i", "color=s=64x48", "-frames:v", "1", tmp_path / f"frame{number:03}.png")
    error = studio.failure(written(tmp_path / "frame%03d.png", (tmp_path / "frame000.png").read_bytes()))
    assert (error["code"], error["reason"]) == ("not_media", "rejected")
    assert error["message"] == "frame%03d.png is not a media file that can be read."


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def test_a_picture_without_bounds_is_refused(studio: Studio, tmp_path: Path) -> None:
    assert studio.failure(written(tmp_path / "huge.png", png(100_000, 100_000)))["code"] == "not_media"


def test_a_video_that_says_it_is_huge_is_refused_by_its_size(studio: Studio, tmp_path: Path) -> None:
    small = tmp_path / "small.avi"
    ffmpeg("-i", BIKES, "-frames:v", "2", "-c:v", "rawvideo", "-pix_fmt", "yuv420p", small)
    size = struct.pack("<ii", 640, 272)
    huge = small.read_bytes().replace(size, struct.pack("<ii", 16_000, 16_000))
    assert huge != small.read_bytes()
    error = studio.failure(written(tmp_path / "huge.avi", huge))
    assert (error["code"], error["reason"]) == ("too_large", "rejected")
    assert error["message"].endswith("x16000, which is more than any player shows.")


@pytest.mark.parametrize("suffix", ["mp3", "flac", "m4a", "mkv"])
def test_a_cover_is_looked_at_before_it_is_decoded(studio: Studio, tmp_path: Path, suffix: str) -> None:
    for width, height in ((7000, 7000), (64, 64)):
        cover, song = tmp_path / "cover.png", tmp_path / f"{width}.{suffix}"
        ffmpeg("-f", "lavfi", "-i", f"color=s={width}x{height}", "-frames:v", "1", "-pix_fmt", "monob", cover)
        sound = ("-f", "lavfi", "-i", "sine=d=1")
        if suffix == "mkv":
            ffmpeg(*sound, "-attach", cover, "-metadata:s:t", "mimetype=image/png", song)
        else:
            ffmpeg(
                *sound, "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic", song
            )
    error = studio.failure(tmp_path / f"7000.{suffix}", outputFormat="probe")
    assert (error["code"], error["reason"]) == ("too_large", "rejected")
    assert error["message"].startswith(f"7000.{suffix} has a cover of 7000x7000, ")
    _, result = studio.make(tmp_path / f"64.{suffix}", outputFormat="probe")
    assert [each["kind"] for each in result["details"]["probe"]["streams"]] == ["audio", "cover"]


@pytest.mark.parametrize("codec", ["gif", "bmp"])
def test_a_cover_of_another_kind_is_looked_at_too(studio: Studio, tmp_path: Path, codec: str) -> None:
    cover, song = tmp_path / f"cover.{codec}", tmp_path / ("song.mkv" if codec == "gif" else "song.flac")
    ffmpeg("-f", "lavfi", "-i", "color=s=64x64", "-frames:v", "1", cover)
    if codec == "gif":
        with_cover: tuple[str | Path, ...] = ("-attach", cover, "-metadata:s:t", "mimetype=image/gif")
    else:
        with_cover = ("-i", cover, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic")
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", *with_cover, song)
    small = cover.read_bytes()
    at, sides = (6, struct.pack("<HH", 7000, 7000)) if codec == "gif" else (18, struct.pack("<ii", 7000, 7000))
    huge = small[:at] + sides + small[at + len(sides) :]
    whole = song.read_bytes()
    assert whole.count(small) == 1
    error = studio.failure(written(song, whole.replace(small, huge)), outputFormat="probe")
    assert (error["code"], error["reason"]) == ("too_large", "rejected")
    assert error["message"].startswith(f"{song.name} has a cover of 7000x7000, ")


def test_a_cover_that_does_not_begin_as_a_picture_is_refused(studio: Studio, tmp_path: Path) -> None:
    """One byte before it, and FFmpeg's decoder of JPEG finds the picture all the same."""
    cover, song = tmp_path / "cover.jpg", tmp_path / "song.mkv"
    ffmpeg("-f", "lavfi", "-i", "color=s=7000x7000", "-frames:v", "1", "-pix_fmt", "yuvj420p", cover)
    written(cover, b"\0" + cover.read_bytes())
    ffmpeg("-f", "lavfi", "-i", "sine=d=1", "-attach", cover, "-metadata:s:t", "mimetype=image/jpeg", song)
    error = studio.failure(song, outputFormat="probe")
    assert (error["code"], error["reason"]) == ("cover_unreadable", "rejected")
    assert "song.mkv" in error["message"] and error["hint"]


def test_pixels_that_are_shown_without_bounds_are_refused(studio: Studio, tmp_path: Path) -> None:
    clip = tmp_path / "wide.mkv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=1024x1500:d=0.2:r=10", "-vf", "setsar=100", "-c:v", "ffv1", clip)
    error = studio.failure(clip)
    assert (error["code"], error["reason"]) == ("too_large", "rejected")
    assert error["message"].startswith("wide.mkv has pictures of 102400x1500, ")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def test_a_file_without_streams_is_refused(studio: Studio, tmp_path: Path) -> None:
    head = box(b"ftyp", b"isom\0\0\0\0isom")
    movie = box(b"moov", box(b"mvhd", struct.pack(">IIIIIIH10x36x24xI", 0, 0, 0, 1000, 1000, 0x10000, 0x100, 1)))
    error = studio.failure(written(tmp_path / "nothing.mp4", head + movie + box(b"mdat", b"")))
    assert (error["reason"], error["retryable"]) == ("rejected", False)
    assert "nothing.mp4" in error["message"]


@pytest.mark.parametrize("output", ["mp4", "webm", "gif", "webp", "audio"])
def test_half_a_file_is_never_published(studio: Studio, tmp_path: Path, output: str) -> None:
    whole = tmp_path / "whole.mp4"
    ffmpeg("-i", SAMPLE, "-c", "copy", "-movflags", "+faststart", whole)
    half = written(tmp_path / "half.mp4", whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(half, outputFormat=output, **({} if output == "audio" else {"resolution": TINY}))
    assert (error["code"], error["retryable"]) == ("truncated", False)
    assert "half.mp4" in error["message"]


@pytest.mark.parametrize(
    ("suffix", "asked"),
    [
        ("mkv", {}),
        ("mp4", {"outputFormat": "hls"}),
        ("mp4", {"outputFormat": "audio"}),
        ("mkv", {"outputFormat": "gif"}),
        ("mkv", {"outputFormat": "scenes"}),
    ],
)
def test_what_has_lost_a_hundredth_of_its_end_is_never_published(
    studio: Studio, tmp_path: Path, suffix: str, asked: dict[str, Any]
) -> None:
    whole = tmp_path / f"whole.{suffix}"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=40:r=25", "-f", "lavfi", "-i", "sine=d=40", "-shortest"),
        *("-c:v", "mpeg4", "-b:v", "60k"),
        *(["-movflags", "+faststart"] if suffix == "mp4" else []),
        whole,
    )
    nearly = written(tmp_path / f"nearly.{suffix}", whole.read_bytes()[: whole.stat().st_size * 985 // 1000])
    error = studio.failure(nearly, **asked)
    assert (error["code"], error["retryable"]) == ("truncated", False)
    out, _ = studio.make(nearly, **asked | {"end": 20})  # that much is there
    assert any(out.iterdir())


def spoilt(path: Path, tmp_path: Path, start: float, end: float, *, kind: str = "v") -> Path:
    """Overwrite the pictures, or the sound, of these seconds; the file's index still promises them."""
    command = ["ffprobe", "-v", "error", "-select_streams", kind, "-show_entries", "packet=pts_time,pos,size"]
    data = bytearray(path.read_bytes())
    packets = json.loads(subprocess.run([*command, "-of", "json", path], check=True, capture_output=True).stdout)
    for packet in packets["packets"]:
        at, size = int(packet["pos"]), int(packet["size"])
        if start <= float(packet["pts_time"]) < end:
            data[at : at + size] = b"\xff" * size
    return written(tmp_path / "spoilt.mp4", bytes(data))


def vp9(tmp_path: Path) -> Path:
    whole = tmp_path / "whole.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=4:r=25", "-f", "lavfi", "-i", "sine=d=4", "-shortest"),
        *("-c:v", "libvpx-vp9", "-deadline", "realtime", "-g", "12", whole),
    )
    return whole


@pytest.mark.parametrize("asked", [{}, {"framerate": 10}, {"outputFormat": "hls"}, {"outputFormat": "gif"}])
def test_a_video_of_which_only_the_beginning_can_be_decoded_is_refused(
    studio: Studio, tmp_path: Path, asked: dict[str, Any]
) -> None:
    error = studio.failure(spoilt(vp9(tmp_path), tmp_path, 2.0, 9.0), **asked)
    assert (error["code"], error["reason"]) == ("damaged", "rejected")
    assert error["message"].startswith("spoilt.mp4 is damaged: nothing from 2.")


@pytest.mark.parametrize("asked", [{}, {"outputFormat": "hls"}, {"outputFormat": "webm"}, {"outputFormat": "audio"}])
def test_a_sound_of_which_only_the_beginning_can_be_decoded_is_refused(
    studio: Studio, tmp_path: Path, asked: dict[str, Any]
) -> None:
    whole = tmp_path / "whole.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=6:r=25", "-f", "lavfi", "-i", "sine=d=6"),
        *("-c:v", "mpeg4", "-c:a", "aac", whole),
    )
    damaged = spoilt(whole, tmp_path, 3.0, 9.0, kind="a")
    error = studio.failure(damaged, **asked)
    assert (error["code"], error["reason"]) == ("damaged", "rejected")
    assert error["message"].startswith("spoilt.mp4 is damaged: nothing of its sound from 3.")
    studio.make(damaged, **asked | {"end": 2.5})


def test_sounds_that_are_shorter_than_the_picture_or_begin_late_are_whole(studio: Studio, tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    sounds = ("-itsoffset", "2", "-f", "lavfi", "-i", "sine=d=3", "-f", "lavfi", "-i", "sine=d=1.5")
    pictures = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=6:r=25")
    ffmpeg(*pictures, *sounds, "-map", "0", "-map", "1", "-map", "2", "-c:v", "mpeg4", "-c:a", "aac", film)
    for form in ("mp4", "webm", "hls", "audio"):
        studio.make(film, outputFormat=form, audioTracks=["all"])
        studio.make(film, outputFormat=form, audioTracks=["all"], start=1, end=4)


def test_a_hole_in_a_video_is_told_and_a_large_one_refused(studio: Studio, tmp_path: Path) -> None:
    error = studio.failure(spoilt(vp9(tmp_path), tmp_path, 1.0, 3.0))
    assert (error["code"], error["reason"]) == ("damaged", "rejected")
    whole = tmp_path / "whole.mp4"
    ffmpeg("-stream_loop", "2", "-i", whole, "-c", "copy", tmp_path / "long.mp4")
    _, result = studio.make(spoilt(tmp_path / "long.mp4", tmp_path, 2.0, 2.9))
    (note,) = result["details"]["notes"]
    assert "of 300 pictures of spoilt.mp4 cannot be decoded, and were left out." in note


def test_a_hole_of_a_few_pictures_is_told_too(studio: Studio, tmp_path: Path) -> None:
    whole = vp9(tmp_path)
    _, result = studio.make(whole)
    assert "notes" not in result["details"]
    _, result = studio.make(spoilt(whole, tmp_path, 2.7, 2.86))
    (note,) = result["details"]["notes"]
    assert note.endswith("of 100 pictures of spoilt.mp4 cannot be decoded, and were left out.")


def test_a_recording_that_begins_between_key_frames_is_not_taken_for_damaged(studio: Studio, tmp_path: Path) -> None:
    whole, late = tmp_path / "whole.ts", tmp_path / "late.ts"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=4:r=25", "-g", "50", "-sc_threshold", "0", "-bf", "0", whole)
    ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "noise=drop=lt(n\\,25)", late)
    out, _ = studio.make(late)
    assert 50 <= int(ffprobe(out / "video.mp4")["video"]["nb_frames"]) <= 75


def test_an_output_that_is_too_short_is_not_made_again() -> None:
    for expected in (Expected({"video": 1}, seconds=20), Expected({"video": 2}), Expected({"video": 1}, frames=9)):
        with pytest.raises(HandlerError) as caught:
            verified(BIKES, "bikes.mp4", expected)
        assert (caught.value.code, caught.value.retryable) == ("output_incomplete", False)


def test_an_output_whose_index_promises_more_than_is_there_is_not_published(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    ffmpeg("-i", SAMPLE, "-c", "copy", "-movflags", "+faststart", whole)
    frames = int(ffprobe(whole)["video"]["nb_frames"])
    expected = Expected({"video": 1, "audio": 1}, frames=frames, is_index_first=True)
    verified(whole, whole.name, expected)
    for share in (0.999, 0.8, 0.5):
        data = whole.read_bytes()
        written(cut, data[: int(len(data) * share)])
        with pytest.raises(HandlerError) as caught:
            verified(cut, cut.name, expected)
        assert caught.value.code == "output_incomplete"


@pytest.mark.parametrize("asked", [{}, {"outputFormat": "hls"}])
def test_a_quality_is_looked_for_where_there_are_pictures(
    studio: Studio, tmp_path: Path, asked: dict[str, Any]
) -> None:
    film = tmp_path / "film.mkv"  # its sound goes on for long
    pictures = ("-t", "3", "-i", BIKES, "-f", "lavfi", "-i", "sine=d=60")
    ffmpeg(*pictures, "-vf", "scale=160:68", "-c:v", "mpeg4", "-q:v", "3", "-c:a", "aac", film)
    studio.make(film, targetQuality=70, **asked)


def test_what_hardly_anybody_has_written_is_not_decoded(studio: Studio, tmp_path: Path) -> None:
    """Of each decoder that is let at files of strangers, somebody has to be sure; ASUS V1 is of one maker's cards."""
    rare = tmp_path / "rare.avi"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x64:d=1", "-c:v", "asv1", rare)
    error = studio.failure(rare)
    assert (error["code"], error["reason"]) == ("codec_refused", "rejected")
    assert error["message"] == "rare.avi has a picture in asv1, which is not decoded here."
    command = ["ffmpeg", "-v", "error"]
    command += [word for key, value in {**SAFE_INPUT, **SAFE_DECODER}.items() for word in (f"-{key}", str(value))]
    done = subprocess.run([*command, "-i", rare, "-f", "null", "-"], capture_output=True, text=True)
    assert done.returncode != 0 and "whitelist" in done.stderr  # nor by a program that is given the file


def test_another_suffix_does_no_harm(studio: Studio, tmp_path: Path) -> None:
    misnamed = written(tmp_path / "photo.jpg", BIKES.read_bytes())
    out, _ = studio.make(misnamed, end=0.2, resolution=TINY)
    assert (out / "video.mp4").stat().st_size > 0


def test_text_of_strangers_is_no_filter(studio: Studio, tmp_path: Path) -> None:
    """A title, a language and a name that would be options or filters on a command line that is put together badly."""
    bad = "-i /etc/passwd;[0:v]movie=/etc/passwd:'x\\"
    clip = tmp_path / "-i x;'[0].mkv"
    ffmpeg("-i", SAMPLE, "-t", "1", "-c", "copy", "-metadata", f"title={bad}", "-metadata:s:a:0", f"title={bad}",
           "-metadata:s:a:0", "language=';x", clip)  # fmt: skip
    out, _ = studio.make(clip, resolution=TINY)
    assert (out / "video.mp4").stat().st_size > 0


def test_the_instance_is_well_afterwards(studio: Studio) -> None:
    out, _ = studio.make(BIKES, end=0.2, resolution=TINY)
    assert (out / "video.mp4").stat().st_size > 0
    until(lambda: studio.worker.health()["attempts"] == [], "nothing is left")
    assert not psutil.Process(studio.worker.pid).children(recursive=True)
