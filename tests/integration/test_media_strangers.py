"""Inputs that are damaged, hostile or enormous, and attempts that are cut short: one clear error, nothing left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.resources.programs import working
from tests.resources.sounds import ADTS, BIKES, MP3, MUSIC, Studio, decoded, ffmpeg, tone
from tests.resources.waiting import until
from tests.resources.workers import Worker, is_told_all_along


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("media"), service="media") as worker:
        yield Studio(worker)


def test_a_video_without_sound_is_refused(studio: Studio) -> None:
    error = studio.failure(BIKES)
    assert error["code"] == "no_audio_stream"
    assert error["message"] == "bikes.mp4 has a picture, but no sound."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("letter.mp3", b"Dear all, this is no sound.\n" * 50),
        ("empty.wav", b""),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("concat.txt", b"ffconcat version 1.0\nfile /etc/passwd\n"),
        ("noise.flac", bytes(range(256)) * 40),
        ("list.mp3", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        ("page.ogg", b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><svg>&x;</svg>"),
    ],
)
def test_what_is_no_sound_is_refused(studio: Studio, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    error = studio.failure(tmp_path / name, outputPresets=["mp3"])
    assert name in error["message"] and "passwd" not in error["message"]
    assert error["hint"]


def test_another_suffix_does_no_harm(studio: Studio, tmp_path: Path) -> None:
    misnamed = tmp_path / "sound.wav"
    misnamed.write_bytes(MP3.read_bytes())
    out, _ = studio.make(misnamed, outputPresets=["flac"], end=1)
    assert len(decoded(out / "flac.flac", "-ac", "1", "-ar", "16000")) == pytest.approx(32000, abs=4)


@pytest.mark.parametrize("suffix", ["m4a", "wav", "flac", "mp3"])
def test_a_file_that_was_cut_off_is_refused(studio: Studio, tmp_path: Path, suffix: str) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    ffmpeg("-i", MUSIC, *(["-movflags", "+faststart"] if suffix == "m4a" else []), whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(cut, outputPresets=["podcast"])
    assert error["code"] == "truncated" and cut.name in error["message"]


@pytest.mark.parametrize("suffix", ["m4a", "mka", "flac"])
def test_a_file_that_has_lost_a_hundredth_of_its_end_is_refused(studio: Studio, tmp_path: Path, suffix: str) -> None:
    whole, nearly = tmp_path / f"whole.{suffix}", tmp_path / f"nearly.{suffix}"
    ffmpeg(
        *("-stream_loop", "3", "-i", MUSIC, "-c:a", "flac" if suffix == "flac" else "aac"),
        *(["-movflags", "+faststart"] if suffix == "m4a" else []),
        whole,
    )
    nearly.write_bytes(whole.read_bytes()[: whole.stat().st_size * 99 // 100])
    for preset in ("mp3", "podcast"):
        assert studio.failure(nearly, outputPresets=[preset])["code"] == "truncated"
        studio.make(whole, outputPresets=[preset])


@pytest.mark.parametrize(("suffix", "late"), [("mkv", 4), ("mkv", 90), ("mp4", 4)])
def test_a_sound_that_begins_late_is_whole(studio: Studio, tmp_path: Path, suffix: str, late: int) -> None:
    film = tmp_path / f"film.{suffix}"
    pictures = ("-f", "lavfi", "-i", f"testsrc2=s=320x240:r=25:d={late + 20}")
    ffmpeg(*pictures, "-itsoffset", f"{late}", "-i", MUSIC, "-c:v", "mpeg4", "-b:v", "800k", "-c:a", "aac", film)
    out, result = studio.make(film, outputPresets=["flac"])
    assert len(decoded(out / "flac.flac", "-ac", "1", "-ar", "16000")) / 32000 == pytest.approx(10, abs=0.1)
    assert result["outputs"][0]["details"]["durationSeconds"] == pytest.approx(10, abs=0.1)


@pytest.mark.parametrize("is_loud_first", [True, False])
def test_an_mp3_that_does_not_say_its_length_is_as_long_as_it_is(
    studio: Studio, tmp_path: Path, is_loud_first: bool
) -> None:
    bare, parts = tmp_path / "bare.mp3", ("anoisesrc=d=4", "anullsrc=d=20:r=48000:cl=mono,atrim=end=20")
    first, second = parts if is_loud_first else reversed(parts)
    graph = ("-filter_complex", f"{first}[a];{second}[b];[a][b]concat=n=2:v=0:a=1")
    ffmpeg(*graph, "-c:a", "libmp3lame", "-q:a", "2", "-write_xing", "0", "-id3v2_version", "0", bare)
    out, result = studio.make(bare, outputPresets=["flac"])
    assert len(decoded(out / "flac.flac", "-ac", "1", "-ar", "16000")) / 32000 == pytest.approx(24, abs=0.1)
    assert result["details"]["input"]["durationSeconds"] == pytest.approx(24, abs=0.1)
    studio.make(bare, outputPresets=["podcast"], start=22)


@pytest.mark.parametrize("suffix", ["m4a", "flac"])
def test_a_file_that_was_cut_off_is_refused_also_when_it_is_cleaned(
    studio: Studio, tmp_path: Path, suffix: str
) -> None:
    whole, cut = tmp_path / f"whole.{suffix}", tmp_path / f"cut.{suffix}"
    ffmpeg("-i", MUSIC, *(["-movflags", "+faststart"] if suffix == "m4a" else []), whole)
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    error = studio.failure(cut, outputPresets=["flac"], denoise={"method": "fft"})
    assert error["code"] == "truncated" and cut.name in error["message"]


@pytest.mark.parametrize("sound", [MP3, ADTS, MUSIC], ids=lambda path: path.suffix)
def test_what_is_left_of_a_file_without_an_index_is_used(studio: Studio, tmp_path: Path, sound: Path) -> None:
    if sound == MP3:  # as a recorder of streams leaves it: nothing in it says how long it is
        ffmpeg("-i", MP3, "-c", "copy", "-write_xing", "0", sound := tmp_path / "bare.mp3")
    cut = tmp_path / f"cut{sound.suffix}"
    cut.write_bytes(sound.read_bytes()[: sound.stat().st_size // 2])
    out, _ = studio.make(cut, outputPresets=["flac"])
    assert 2 < len(decoded(out / "flac.flac", "-ac", "1", "-ar", "16000")) / 32000 < 8


def test_requests_that_cannot_be_met_name_the_way_out(studio: Studio) -> None:
    for spec, code, hint in (
        ({"outputPresets": ["podcats"]}, "unknown_preset", "podcast"),
        ({"audioTrack": 2}, "no_such_track", "1 to 1"),
        ({"start": 100}, "start_after_end", "before 9.9"),
        ({"audioSettings": {"codec": "opus"}}, "codec_misfit", "mp3"),
        ({"loudness": {"album": True}}, "no_target", "podcast"),
        ({"segmentSeconds": 4}, "no_effect", "hls-audio"),
    ):
        error = studio.failure(MUSIC, **spec)
        assert error["code"] == code and hint in error["hint"], error


def test_ten_hours_of_silence_take_no_time_and_no_memory(studio: Studio, tmp_path: Path) -> None:
    # As few samples and packets as ten hours can have: what must not grow with them is the same, and costs a tenth.
    long = tmp_path / "long.flac"
    silent = ("-f", "lavfi", "-i", "anullsrc=r=1000:cl=mono:n=32768", "-t", "36000")
    ffmpeg(*silent, "-c:a", "flac", "-frame_size", "32768", long)
    last = studio.worker.ending(studio.begin(long, outputPresets=["flac"], generateThumbnails=True, trimSilence=True))
    assert last["type"] == "result", last
    assert last["metrics"]["peakRssBytes"] < 300 * 1024 * 1024
    assert last["metrics"]["cpuSeconds"] < 30
    output = last["result"]["outputs"][0]
    assert output["details"]["durationSeconds"] == pytest.approx(36000, abs=0.1)
    assert "silent" in output["details"]["note"]
    sizes = {each["path"]: each["size"] for each in last["result"]["outputs"]}
    assert sizes["waveform.json"] < 200_000


def test_progress_only_goes_forward_and_ends_with_the_work(studio: Studio, tmp_path: Path) -> None:
    long = tmp_path / "long.wav"
    ffmpeg("-stream_loop", "4", "-i", MUSIC, long)
    events = studio.worker.events(studio.begin(long, outputPresets=["podcast", "flac"], loudness={"target": -12}))
    told = [(event["fraction"], event["at"]) for event in events if event["type"] == "progress"]
    fractions = [fraction for fraction, _ in told]
    assert all(before <= after for before, after in pairwise(fractions))
    assert (fractions[0], fractions[-1]) == (0, 1)
    assert is_told_all_along(events)
    began, ended = events[0]["at"], events[-1]["at"]
    nearly = next(at for fraction, at in told if fraction > 0.97)
    assert ended - nearly < 0.35 * (ended - began)
    stages = list(dict.fromkeys(event["stage"] for event in events if event["type"] == "progress"))
    in_order = ["probe", "analyse", "encode", "loudness", "done"]  # what is over in a moment is not told
    assert [stage for stage in stages if stage != "verify"] == [stage for stage in in_order if stage in stages]
    assert {"probe", "encode", "done"} <= set(stages)


def test_what_comes_after_the_encoding_has_its_share_of_the_progress(studio: Studio, tmp_path: Path) -> None:
    token = studio.begin(
        MUSIC, outputPresets=["hls-audio", "mp3"], spectrogram=True, generateThumbnails=True, end=6,
        chapters=[{"start": 0, "title": "One"}],
    )  # fmt: skip
    events = studio.worker.events(token)
    assert events[-1]["type"] == "result", events[-1]
    paths = [output["path"] for output in events[-1]["result"]["outputs"]]
    assert paths[:2] == ["mp3.mp3", "master.m3u8"] and paths[-1] == "spectrogram.png"  # the first is the main one
    told = [event for event in events if event["type"] == "progress"]
    # Which of the later stages are told depends on how long they last; the encoding leaves them room in any case.
    assert all(event["fraction"] < 0.95 for event in told if event["stage"] in ("analyse", "encode"))
    assert (told[-1]["stage"], told[-1]["fraction"]) == ("done", 1)


CANCELLED: list[Any] = [
    pytest.param({"outputPresets": ["podcast"]}, id="encode"),
    pytest.param({"denoise": {"method": "fft"}}, id="fft"),
    pytest.param({"denoise": {}}, id="rnnoise"),
]


@pytest.fixture(scope="module")
def long_noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter of an hour of noise: what is made of it lasts."""
    path = tmp_path_factory.mktemp("noise") / "long.flac"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=r=44100:d=60:a=0.1", "-ac", "2", minute := path.with_name("minute.flac"))
    ffmpeg("-stream_loop", "14", "-i", minute, "-c", "copy", path)
    return path


