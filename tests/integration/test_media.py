"""Real sound through a real worker and a real ffmpeg; what comes out is looked at with ffprobe and measured anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.resources.sounds import (
    ADTS,
    CLIP,
    MP3,
    MUSIC,
    SPEECH,
    Studio,
    decoded,
    ffmpeg,
    ffprobe,
    loudness,
    tone,
)
from tests.resources.workers import Worker


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("media"), service="media") as worker:
        yield Studio(worker)


# --- presets


def test_one_job_gives_every_format(studio: Studio) -> None:
    names = ["mp3", "aac", "ogg", "opus", "flac", "wav"]
    out, result = studio.make(MUSIC, outputPresets=names, audioSettings={"channels": "keep"})
    made = {output["details"]["preset"]: ffprobe(out / output["path"]) for output in result["outputs"]}
    assert {name: made[name]["audio"]["codec_name"] for name in names} == {
        "mp3": "mp3", "aac": "aac", "ogg": "vorbis", "opus": "opus", "flac": "flac", "wav": "pcm_s16le",
    }  # fmt: skip
    for name in names:
        assert made[name]["audio"]["channels"] == 2
        assert made[name]["audio"]["sample_rate"] == ("48000" if name == "opus" else "44100")
        assert len(decoded(out / f"{name}.{'m4a' if name == 'aac' else name}", "-ar", "44100")) / 4 / 44100 == (
            pytest.approx(9.993, abs=0.03)
        )
    assert result["details"]["input"]["audioCodec"] == "vorbis"
    assert result["details"]["input"]["durationSeconds"] == pytest.approx(9.993, abs=0.001)


def test_lossless_formats_hold_the_very_samples(studio: Studio, tmp_path: Path) -> None:
    deep = tmp_path / "deep.wav"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=r=96000:d=1:a=0.3:seed=3", "-c:a", "pcm_s24le", deep)
    out, _ = studio.make(deep, outputPresets=["flac", "wav"])
    for name in ("flac.flac", "wav.wav"):
        made = ffprobe(out / name)["audio"]
        assert (made["sample_rate"], made["bits_per_raw_sample"]) == ("96000", "24")
        assert decoded(out / name, "-c:a", "pcm_s24le") == decoded(deep, "-c:a", "pcm_s24le")


def test_a_preset_may_say_how_deep_its_samples_are(studio: Studio, tmp_path: Path) -> None:
    flat = tmp_path / "flat.wav"
    ffmpeg("-f", "lavfi", "-i", "anoisesrc=r=48000:d=1:a=0.3:seed=3", "-c:a", "pcm_s16le", flat)
    own = {"deep": {"format": "wav", "bitDepth": 24}, "same": {"format": "wav", "bitDepth": 16}}
    out, result = studio.make(flat, outputPresets=["ebu", "deep", "same"], presets=own)
    depths = [ffprobe(out / f"{name}.wav")["audio"]["bits_per_sample"] for name in ("ebu", "deep", "same")]
    assert depths == [24, 24, 16]
    assert [output["details"]["copied"] for output in result["outputs"]] == [False, False, True]


def test_settings_go_before_the_presets(studio: Studio) -> None:
    settings = {"bitrate": "64k", "sampleRate": 22050, "channels": "mono"}
    out, _ = studio.make(MUSIC, outputPresets=["mp3-high"], audioSettings=settings)
    made = ffprobe(out / "mp3-high.mp3")["audio"]
    assert (made["bit_rate"], made["sample_rate"], made["channels"]) == ("64000", "22050", 1)


def test_surround_sound_is_mixed_down_without_clipping(studio: Studio, tmp_path: Path) -> None:
    loud = tmp_path / "loud.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc=" + "|".join(["0.9*sin(2*PI*300*t)"] * 6) + ":c=5.1:d=1", loud)
    out, _ = studio.make(loud, outputPresets=["wav", "mp3"], audioSettings={"channels": "stereo"})
    assert ffprobe(out / "wav.wav")["audio"]["channels"] == 2
    samples = memoryview(decoded(out / "wav.wav")).cast("h")
    assert 28000 < max(samples) < 30500


def test_surround_sound_stays_where_a_format_can_hold_it(studio: Studio) -> None:
    out, result = studio.make(CLIP, outputPresets=["aac", "opus", "flac", "ogg", "mp3"])
    channels = {path["path"]: ffprobe(out / path["path"])["audio"]["channels"] for path in result["outputs"]}
    assert channels == {"aac.m4a": 6, "opus.opus": 6, "flac.flac": 6, "ogg.ogg": 6, "mp3.mp3": 2}


def test_what_need_not_change_is_copied(studio: Studio) -> None:
    out, result = studio.make(MP3, outputPresets=["mp3-high", "mp3-low", "flac"], tags={"title": "New"})
    copied = {output["path"]: output["details"]["copied"] for output in result["outputs"]}
    assert copied == {"mp3-high.mp3": True, "mp3-low.mp3": False, "flac.flac": False}
    assert decoded(out / "mp3-high.mp3") == decoded(MP3)
    assert ffprobe(out / "mp3-high.mp3")["format"]["tags"]["title"] == "New"


@pytest.mark.parametrize("codec", ["aac", "flac"])
def test_a_player_can_begin_before_it_has_all_of_an_m4a(studio: Studio, codec: str) -> None:
    out, _ = studio.make(MUSIC, outputPresets=["aac"], audioSettings={"codec": codec})
    assert ffprobe(out / "aac.m4a")["audio"]["codec_name"] == codec
    data = (out / "aac.m4a").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_a_raw_stream_is_as_long_as_it_is(studio: Studio) -> None:
    out, result = studio.make(ADTS, outputPresets=["aac-high", "mp3"])
    assert result["details"]["input"]["durationSeconds"] == pytest.approx(10.0, abs=0.06)
    assert result["outputs"][0]["details"]["copied"] is True
    for output in result["outputs"]:
        assert output["details"]["durationSeconds"] == pytest.approx(10.0, abs=0.06)
        assert len(decoded(out / output["path"])) / 4 / 44100 == pytest.approx(10.0, abs=0.06)


def test_only_what_lies_between_start_and_end_is_left(studio: Studio, tmp_path: Path) -> None:
    out, _ = studio.make(SPEECH, outputPresets=["flac"], start=1.5, end=3.25)
    whole, part = decoded(SPEECH), decoded(out / "flac.flac")
    assert part == whole[72000 * 2 : 156000 * 2]


# --- loudness


@pytest.mark.parametrize(
    ("sound", "preset", "target", "peak"),
    [
        (SPEECH, "podcast", -16, -1),
        (SPEECH, "podcast-mono", -19, -1),
        (MUSIC, "music", -14, -1),
        (MUSIC, "ebu", -23, -1),
        (CLIP, "ebu", -23, -1),
        (MP3, "music", -14, -1),
    ],
)
def test_what_is_delivered_has_the_loudness_of_the_preset(
    studio: Studio, sound: Path, preset: str, target: float, peak: float
) -> None:
    out, result = studio.make(sound, outputPresets=[preset])
    (output,) = result["outputs"]
    integrated, true_peak = loudness(out / output["path"])
    assert integrated == pytest.approx(target, abs=0.5)
    assert true_peak <= peak + 0.05
    said = output["details"]["loudness"]
    assert said["after"]["integrated"] == pytest.approx(integrated, abs=0.15)
    assert said["after"]["truePeak"] == pytest.approx(true_peak, abs=0.15)
    assert said["before"]["integrated"] == pytest.approx(loudness(sound)[0], abs=0.15) or "podcast" in preset
    assert said["after"]["method"] == "integrated"


@pytest.mark.parametrize("preset", ["flac", "mp3", "aac", "opus", "ogg"])
def test_peaks_stay_below_what_was_asked_for_however_loud_it_is(studio: Studio, preset: str) -> None:
    out, result = studio.make(MUSIC, outputPresets=[preset], loudness={"target": -12, "truePeak": -2})
    integrated, true_peak = loudness(out / result["outputs"][0]["path"])
    assert integrated == pytest.approx(-12, abs=0.5)
    assert true_peak <= -2 + 0.05


@pytest.mark.parametrize(("seconds", "method"), [(0.25, "ungated"), (1.0, "integrated"), (2.5, "integrated")])
def test_a_clip_may_be_short(studio: Studio, tmp_path: Path, seconds: float, method: str) -> None:
    short = tone(tmp_path / "short.wav", seconds, level=0.02)
    out, result = studio.make(short, outputPresets=["podcast", "ebu"])
    for output, target in zip(result["outputs"], (-16, -23), strict=True):
        said = output["details"]["loudness"]
        assert said["after"]["method"] == said["before"]["method"] == method
        repeated = tmp_path / "repeated.wav"
        ffmpeg("-stream_loop", "9", "-i", out / output["path"], "-t", "2.4", repeated)
        assert loudness(repeated)[0] == pytest.approx(target, abs=0.5)
        assert len(decoded(out / output["path"], "-ar", "44100", "-ac", "1")) / 2 / 44100 == pytest.approx(
            seconds, abs=0.03
        )


def test_a_podcast_of_one_microphone_is_as_loud_as_from_two_and_as_loud_as_in_mono(studio: Studio) -> None:
    out, _ = studio.make(SPEECH, outputPresets=["podcast", "podcast-mono"])
    made = ffprobe(out / "podcast.mp3")["audio"]
    assert (made["channels"], made["bit_rate"]) == (2, "128000")
    left = np.frombuffer(decoded(out / "podcast.mp3"), dtype="<i2")[::2].astype(float)
    alone = np.frombuffer(decoded(out / "podcast-mono.mp3"), dtype="<i2").astype(float)
    assert 20 * np.log10(np.sqrt(np.mean(left**2)) / np.sqrt(np.mean(alone**2))) == pytest.approx(0, abs=0.5)


def test_silence_stays_silent_and_says_so(studio: Studio, tmp_path: Path) -> None:
    silent = tmp_path / "silent.wav"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=44100:cl=stereo", "-t", "4", silent)
    out, result = studio.make(silent, outputPresets=["podcast", "ebu"], trimSilence=True)
    for output in result["outputs"]:
        assert output["details"]["loudness"]["after"]["method"] == "silent"
        assert output["details"]["loudness"]["gain"] == 0
        assert "silent" in output["details"]["loudness"]["note"]
        assert not any(decoded(out / output["path"]))


def test_a_target_that_would_crush_the_sound_is_given_up_and_that_is_said(studio: Studio, tmp_path: Path) -> None:
    clicks = tmp_path / "clicks.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc='0.9*lt(mod(t,1),0.0005)+0.002*sin(2*PI*440*t)':s=44100:d=5", clicks)
    out, result = studio.make(clicks, outputPresets=["podcast"])
    said = result["outputs"][0]["details"]["loudness"]
    assert said["note"].startswith("The target is not met")
    assert said["limited"] <= 15
    assert loudness(out / "podcast.mp3")[1] <= -0.95


def test_an_album_has_one_gain(studio: Studio, tmp_path: Path) -> None:
    quiet, loud = tone(tmp_path / "quiet.wav", 4, level=0.05), tone(tmp_path / "loud.wav", 4, level=0.2)
    out, result = studio.make(
        loud, files={"album/quiet.wav": quiet}, album={"quiet.wav": "quiet.wav"}, outputPresets=["ebu", "mp3"],
        loudness={"album": True, "target": -20},
    )  # fmt: skip
    paths = [output["path"] for output in result["outputs"]]
    assert paths == ["loud-ebu.wav", "loud-mp3.mp3", "quiet-ebu.wav", "quiet-mp3.mp3"]
    first, second = out / "loud-ebu.wav", out / "quiet-ebu.wav"
    assert loudness(first, second)[0] == pytest.approx(-20, abs=0.5)
    assert loudness(first)[0] - loudness(second)[0] == pytest.approx(loudness(loud)[0] - loudness(quiet)[0], abs=0.2)
    said = result["outputs"][0]["details"]["loudness"]
    assert said["album"]["integrated"] == pytest.approx(-20, abs=0.5)


def test_an_album_of_mono_and_stereo_keeps_its_differences(studio: Studio, tmp_path: Path) -> None:
    quiet = tone(tmp_path / "quiet.wav", 3, level=0.05)
    loud = tone(tmp_path / "loud.wav", 3, level=0.2, options=("-af", "pan=stereo|c0=c0|c1=c0"))
    out, _ = studio.make(
        loud, files={"album/quiet.wav": quiet}, album={"quiet.wav": "quiet.wav"}, outputPresets=["mp3"],
        loudness={"album": True, "target": -20},
    )  # fmt: skip
    first, second = loudness(out / "loud-mp3.mp3")[0], loudness(out / "quiet-mp3.mp3")[0]
    assert first - second == pytest.approx(loudness(loud)[0] - loudness(quiet)[0], abs=0.3)


def test_what_it_costs_an_album_is_said_of_the_track_that_it_costs(studio: Studio, tmp_path: Path) -> None:
    calm, clicks = tone(tmp_path / "calm.wav", 3, level=0.05), tmp_path / "clicks.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc='0.8*lt(mod(t,1),0.001)+0.05*sin(2*PI*440*t)':s=44100:d=3", clicks)
    _, result = studio.make(
        calm, files={"album/clicks.wav": clicks}, album={"clicks.wav": "clicks.wav"}, outputPresets=["flac"],
        loudness={"album": True, "target": -19},
    )  # fmt: skip
    first, second = (output["details"]["loudness"] for output in result["outputs"][:2])
    assert "note" not in first and first["limited"] == 0
    assert second["note"].startswith("clicks.wav: Peaks were pressed down by ") and second["limited"] > 6


# --- silence


def test_silence_at_the_ends_is_cut_and_chapters_move_with_it(studio: Studio, tmp_path: Path) -> None:
    padded = tmp_path / "padded.flac"
    sound = tone(tmp_path / "sound.wav", 2, options=("-ac", "2"))
    ffmpeg("-i", sound, "-af", "adelay=1500:all=1,apad=pad_dur=2", padded)
    chapters = [{"start": 0, "title": "Before"}, {"start": 2.0, "title": "After"}]
    out, result = studio.make(padded, outputPresets=["mp3"], trimSilence=True, chapters=chapters)
    length = len(decoded(out / "mp3.mp3")) / 4 / 44100
    assert length == pytest.approx(2.2, abs=0.03)
    assert result["outputs"][0]["details"]["durationSeconds"] == pytest.approx(length, abs=0.03)
    first, second = ffprobe(out / "mp3.mp3")["chapters"]
    assert float(first["start_time"]) == 0
    assert float(second["start_time"]) == pytest.approx(0.6, abs=0.01)


# --- streams


def test_a_stream_adapts_and_has_no_rate_above_its_source(studio: Studio, tmp_path: Path) -> None:
    source = tmp_path / "source.m4a"
    ffmpeg("-i", MUSIC, "-c:a", "aac", "-b:a", "140k", source)
    out, result = studio.make(source, outputPresets=["hls-audio", "dash-audio", "mp3"], segmentSeconds=4)
    paths = [output["path"] for output in result["outputs"]]
    assert {"mp3.mp3", "master.m3u8", "manifest.mpd"} <= set(paths)
    master = (out / "master.m3u8").read_text()
    listed = [line for line in master.splitlines() if line.endswith("playlist.m3u8")]
    best, least = (each["bitrate"] for each in result["details"]["stream"]["audio"])
    assert 125_000 < best < 150_000 and least == 64_000
    names = [f"audio-{rate // 1000}k" for rate in (best, least)]
    assert listed == [f"{name}/playlist.m3u8" for name in names]
    assert master.count("#EXT-X-STREAM-INF:") == 2 and "EXT-X-MEDIA" not in master
    assert (out / "manifest.mpd").read_text().count("<Representation ") == 2
    for name in names:
        assert len(list((out / name).glob("*.m4s"))) == 3
        assert len(decoded(out / name / "playlist.m3u8")) / 4 / 44100 == pytest.approx(9.99, abs=0.1)


def test_a_stream_has_the_loudness_that_is_asked_for(studio: Studio) -> None:
    out, _ = studio.make(SPEECH, outputPresets=["hls-audio"], loudness={"target": -18})
    for path in sorted(out.glob("audio-*/playlist.m3u8")):
        assert loudness(path)[0] == pytest.approx(-18, abs=0.5)


def test_a_stream_of_a_raw_sound_has_all_of_its_rate(studio: Studio) -> None:
    _, result = studio.make(ADTS, outputPresets=["hls-audio"])
    best, least = (sound["bitrate"] for sound in result["details"]["stream"]["audio"])
    assert best == pytest.approx(119_000, rel=0.02) and least == 64_000
    assert result["details"]["input"]["bitrate"] == pytest.approx(119_000, rel=0.02)


def test_a_rate_that_a_codec_has_not_is_said_to_be_another(studio: Studio) -> None:
    out, result = studio.make(MUSIC, outputPresets=["aac", "flac", "opus"], audioSettings={"sampleRate": 12345})
    assert ffprobe(out / "aac.m4a")["audio"]["sample_rate"] == "16000"
    assert result["details"]["notes"] == [
        "aac has 16000 Hz instead of 12345: aac has no such rate.",
        "opus has 48000 Hz instead of 12345: opus has no such rate.",
    ]
