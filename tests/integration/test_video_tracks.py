"""Sounds, subtitles, chapters and metadata: what is kept, what is chosen, what is made of them."""

from __future__ import annotations

import json
import subprocess
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from processors.video.cues import cues
from tests.quality import checks
from tests.resources.studio import (
    BIKES,
    SAMPLE,
    TINY,
    Studio,
    brightest_at,
    ffmpeg,
    ffprobe,
    likeness,
    loudness,
    pgs,
    streams,
    written,
)  # fmt: skip

CHAPTERS = """;FFMETADATA1
title=A walk
[CHAPTER]
TIMEBASE=1/1000
START=0
END=2000
title=Out
[CHAPTER]
TIMEBASE=1/1000
START=2000
END=4000
title=Back
"""
SRT = "1\n00:00:00,000 --> 00:00:01,500\nGrüße: {\\b1}it's [0:v],x=1\n\n2\n00:00:02,000 --> 00:00:03,500\nZurück\n"
BOTTOM = (0, 60, 160, 30)  # of a picture of 160x90: where text stands


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """4 s in the dark, with three sounds, two subtitles of text and one of pictures, chapters and a title."""
    home = tmp_path_factory.mktemp("film")
    text, about = written(home / "a.srt", SRT.encode()), written(home / "about.txt", CHAPTERS.encode())
    pictures = pgs(home / "a.sup", width=160, height=90, box=(40, 70, 80, 12), shown=(0.0, 2.0))
    film = home / "film.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "color=black:s=160x90:r=25:d=4", "-f", "lavfi", "-i", "sine=440:d=4",
        "-f", "lavfi", "-i", "sine=880:d=4", "-i", SAMPLE, "-i", text, "-i", text, "-i", pictures, "-i", about,
        "-map", "0:v", "-map", "1:a", "-map", "2:a", "-map", "3:a", "-map", "4", "-map", "5", "-map", "6",
        "-map_metadata", "7", "-t", "4", "-c:a", "aac", "-c:s:0", "subrip", "-c:s:1", "ass", "-c:s:2", "copy",
        "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=fra", "-metadata:s:a:1", "title=Doublage",
        "-metadata:s:s:0", "language=deu", "-disposition:a:0", "0", "-disposition:a:1", "default",
        "-disposition:a:2", "0", film,
    )  # fmt: skip
    return film


def decoded(path: Path, *options: str) -> npt.NDArray[np.float64]:
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:a:0", *options, "-f", "s16le", "-"]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return np.frombuffer(raw, dtype="<i2").astype(np.float64)


def languages(path: Path, kind: str) -> list[str | None]:
    return [each.get("tags", {}).get("language") for each in streams(path, kind)]


def test_the_default_sound_is_taken_and_the_others_are_when_asked(studio: Studio, film: Path) -> None:
    out, _ = studio.make(film)
    assert languages(out / "video.mp4", "audio") == ["fra"]
    out, _ = studio.make(film, audioTracks=["all"])
    found = streams(out / "video.mp4", "audio")
    assert languages(out / "video.mp4", "audio") == ["eng", "fra", "und"]
    assert [each["disposition"]["default"] for each in found] == [0, 1, 0]
    assert found[1]["tags"]["handler_name"] == "Doublage"
    out, _ = studio.make(film, audioTracks=["3", "en"], outputFormat="webm")
    assert languages(out / "video.webm", "audio") == [None, "eng"]
    out, _ = studio.make(film, audioTracks=["fr"], outputFormat="webm", start=1)  # handlers are of MP4 alone
    tags = [each["tags"] for each in (*streams(out / "video.webm", "audio"), *streams(out / "video.webm", "subtitle"))]
    assert tags[0]["title"] == "Doublage"
    assert not any("handler_name" in key.lower() for each in tags for key in each)
    out, _ = studio.make(film, audioTracks=["none"])
    assert streams(out / "video.mp4", "audio") == []


@pytest.mark.parametrize("form", ["mp4", "webm"])
def test_the_first_sound_that_is_named_is_the_default_one(studio: Studio, film: Path, form: str) -> None:
    out, _ = studio.make(film, audioTracks=["eng", "fra"], outputFormat=form, end=2)
    assert languages(out / f"video.{form}", "audio") == ["eng", "fra"]
    assert [each["disposition"]["default"] for each in streams(out / f"video.{form}", "audio")] == [1, 0]