@pytest.mark.parametrize("spec", CANCELLED)
def test_a_cancelled_attempt_is_gone_long_before_its_grace_is_over(
    studio: Studio, long_noise: Path, spec: dict[str, Any]
) -> None:
    token = studio.begin(long_noise, **spec)
    worker = psutil.Process(studio.worker.pid)
    until(lambda: working(worker.pid, "ffmpeg"), "ffmpeg works")
    began = time.monotonic()
    studio.worker.http.delete(f"/attempts/{token}?grace=60")
    last = studio.worker.ending(token)
    assert time.monotonic() - began < 30
    assert last["error"]["reason"] == "cancelled"
    until(lambda: not worker.children(recursive=True), "all of it is gone")


def test_no_name_of_an_album_is_an_option_or_leaves_the_outputs(studio: Studio, tmp_path: Path) -> None:
    names = ["file:../in/a.flac", "b/a.flac", "-x.flac", "Live:Set.flac", "50%d.flac"]
    files = {name: tone(tmp_path / f"{number}.flac", 0.5) for number, name in enumerate(names)}
    token = studio.begin(
        tone(tmp_path / "main.flac", 0.5),
        files={f"album/{name}": path for name, path in files.items()},
        album=dict.fromkeys(names, "x"),
        outputPresets=["mp3"],
        spectrogram=True,
    )
    last = studio.worker.ending(token)
    assert last["type"] == "result", last
    prefixes = ["main-", "file:../in/a.flac-", "b/a.flac-", "-x-", "Live:Set-", "50%d-"]
    wanted = {f"{prefix}{name}" for prefix in prefixes for name in ("mp3.mp3", "spectrogram.png")}
    out = studio.worker.spool / token / "out"
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == wanted
    assert {output["path"] for output in last["result"]["outputs"]} == wanted


def test_the_instance_is_well_afterwards(studio: Studio) -> None:
    out, _ = studio.make(MUSIC, outputPresets=["mp3"], end=0.5)
    assert (out / "mp3.mp3").stat().st_size > 0
    until(lambda: studio.worker.health()["attempts"] == [], "nothing is left")
    assert not psutil.Process(studio.worker.pid).children(recursive=True)
