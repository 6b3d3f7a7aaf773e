"""Chapters, tags, covers, pictures of sound and cleaned speech: through a real worker, looked at with other means."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.resources.sounds import MUSIC, NOISY, SPEECH, Studio, decoded, ffmpeg, ffprobe, loudness
from tests.resources.workers import Worker

Samples = npt.NDArray[np.float64]
CHAPTERS = [{"start": 0, "title": "Début; a=b"}, {"start": 2.5, "title": "第二章"}, {"start": 7, "title": "#End\\ "}]
CONTAINERS = {"mp3": "mp3.mp3", "aac": "aac.m4a", "ogg": "ogg.ogg", "opus": "opus.opus", "flac": "flac.flac"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Worker(tmp_path_factory.mktemp("media"), service="media") as worker:
        yield Studio(worker)


@pytest.fixture(scope="module")
def in_chapters(studio: Studio) -> Path:
    """Where there is a song in every container, with chapters."""
    out, _ = studio.make(MUSIC, outputPresets=list(CONTAINERS), chapters=CHAPTERS)
    return out


def chapters_of(path: Path) -> list[tuple[float, str]]:
    return [(round(float(each["start_time"]), 2), each["tags"]["title"]) for each in ffprobe(path)["chapters"]]


def tags_of(path: Path) -> dict[str, str]:
    """Give the tags, by names in small letters; Ogg keeps them at the stream."""
    made = ffprobe(path)
    return {key.lower(): value for of in ("audio", "format") for key, value in made[of].get("tags", {}).items()}


def samples(path: Path) -> Samples:
    return np.frombuffer(decoded(path, "-ar", "16000", "-ac", "1"), dtype="<i2") / 32768


# --- chapters


def test_chapters_go_into_every_format(in_chapters: Path) -> None:
    out = in_chapters
    wanted = [(each["start"], each["title"]) for each in CHAPTERS]
    for name in CONTAINERS.values():
        assert chapters_of(out / name) == wanted, name
    document = json.loads((out / "chapters.json").read_text())
    assert document["version"] == "1.2.0"
    assert [(each["startTime"], each["title"]) for each in document["chapters"]] == wanted
    assert document["chapters"][-1]["endTime"] == pytest.approx(9.993, abs=0.01)
    assert b"CTOC" in (out / "mp3.mp3").read_bytes()[:4096]


@pytest.mark.parametrize("name", list(CONTAINERS.values()))
def test_chapters_of_a_file_are_kept_and_moved_by_a_cut(studio: Studio, in_chapters: Path, name: str) -> None:
    out, _ = studio.make(in_chapters / name, outputPresets=["aac", "flac"], start=2, end=6)
    for path in ("aac.m4a", "flac.flac"):
        assert chapters_of(out / path) == [(0, CHAPTERS[0]["title"]), (0.5, CHAPTERS[1]["title"])]


def test_a_chapter_without_a_title_is_numbered(studio: Studio, tmp_path: Path) -> None:
    about, named = tmp_path / "about.txt", tmp_path / "named.mka"
    spans = "".join(f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={start}\nEND={end}\n" for start, end in [(0, 900), (900, 3000)])
    about.write_text(f";FFMETADATA1\n{spans}")
    ffmpeg("-i", SPEECH, "-f", "ffmetadata", "-i", about, "-map_chapters", "1", "-c", "copy", named)
    out, _ = studio.make(named, outputPresets=["aac"])
    assert chapters_of(out / "aac.m4a") == [(0, "Chapter 1"), (0.9, "Chapter 2")]


def test_chapters_stay_where_a_part_is_cleaned(studio: Studio) -> None:
    asked = {"outputPresets": ["flac"], "chapters": CHAPTERS, "start": 4, "denoise": {"method": "fft"}}
    out, _ = studio.make(MUSIC, **asked)
    found = [(0, CHAPTERS[1]["title"]), (3, CHAPTERS[2]["title"])]
    assert chapters_of(out / "flac.flac") == found
    out, _ = studio.make(MUSIC, **asked, end=8, trimSilence=True)
    assert chapters_of(out / "flac.flac") == found


def test_chapters_may_come_as_podcasting_2_0(studio: Studio, tmp_path: Path) -> None:
    document = tmp_path / "chapters.json"
    listed = [
        {"startTime": 4, "title": "Two", "url": "https://example.org/two", "img": "https://example.org/2.jpg"},
        {"startTime": 0, "title": "One"},
        {"startTime": 5, "toc": False, "img": "https://example.org/3.jpg"},
    ]
    document.write_text(json.dumps({"version": "1.2.0", "chapters": listed}))
    out, _ = studio.make(MUSIC, files={"chapters_url": document}, chaptersUrl="c.json", outputPresets=["opus"])
    assert chapters_of(out / "opus.opus") == [(0, "One"), (4, "Two")]
    assert json.loads((out / "chapters.json").read_text())["chapters"][1]["url"] == "https://example.org/two"


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"chapters": 3}', '{"chapters": [{"title": "when?"}]}', "[" * 100_000]
)
def test_what_is_no_list_of_chapters_is_refused(studio: Studio, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    error = studio.failure(MUSIC, files={"chapters_url": tmp_path / "bad.json"}, chaptersUrl="bad.json")
    assert error["code"] == "chapters_invalid"
    assert "bad.json" in error["message"] and "startTime" in error["hint"]


def test_a_bad_list_of_chapters_is_refused_before_the_work(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    files = {"chapters_url": tmp_path / "bad.json"}
    events = studio.worker.events(studio.begin(MUSIC, files=files, chaptersUrl="bad.json", outputPresets=["podcast"]))
    assert events[-1]["error"]["code"] == "chapters_invalid"
    assert {event["stage"] for event in events if event["type"] == "progress"} == {"probe"}


# --- tags and covers


@pytest.mark.parametrize("codec", ["libmp3lame", "aac", "libopus", "libvorbis", "flac"])
def test_tags_are_kept_unless_others_are_wanted(studio: Studio, tmp_path: Path, codec: str) -> None:
    suffix = {"libmp3lame": "mp3", "aac": "m4a", "libopus": "opus", "libvorbis": "ogg", "flac": "flac"}[codec]
    tagged = tmp_path / f"tagged.{suffix}"
    tags = [word for pair in ("title=Old; é=1", "artist=Ann", "comment=gone") for word in ("-metadata", pair)]
    streams = [word for pair in ("title=Old; é=1", "artist=Ann", "comment=gone") for word in ("-metadata:s:a", pair)]
    ffmpeg("-i", MUSIC, "-t", "1", "-map_metadata", "-1", *(streams if suffix in ("opus", "ogg") else tags),
           "-c:a", codec, tagged)  # fmt: skip
    wanted = {"artist": "Bob #2\nand \\ friends", "Comment": ""}
    out, _ = studio.make(tagged, outputPresets=list(CONTAINERS), tags=wanted)
    for name in CONTAINERS.values():
        found = tags_of(out / name)
        assert (found["title"], found["artist"]) == ("Old; é=1", wanted["artist"]), name
        assert "comment" not in found, name


def test_the_language_of_a_sound_stays_with_it_unless_another_is_wanted(studio: Studio, tmp_path: Path) -> None:
    spoken = tmp_path / "spoken.m4a"
    ffmpeg("-i", SPEECH, "-t", "1", "-metadata:s:a", "language=deu", spoken)
    out, _ = studio.make(spoken, outputPresets=list(CONTAINERS))
    assert {name: tags_of(out / name)["language"] for name in CONTAINERS.values()} == dict.fromkeys(
        CONTAINERS.values(), "deu"
    )
    out, _ = studio.make(spoken, outputPresets=["aac"], tags={"Language": "fra"})
    assert tags_of(out / "aac.m4a")["language"] == "fra"


def test_what_wav_has_no_place_for_is_said(studio: Studio, tmp_path: Path) -> None:
    _, result = studio.make(SPEECH, outputPresets=["wav"], end=1, chapters=CHAPTERS[:1])
    assert "chapters" in result["details"]["notes"][0]


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_cover_goes_into_every_format_and_out_again(studio: Studio, tmp_path: Path, kind: str) -> None:
    cover = tmp_path / f"cover.{kind}"
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=200x100:duration=1", "-frames:v", "1", cover)
    short = tmp_path / "short.ogg"
    ffmpeg("-i", MUSIC, "-t", "1", "-c", "copy", short)
    out, _ = studio.make(short, files={"cover_url": cover}, coverUrl="cover", outputPresets=list(CONTAINERS))
    for name in CONTAINERS.values():
        picture = ffprobe(out / name)["video"]
        assert (picture["width"], picture["height"], picture["disposition"]["attached_pic"]) == (200, 100, 1), name
        again, _ = studio.make(out / name, outputPresets=["mp3"], end=0.5)
        command = ["ffmpeg", "-v", "error", "-i", again / "mp3.mp3", "-map", "0:v", "-c", "copy", "-f", "data", "-"]
        assert subprocess.run(command, check=True, capture_output=True).stdout == cover.read_bytes(), name


def test_a_cover_that_is_none_is_refused(studio: Studio, tmp_path: Path) -> None:
    text, huge, broken = tmp_path / "letter.png", tmp_path / "huge.png", tmp_path / "broken.jpg"
    web, large = tmp_path / "web.webp", tmp_path / "large.png"  # what is larger could not be read again
    ffmpeg("-f", "lavfi", "-i", "color=s=7000x6000", "-frames:v", "1", "-pix_fmt", "monob", large)
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=20x10:duration=1", "-frames:v", "1", web)
    text.write_text("Dear all")
    header = b"IHDR" + (100_000).to_bytes(4, "big") * 2 + bytes([8, 2, 0, 0, 0])
    huge.write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\x0d" + header + bytes(4))
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=200x100:duration=1", "-frames:v", "1", broken)
    broken.write_bytes(broken.read_bytes()[:300])
    for path, code, words in (
        (text, "cover_invalid", "no JPEG or PNG"),
        (web, "cover_invalid", "no JPEG or PNG"),
        (huge, "cover_too_large", "100000x100000"),
        (large, "cover_too_large", "7000x6000"),
        (broken, "cover_invalid", "damaged"),
    ):
        error = studio.failure(MUSIC, files={"cover_url": path}, coverUrl=path.name)
        assert error["code"] == code and words in error["message"] and path.name in error["message"]


# --- pictures


def test_samples_that_are_no_numbers_can_be_drawn(studio: Studio, tmp_path: Path) -> None:
    odd = tmp_path / "odd.wav"
    whole = "if(between(t,0.2,0.3),1/0,if(between(t,0.5,0.6),0/0,if(between(t,0.7,0.8),-1/0,0.2*sin(2*PI*300*t))))"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{whole}':s=8000:d=1", "-c:a", "pcm_f32le", odd)
    assert not np.isfinite(np.frombuffer(odd.read_bytes()[-8000 * 4 :], np.float32)).all()
    out, _ = studio.make(odd, outputPresets=["flac"], generateThumbnails=True)
    data = json.loads((out / "waveform.json").read_text())["data"]
    assert data and (max(data), min(data)) == (127, -127)
    assert (out / "waveform.png").read_bytes().startswith(b"\x89PNG")


def test_a_waveform_tells_where_it_is_loud(studio: Studio, tmp_path: Path) -> None:
    step = tmp_path / "step.wav"
    ffmpeg("-f", "lavfi", "-i", "aevalsrc='if(lt(t,1),0.1,0.8)*sin(2*PI*300*t)':s=44100:d=2", step)
    out, result = studio.make(step, generateThumbnails=True, spectrogram=True)
    assert [each["path"] for each in result["outputs"]] == [
        "mp3.mp3",
        "waveform.json",
        "waveform.png",
        "spectrogram.png",
    ]
    wave = json.loads((out / "waveform.json").read_text())
    assert (wave["version"], wave["bits"], wave["sample_rate"], wave["channels"]) == (2, 8, 44100, 1)
    assert wave["length"] * 2 == len(wave["data"])
    assert wave["length"] == pytest.approx(88200 / wave["samples_per_pixel"], abs=1)
    quiet, loud = wave["data"][: wave["length"] - 4], wave["data"][wave["length"] + 4 :]
    assert (max(quiet), max(loud)) == (pytest.approx(13, abs=1), pytest.approx(102, abs=1))
    for name in ("waveform.png", "spectrogram.png"):
        assert ffprobe(out / name)["video"]["codec_name"] == "png"


# --- noise


def likeness(clean: Samples, other: Samples) -> float:
    """How alike two recordings of speech are, by the idea of STOI: the mean correlation of band envelopes.

    Envelopes of 15 bands of a third of an octave from 150 Hz, over 384 ms (C. Taal et al., 2011); without its clipping.
    """
    length = min(len(clean), len(other)) // 256 * 256
    window = np.hanning(512)

    def bands(signal: Samples) -> Samples:
        frames = np.lib.stride_tricks.sliding_window_view(signal[:length], 512)[::256] * window
        power = np.abs(np.fft.rfft(frames)) ** 2
        frequencies = np.fft.rfftfreq(512, 1 / 16000)
        centres = 150 * 2 ** (np.arange(15) / 3)
        picks = [(frequencies >= each * 2 ** (-1 / 6)) & (frequencies < each * 2 ** (1 / 6)) for each in centres]
        return np.array([np.sqrt(power[:, pick].sum(axis=1)) for pick in picks])

    first, second = bands(clean), bands(other)
    spans = range(0, first.shape[1] - 24, 12)
    loudest = max(first[:, start : start + 24].sum() for start in spans)
    found = []
    for start in spans:
        a, b = first[:, start : start + 24], second[:, start : start + 24]
        if a.sum() < loudest / 30:
            continue
        a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
        found.append(np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-12))
    return float(np.mean(found))


def lag(clean: Samples, other: Samples) -> int:
    """Samples by which the second comes later, where the two are most alike."""
    size = 2 * max(len(clean), len(other))
    product = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(clean, size)))
    peak = int(product.argmax())
    return peak if peak < size // 2 else peak - size


def quiet_part(signal: Samples) -> float:
    """The level of the quietest tenth of a recording, in dB."""
    frames = signal[: len(signal) // 800 * 800].reshape(-1, 800)
    return float(10 * np.log10(np.percentile((frames**2).mean(axis=1), 10) + 1e-12))


METHODS = ("rnnoise", "fft")


@pytest.mark.parametrize("method", METHODS)
def test_noise_goes_and_speech_stays_where_it_was(studio: Studio, method: str) -> None:
    out, _ = studio.make(NOISY, outputPresets=["flac"], denoise={"method": method})
    clean, noisy, made = samples(SPEECH), samples(NOISY), samples(out / "flac.flac")
    assert len(made) == len(clean)
    assert lag(clean, made) == 0
    assert likeness(clean, made) > likeness(clean, noisy)
    assert quiet_part(made) < quiet_part(noisy) - (6 if method == "rnnoise" else 0.3)


@pytest.mark.parametrize("method", METHODS)
def test_the_strength_is_the_share_of_the_cleaned_sound(studio: Studio, method: str) -> None:
    noisy, changes = samples(NOISY)[:48000], []
    for strength in (0.3, 0.7, 1):
        out, _ = studio.make(NOISY, outputPresets=["flac"], denoise={"method": method, "strength": strength}, end=3)
        made = samples(out / "flac.flac")
        assert lag(noisy, made) == 0
        changes.append(float(np.sqrt(np.mean((noisy - made) ** 2))))
    assert changes[0] == pytest.approx(0.3 * changes[2], rel=0.05)
    assert changes[1] == pytest.approx(0.7 * changes[2], rel=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_stereo_at_another_rate_is_cleaned_as_well(studio: Studio, tmp_path: Path, method: str) -> None:
    stereo = tmp_path / "stereo.wav"
    ffmpeg("-i", NOISY, "-af", "pan=stereo|c0=c0|c1=0.5*c0", "-ar", "44100", "-t", "3", stereo)
    out, _ = studio.make(stereo, outputPresets=["podcast", "wav"], denoise={"method": method})
    made = ffprobe(out / "wav.wav")["audio"]
    assert (made["channels"], made["sample_rate"]) == (2, "44100")
    assert len(decoded(out / "wav.wav")) == pytest.approx(len(decoded(stereo)), abs=8)
    assert loudness(out / "podcast.mp3")[0] == pytest.approx(-16, abs=0.5)


@pytest.mark.parametrize("method", METHODS)
def test_surround_sound_keeps_its_places_when_it_is_cleaned(studio: Studio, tmp_path: Path, method: str) -> None:
    surround = tmp_path / "surround.wav"
    levels = "|".join(f"{level}*mod(floor(t*8),2)*sin(2*PI*440*t)" for level in (0.1, 0.2, 0.3, 0.05, 0.4, 0.5))
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{levels}':c=5.1(side):s=48000:d=1", surround)
    out, _ = studio.make(surround, outputPresets=["wav"], denoise={"method": method, "strength": 0.05})
    made = np.frombuffer(decoded(out / "wav.wav"), dtype="<i2").reshape(-1, 6)
    peaks = np.abs(made).max(axis=0) / 32768
    assert peaks == pytest.approx([0.1, 0.2, 0.3, 0.05, 0.4, 0.5], rel=0.12)


def test_a_cover_is_no_part_of_the_rate_of_a_sound(studio: Studio, tmp_path: Path) -> None:
    cover = tmp_path / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "nullsrc=size=400x400,geq=random(1)*255:128:128", "-frames:v", "1", cover)
    assert cover.stat().st_size > 100_000
    names = ["mp3", "aac", "flac", "opus"]
    _, with_cover = studio.make(MUSIC, files={"cover_url": cover}, coverUrl="cover", outputPresets=names)
    _, without = studio.make(MUSIC, outputPresets=names)
    rates = [
        [output["details"]["bitrate"] for output in made["outputs"][: len(names)]] for made in (with_cover, without)
    ]
    assert rates[0] == pytest.approx(rates[1], rel=0.03)