@pytest.mark.parametrize("form", ["mp4", "webm"])
@pytest.mark.parametrize("shown", [[0, 0], [0, 1]])
@pytest.mark.parametrize("part", [{}, {"start": 1}])
def test_only_those_subtitles_show_by_themselves_that_the_file_says(
    studio: Studio, film: Path, tmp_path: Path, form: str, shown: list[int], part: dict[str, Any]
) -> None:
    said = tmp_path / "said.mkv"
    flags = [
        word for number, is_on in enumerate(shown) for word in (f"-disposition:s:{number}", "default" * is_on or "0")
    ]
    ffmpeg("-i", film, "-map", "0:v", "-map", "0:s:0", "-map", "0:s:1", "-c", "copy", *flags, said)
    assert [each["disposition"]["default"] for each in streams(said, "subtitle")] == shown
    out, _ = studio.make(said, outputFormat=form, **part)
    assert [each["disposition"]["default"] for each in streams(out / f"video.{form}", "subtitle")] == shown


def test_text_that_runs_from_right_to_left_is_burnt_in_from_there(studio: Studio, tmp_path: Path) -> None:
    """What ends a sentence stands on its left, as it does where marks say so."""
    pictures = []
    for name, text in (("plain", "שלום!"), ("marked", "\u200fשלום!\u200f"), ("wrong", "\u200eשלום!\u200e")):
        given = written(tmp_path / f"{name}.srt", f"1\n00:00:00,000 --> 00:00:02,000\n{text}\n".encode())
        out, _ = studio.make(BIKES, subtitleUrl=given, subtitles="burn", end=1)
        pictures.append(tmp_path / f"{name}.png")
        ffmpeg("-i", out / "video.mp4", "-vf", "crop=240:60:200:205", "-frames:v", "1", pictures[-1])
    assert likeness(pictures[0], pictures[1]) > 0.99 > likeness(pictures[0], pictures[2])


def test_a_language_that_is_not_there_is_answered_with_those_that_are(studio: Studio, film: Path) -> None:
    error = studio.failure(film, audioTracks=["es"])
    assert (error["code"], error["message"]) == ("no_such_track", "film.mkv has no sound track es.")
    assert error["hint"] == "It has 1 (eng), 2 (fra), 3 (no language)."


def test_sound_comes_out_as_loud_as_asked(studio: Studio, film: Path) -> None:
    out, result = studio.make(film, audioTracks=["3"], loudness=-18, audioBitrate="96k")
    assert loudness(out / "video.mp4") == pytest.approx(-18, abs=0.6)
    assert "notes" not in result["details"] or "left out" in result["details"]["notes"][0]


def loud_film(path: Path) -> Path:
    """3 s of clicks and tones in 5.1, whose level changes when it is mixed down, with peaks far above the rest."""
    channel = "0.2*sin(2*PI*{0}*t)*lt(mod(t,1),0.7)+0.5*lt(mod(t,0.5),0.004)*sin(2*PI*900*t)"
    channels = "|".join(channel.format(200 + 50 * number) for number in range(6))
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=3", "-f", "lavfi",
        "-i", f"aevalsrc='{channels}':c=5.1:s=48000:d=3", "-c:a", "flac", "-c:v", "mpeg4", path,
    )  # fmt: skip
    return path


@pytest.mark.parametrize(
    ("goal", "spec", "made"),
    [
        (-12, {}, "video.mp4"),
        (-14, {"outputFormat": "webm"}, "video.webm"),
        (-12, {"outputFormat": "audio", "audioFormat": "mp3"}, "audio.mp3"),
        (-23, {"outputFormat": "audio", "audioFormat": "flac"}, "audio.flac"),
    ],
)
def test_what_is_delivered_has_the_loudness_also_where_peaks_are_limited_and_channels_mixed(
    studio: Studio, tmp_path: Path, goal: float, spec: dict[str, Any], made: str
) -> None:
    out, result = studio.make(loud_film(tmp_path / "loud.mkv"), loudness=goal, **spec)
    assert loudness(out / made) == pytest.approx(goal, abs=0.5), result["details"]


def test_true_peaks_of_surround_at_full_scale_are_as_promised_or_told(studio: Studio, tmp_path: Path) -> None:
    """FFmpeg's encoder of AAC adds 4 dB to the first of six tones at full scale."""
    tones = "|".join(f"0.99*sin(2*PI*{440 if number else 330}*t)" for number in range(6))
    film = tmp_path / "full.mkv"
    ffmpeg(
        "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=3", "-f", "lavfi",
        "-i", f"aevalsrc='{tones}':c=5.1:s=48000:d=3", "-c:a", "pcm_f32le", "-c:v", "mpeg4", film,
    )  # fmt: skip
    out, result = studio.make(film, loudness=-5)
    peak = checks.loudness(out / "video.mp4").true_peak
    told = [each for each in result["details"].get("notes", []) if "true peak is" in each]
    assert (peak > -1 + 0.2) == bool(told), (peak, result["details"])


