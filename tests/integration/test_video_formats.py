"""What a video becomes beside a video: sound, animations, facts; and the input itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from processors.video.handler import check
from tests.resources import sounds
from tests.resources.studio import BIKES, BUNNY, HDR, SAMPLE, TINY, Studio, ffmpeg, ffprobe, loudness, streams, written


@pytest.mark.parametrize(
    ("form", "codec"),
    [("m4a", "aac"), ("mp3", "mp3"), ("opus", "opus"), ("flac", "flac"), ("wav", "pcm_s16le"), ("copy", "aac")],
)
def test_sound_is_taken_out_in_every_form(studio: Studio, form: str, codec: str) -> None:
    out, result = studio.make(SAMPLE, outputFormat="audio", audioFormat=form, start=1, end=2.5)
    (output,) = result["outputs"]
    assert output["path"] == ("audio.m4a" if form == "copy" else f"audio.{form}")
    made = ffprobe(out / output["path"])
    assert (made["audio"]["codec_name"], "video" in made) == (codec, False)
    assert float(made["format"]["duration"]) == pytest.approx(1.5, abs=0.06)


@pytest.mark.parametrize("form", ["m4a", "mp3", "opus", "flac", "wav"])
def test_sound_keeps_its_chapters_and_no_tags_of_the_file_that_it_was_in(
    studio: Studio, tmp_path: Path, form: str
) -> None:
    about = ";FFMETADATA1\ntitle=Walk\n" + "".join(
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={start + 1000}\ntitle=Part {start}\n"
        for start in (0, 1000, 2000)
    )
    film = tmp_path / "film.mov"
    ffmpeg(
        *("-i", SAMPLE, "-i", written(tmp_path / "about.txt", about.encode()), "-t", "3", "-map_metadata", "1"),
        *("-map_chapters", "1", "-c", "copy", "-metadata:s:a:0", "handler_name=A. Maker", film),
    )
    out, result = studio.make(film, outputFormat="audio", audioFormat=form, start=0.5)
    made = sounds.ffprobe(out / f"audio.{form}")
    said = {**made["format"].get("tags", {}), **made["audio"].get("tags", {})}
    tags = {key.lower(): value for key, value in said.items()}
    assert tags["title"] == "Walk"
    of_containers = {"major_brand", "minor_version", "compatible_brands", "vendor_id", "handler_name", "duration"}
    if form != "m4a":  # has its own
        assert not of_containers & tags.keys()
    if form == "wav":
        assert any("chapters were left out: wav" in note for note in result["details"]["notes"])
        return
    found = [(float(each["start_time"]), each["tags"]["title"]) for each in made["chapters"]]
    assert found == [(0.0, "Part 0"), (0.5, "Part 1000"), (1.5, "Part 2000")]
    assert not any("chapters" in note for note in result["details"].get("notes", []))


def test_a_webm_has_no_tags_of_the_file_that_it_was_made_of(studio: Studio, tmp_path: Path) -> None:
    film = tmp_path / "film.mov"
    ffmpeg("-i", SAMPLE, "-t", "1", "-c", "copy", "-metadata", "title=Walk", film)
    out, _ = studio.make(film, outputFormat="webm", resolution=TINY)
    made = ffprobe(out / "video.webm")
    tags = {key.lower() for part in made.values() if isinstance(part, dict) for key in part.get("tags", {})}
    assert "title" in tags and not tags & {"major_brand", "compatible_brands", "vendor_id", "handler_name"}


def test_surround_sound_fits_into_mp3_and_each_track_has_its_file(studio: Studio, tmp_path: Path) -> None:
    both = tmp_path / "both.mkv"
    ffmpeg("-i", BUNNY, "-i", SAMPLE, "-map", "0:a", "-map", "1:a", "-t", "2", "-c", "copy", both)
    out, result = studio.make(both, outputFormat="audio", audioFormat="mp3", audioTracks=["all"], loudness=-20)
    assert [each["path"] for each in result["outputs"]] == ["audio-001.mp3", "audio-002.mp3"]
    for name in ("audio-001.mp3", "audio-002.mp3"):
        assert ffprobe(out / name)["audio"]["channels"] == 2
    assert loudness(out / "audio-002.mp3") == pytest.approx(-20, abs=0.7)


def test_a_video_without_sound_has_none_to_take_out(studio: Studio) -> None:
    error = studio.failure(BIKES, outputFormat="audio")
    assert (error["code"], error["message"]) == ("no_audio_stream", "bikes.mp4 has no sound.")


def test_a_gif_is_small_unless_asked_otherwise(studio: Studio) -> None:
    out, result = studio.make(BIKES, outputFormat="gif", end=1)
    (video,) = streams(out / "video.gif", "video")
    assert (video["width"], video["height"], video["nb_read_frames"]) == (480, 204, "12")
    assert result["outputs"][0]["mediaType"] == "image/gif"
    out, _ = studio.make(BIKES, outputFormat="gif", end=1, resolution=TINY, framerate=5)
    (video,) = streams(out / "video.gif", "video")
    assert (video["width"], video["nb_read_frames"]) == (160, "5")


def test_a_gif_that_would_not_fit_into_memory_is_made_in_two_runs(studio: Studio) -> None:
    out, _ = studio.make(BIKES, outputFormat="gif", resolution="640x640", framerate=25, end=9)
    assert streams(out / "video.gif", "video")[0]["nb_read_frames"] == "225"


def test_an_animated_webp_has_its_frames(studio: Studio) -> None:
    out, result = studio.make(HDR, outputFormat="webp", resolution=TINY, end=1)
    details = result["outputs"][0]["details"]
    assert (details["width"], details["height"], details["frames"]) == (160, 90, 12)
    assert details["durationSeconds"] == pytest.approx(1.0, abs=0.1)
    assert b"ANIM" in (out / "video.webp").read_bytes()[:64]


def test_a_picture_that_stands_still_is_one_frame_of_webp(studio: Studio, tmp_path: Path) -> None:
    still = tmp_path / "still.avi"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48:d=2:r=24", "-c:v", "mjpeg", still)
    out, result = studio.make(still, outputFormat="webp")
    details = result["outputs"][0]["details"]
    assert (details["width"], details["height"], details["frames"]) == (64, 48, 1)
    assert ffprobe(out / "video.webp")["video"]["codec_name"] == "webp"


def test_a_probe_tells_all_streams_and_chapters(studio: Studio, tmp_path: Path) -> None:
    about = written(
        tmp_path / "about.txt", b";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=15\ntitle=\xc3\x84nfang\n"
    )
    clip = tmp_path / "clip.mkv"
    ffmpeg("-i", SAMPLE, "-i", about, "-map_metadata", "1", "-c", "copy", "-t", "2", clip)
    out, result = studio.make(clip, outputFormat="probe")
    found: dict[str, Any] = json.loads((out / "probe.json").read_text())
    assert found == result["details"]["probe"]
    assert [(each["kind"], each["codec"]) for each in found["streams"]] == [("video", "h264"), ("audio", "aac")]
    assert found["chapters"] == [{"start": 0.0, "end": 1.5, "title": "Änfang"}]
    out, _ = studio.make(HDR, outputFormat="probe")
    (video,) = json.loads((out / "probe.json").read_text())["streams"]
    assert (video["isHdr"], video["mastering"]["mostLuminance"]) == (True, 1000.0)


@pytest.mark.parametrize("suffix", ["mpg", "vob", "flv", "ts"])
def test_a_format_whose_streams_show_up_on_the_way_is_read_as_well(studio: Studio, tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"recording.{suffix}"
    ffmpeg("-t", "1", "-i", BIKES, "-f", "lavfi", "-i", "sine=d=1", "-s", "160x90", "-map", "0:v", "-map", "1", source)
    _, result = studio.make(source, outputFormat="probe")
    kinds = {each["kind"] for each in result["details"]["probe"]["streams"]}
    assert {"video", "audio"} <= kinds


def test_a_chapter_with_a_title_as_long_as_a_book_is_told_as_it_is(studio: Studio, tmp_path: Path) -> None:
    title = "chapter " * 4000
    text = f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=15\ntitle={title}\n"
    clip = tmp_path / "clip.mkv"
    about = written(tmp_path / "about.txt", text.encode())
    ffmpeg("-i", SAMPLE, "-i", about, "-map_metadata", "1", "-c", "copy", "-t", "2", clip)
    out, result = studio.make(clip, outputFormat="probe")
    assert [each["title"] for each in result["details"]["probe"]["chapters"]] == [title]
    assert [each.name for each in out.iterdir()] == ["probe.json"]


def test_an_instance_without_ffprobe_says_so_before_its_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ffmpeg").symlink_to("/bin/true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="ffprobe cannot be found"):
        check()


def test_an_input_that_is_smaller_than_its_result_is_kept_if_asked(studio: Studio) -> None:
    out, result = studio.make(HDR, dropLarger=True, bitrate="5M", hdr="keep", codec="hevc")
    (output,) = result["outputs"]
    assert (out / output["path"]).read_bytes() == HDR.read_bytes()
    assert output["details"]["isInput"]
    assert result["details"]["notes"][0].startswith("The result would have ")
    _, result = studio.make(BIKES, dropLarger=True, bitrate="30k")
    assert "isInput" not in result["outputs"][0]["details"]
    _, result = studio.make(HDR, dropLarger=True, bitrate="5M")  # HDR is not what was asked for
    assert "isInput" not in result["outputs"][0]["details"]


def test_the_result_tells_what_there_was_and_what_there_is(studio: Studio) -> None:
    _, result = studio.make(SAMPLE, end=1, resolution=TINY)
    before, after = result["details"]["input"], result["outputs"][0]["details"]
    assert (
        [each["kind"] for each in before["streams"]]
        == [each["kind"] for each in after["streams"]]
        == ["video", "audio"]
    )
    assert (before["size"], after["frames"]) == (SAMPLE.stat().st_size, 24)
    assert after["encodeSeconds"] > 0


@pytest.mark.parametrize("output", ["mp4", "gif", "audio", "hls"])
def test_a_result_says_how_long_its_stages_took_and_what_is_in_its_files(studio: Studio, output: str) -> None:
    _, result = studio.make(SAMPLE, outputFormat=output, end=1, **({} if output == "audio" else {"resolution": TINY}))
    details = result["details"]
    main = {"mp4": "transcode", "gif": "transcode", "audio": "extract", "hls": "encode"}[output]
    assert details["stageSeconds"][main] > 0
    assert details["speed"] > 0
    if output != "hls":
        kinds = {each["kind"] for each in result["outputs"][0]["details"]["streams"]}
        assert kinds == {"mp4": {"video", "audio"}, "gif": {"video"}, "audio": {"audio"}}[output]
