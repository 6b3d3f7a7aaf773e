"""A person's recording through the queue and a real container, with what only the image has: RNNoise and Packager."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.conftest import RESOURCES, Pitchey
from tests.resources.sounds import ffprobe, loudness

NOISY = RESOURCES / "audio" / "speech-noisy.flac"
MUSIC = RESOURCES / "audio" / "sample_10s.ogg"
MADE = {"podcast": "mp3", "aac": "m4a", "ogg": "ogg", "opus": "opus", "flac": "flac"}


@pytest.mark.by_turns
def test_a_noisy_recording_becomes_an_episode_with_chapters_in_every_format(contained: Pitchey) -> None:
    chapters = contained.cwd / "chapters.json"
    listed = [{"startTime": 0, "title": "One"}, {"startTime": 2.5, "title": "Zwei; ü"}]
    chapters.write_text(json.dumps({"version": "1.2.0", "chapters": listed}))
    presets = [word for name in MADE for word in ("-p", name)]
    contained.ok(
        "run", "media", NOISY, *presets, "--denoise-method", "rnnoise", "--chapters-url", chapters,
        "--tag", "title=Episode", "--generate-thumbnails", "--spectrogram", "-o", "out",
    )  # fmt: skip
    for name, suffix in MADE.items():
        made = ffprobe(contained.cwd / "out" / f"speech-noisy-{name}.{suffix}")
        found = [(float(each["start_time"]), each["tags"]["title"]) for each in made["chapters"]]
        assert found == [(0, "One"), (2.5, "Zwei; ü")], name
        tags = made["format"].get("tags", {}) | made["audio"].get("tags", {})
        assert {key.lower(): value for key, value in tags.items()}["title"] == "Episode"
        assert float(made["format"]["duration"]) == pytest.approx(8, abs=0.06)
    integrated, peak = loudness(contained.cwd / "out" / "speech-noisy-podcast.mp3")
    assert integrated == pytest.approx(-16, abs=0.5)
    assert peak <= -0.95
    for picture in ("waveform", "spectrogram"):
        assert ffprobe(contained.cwd / "out" / f"speech-noisy-{picture}.png")["video"]["codec_name"] == "png"


@pytest.mark.by_turns
def test_a_stream_of_sound_plays_to_its_end(contained: Pitchey) -> None:
    contained.ok("run", "media", MUSIC, "-p", "hls-audio,dash-audio", "-o", "out")
    (master,) = (contained.cwd / "out").rglob("master.m3u8")
    command = ["ffmpeg", "-v", "error", "-i", master, "-f", "s16le", "-ac", "1", "-ar", "8000", "-"]
    sound = subprocess.run(command, check=True, capture_output=True).stdout
    assert len(sound) / 16000 == pytest.approx(9.99, abs=0.15)
    assert (master.parent / "manifest.mpd").is_file()


@pytest.mark.by_turns
def test_a_video_without_sound_is_a_dead_letter_with_one_clear_error(contained: Pitchey) -> None:
    answer = contained("run", "media", RESOURCES / "video" / "bikes.mp4", "-p", "mp3", "-o", "out")
    assert answer.code == 1
    assert answer.err.count("error:") == 1 and "no sound" in answer.err