def test_a_limiter_does_not_move_the_sound(studio: Studio, tmp_path: Path) -> None:
    film = loud_film(tmp_path / "loud.mkv")
    out, _ = studio.make(film, loudness=-6, outputFormat="audio", audioFormat="wav")  # is limited
    before, after = (decoded(path, "-ac", "1", "-ar", "48000") for path in (film, out / "audio.wav"))
    assert len(after) == len(before)
    product = np.fft.irfft(np.fft.rfft(after, 2 * len(after)) * np.conj(np.fft.rfft(before, 2 * len(before))))
    assert abs(int(product.argmax())) <= 2


def test_a_rate_that_is_too_high_for_one_channel_is_the_highest(studio: Studio, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64:duration=1", "-f", "lavfi", "-i", "sine=duration=1",
           "-shortest", tmp_path / "mono.mp4")  # fmt: skip
    out, _ = studio.make(tmp_path / "mono.mp4", outputFormat="webm", audioBitrate="512k")
    assert ffprobe(out / "video.webm")["audio"]["channels"] == 1


def test_silence_stays_silent_with_a_word(studio: Studio, tmp_path: Path) -> None:
    silent = tmp_path / "silent.mp4"
    ffmpeg(
        "-i", BIKES, "-f", "lavfi", "-i", "anullsrc", "-t", "1", "-map", "0:v", "-map", "1:a", "-c:v", "copy", silent
    )
    _, result = studio.make(silent, loudness=-16, resolution=TINY)
    assert "silent" in result["details"]["notes"][0]


def chapters(path: Path) -> list[tuple[float, float, str]]:
    command = ["ffprobe", "-v", "error", "-show_chapters", "-of", "json", path]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["chapters"]
    return [(float(each["start_time"]), float(each["end_time"]), each["tags"]["title"]) for each in found]


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_chapters_and_tags_are_kept_and_cut_with_the_picture(studio: Studio, film: Path, container: str) -> None:
    out, _ = studio.make(film, outputFormat=container)
    assert chapters(out / f"video.{container}") == [(0.0, 2.0, "Out"), (2.0, 4.0, "Back")]
    tags = {key.lower(): value for key, value in ffprobe(out / f"video.{container}")["format"]["tags"].items()}
    assert tags["title"] == "A walk"
    out, _ = studio.make(film, outputFormat=container, start=1, end=3)
    assert chapters(out / f"video.{container}") == [(0.0, 1.0, "Out"), (1.0, 2.0, "Back")]


@pytest.mark.parametrize(("container", "codec"), [("mp4", "mov_text"), ("webm", "webvtt")])
def test_text_is_kept_and_pictures_are_left_out_with_a_word(
    studio: Studio, film: Path, container: str, codec: str
) -> None:
    out, result = studio.make(film, outputFormat=container)
    found = streams(out / f"video.{container}", "subtitle")
    assert [each["codec_name"] for each in found] == [codec, codec]
    assert found[0]["tags"]["language"] in ("deu", "ger")
    assert result["details"]["notes"] == [
        "Subtitle track 3 (no language) was left out: it is pictures, and only text can be kept."
    ]
    out, _ = studio.make(film, outputFormat=container, subtitles="none")
    assert streams(out / f"video.{container}", "subtitle") == []


@pytest.mark.parametrize("track", [1, 2, 3])
def test_text_and_pictures_are_burnt_in_at_their_time(studio: Studio, film: Path, track: int) -> None:
    out, _ = studio.make(film, subtitles="burn", subtitleTrack=track, start=1)
    made = out / "video.mp4"
    assert streams(made, "subtitle") == []
    assert brightest_at(made, 0.2, BOTTOM) > 128 > brightest_at(made, 2.8, BOTTOM)


def shown(document: str) -> list[tuple[float, float, str]]:
    return [(round(cue.start, 1), round(cue.end, 1), cue.text) for cue in cues(document)]


def test_subtitles_become_webvtt_files(studio: Studio, film: Path) -> None:
    out, result = studio.make(film, subtitles="extract", start=1, resolution=TINY)
    assert [each["path"] for each in result["outputs"]] == ["video.mp4", "subtitles-001.vtt", "subtitles-002.vtt"]
    assert result["outputs"][1]["details"]["language"] in ("deu", "ger")
    text = (out / "subtitles-001.vtt").read_text()
    assert shown(text) == [(0.0, 0.5, "Grüße: it's [0:v],x=1"), (1.0, 2.5, "Zurück")]
    assert streams(out / "video.mp4", "subtitle") == []


def test_a_gif_makes_nothing_of_texts_and_sounds_that_it_cannot_hold(studio: Studio, film: Path) -> None:
    out, result = studio.make(film, outputFormat="gif", start=1, end=2, resolution=TINY)
    assert [each.name for each in out.iterdir()] == ["video.gif"]
    assert "notes" not in result["details"]


def test_texts_of_a_cut_do_not_move_the_picture(studio: Studio, film: Path, tmp_path: Path) -> None:
    """The first text begins before the cut."""
    for container in ("mp4", "webm"):
        out, _ = studio.make(film, outputFormat=container, start=1, end=3)
        made = ffprobe(out / f"video.{container}")["format"]
        assert float(made["duration"]) == pytest.approx(2.0, abs=0.05)
        ffmpeg("-i", out / f"video.{container}", "-map", "0:s:0", tmp_path / "back.vtt")
        assert shown((tmp_path / "back.vtt").read_text())[-1] == (1.0, 2.0, "Zurück")
        assert streams(out / f"video.{container}", "subtitle")[0]["tags"]["language"] in ("deu", "ger")
    _, result = studio.make(film, start=3.6)
    assert "2 subtitle tracks have no text in this part." in result["details"]["notes"]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_file_of_subtitles_is_muxed_in_or_burnt_whatever_its_encoding(
    studio: Studio, film: Path, tmp_path: Path, encoding: str
) -> None:
    given = written(tmp_path / "it's; a, name[0]:.srt", SRT.encode(encoding))
    out, result = studio.make(BIKES, subtitleUrl=given, end=2, resolution=TINY)
    (found,) = streams(out / "video.mp4", "subtitle")
    assert found["codec_name"] == "mov_text"
    notes = [note for note in result["details"].get("notes", []) if given.name in note]
    assert [note.partition(":")[0] for note in notes] == (["it's; a, name[0]"] if encoding == "cp1252" else [])
    assert all("was read as CP1252" in note for note in notes)
    ffmpeg("-i", out / "video.mp4", "-map", "0:s", tmp_path / "back.srt")
    assert "Grüße" in (tmp_path / "back.srt").read_text()
    if encoding == "cp1252":
        out, _ = studio.make(film, subtitleUrl=given, subtitles="burn", end=3)
        assert brightest_at(out / "video.mp4", 0.5, BOTTOM) > 128 > brightest_at(out / "video.mp4", 1.8, BOTTOM)


def test_a_file_of_subtitles_whose_only_accent_ends_it_keeps_its_last_line(studio: Studio, tmp_path: Path) -> None:
    text = "1\n00:00:00,000 --> 00:00:00,500\nBonjour\n\n2\n00:00:00,500 --> 00:00:01,000\nUn caf\u00e9\n"
    given = written(tmp_path / "french.srt", text.encode("cp1252"))
    out, _ = studio.make(BIKES, subtitleUrl=given, end=1, resolution=TINY)
    ffmpeg("-i", out / "video.mp4", "-map", "0:s", tmp_path / "back.srt")
    assert "Un caf\u00e9" in (tmp_path / "back.srt").read_text()


def test_what_is_no_file_of_subtitles_is_refused_by_name(studio: Studio, tmp_path: Path) -> None:
    playlist = written(tmp_path / "list.srt", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    inside = tmp_path / "inside.mkv"
    ffmpeg("-i", written(tmp_path / "text.srt", SRT.encode()), "-c:s", "subrip", inside)
    for given in (BIKES, playlist, inside):
        error = studio.failure(BIKES, subtitleUrl=given)
        assert (error["code"], error["reason"]) == ("not_subtitles", "rejected")
        assert given.name in error["message"]


@pytest.mark.parametrize(
    ("output", "layout"),
    [("mp4", "3.0"), ("hls", "3.0"), ("hls", "5.1"), ("hls", "6.1"), ("audio", "5.1"), ("audio", "6.1")],
)
def test_surround_is_mixed_down_without_clipping(studio: Studio, tmp_path: Path, output: str, layout: str) -> None:
    """All channels at full scale, and in phase: their bare sum would be more than twice as loud as anything may be."""
    count = {"3.0": 3, "5.1": 6, "6.1": 7}[layout]
    loud = "|".join(["0.99*sin(2*PI*440*t)"] * count)
    clip = tmp_path / "loud.mkv"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1:r=10")
    sound = ("-f", "lavfi", "-i", f"aevalsrc=exprs={loud}:c={layout}:s=48000:d=1")
    ffmpeg(*picture, *sound, "-c:a", "pcm_f32le", clip)
    asked = {"audioFormat": "mp3"} if output == "audio" else {}
    out, _ = studio.make(clip, outputFormat=output, **asked)
    made = {"mp4": out / "video.mp4", "hls": out / "master.m3u8"}.get(output) or next(out.glob("*.mp3"))
    command = ["ffmpeg", "-v", "error", "-i", made, "-map", "0:a:0", "-f", "f32le", "-"]
    samples = array("f", subprocess.run(command, check=True, capture_output=True).stdout)
    assert 0.5 < max(map(abs, samples)) < 1.1  # an encoder adds a little
