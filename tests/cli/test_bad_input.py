"""Every wrong input gets one clear error that names it, a way out, the right exit code, and loses nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Answer, Pitchey


def _is_one_error(answer: Answer, code: int, *says: str) -> None:
    assert answer.code == code, f"exit {answer.code}: {answer.err}"
    assert answer.err.lower().count("error:") == 1, answer.err
    assert "Traceback" not in answer.err
    for text in says:
        assert text in answer.err, answer.err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run", "video", "holiday.mov"], 3, ["There is no file at 'holiday.mov'", "Paths are relative"]),
        (["submit", "video", "*.mkv"], 3, ["No file matches '*.mkv'"]),
        (["submit", "video"], 2, ["What shall the video service work on?"]),
        (["submit", "video", "empty"], 2, ["holds nothing for the video service"]),
        (["submit", "video", "empty.mp4"], 2, ["empty.mp4", "empty"]),
        (["submit", "video", "a.mp4", "empty.mp4"], 2, ["empty.mp4 is empty", "None of the 2 jobs is queued"]),
        (["submit", "video", "a.mp4", "--set", "qualty=high"], 2, ["no field 'qualty'", "Did you mean 'quality'?"]),
        (["submit", "video", "a.mp4", "--quality", "best"], 2, ["quality 'best'", "low, medium, high, ultra"]),
        (["submit", "video", "a.mp4", "--framerate", "0"], 2, ["framerate '0'", "greater than 0"]),
        (["submit", "video", "a.mp4", "--framerate", "1e9"], 2, ["framerate '1e9'", "240"]),
        (["submit", "video", "a.mp4", "--set", "framerate=[1]"], 2, ["framerate [1]", "number"]),
        (["submit", "video", "a.mp4", "--resolution", "0x0"], 2, ["resolution '0x0'", "1280x720"]),
        (["submit", "video", "a.mp4", "--resolution", "banana"], 2, ["resolution 'banana'", "1280x720"]),
        (["submit", "video", "a.mp4", "--priority", "soon"], 2, ["no priority 'soon'", "urgent"]),
        (["submit", "video", "a.mp4", "--qality", "low"], 2, ["--qality", "--quality"]),
        (["submit", "vidoe", "a.mp4"], 2, ["There is no service 'vidoe'", "Did you mean 'video'?"]),
        (["run", "audio", "a.mp4"], 2, ["There is no service 'audio'", "There is video, "]),
        (["dlq", "retry", "zzzz"], 3, ["There is no job 'zzzz'", "pitchey dlq list"]),
        (["submit", "video", "-"], 2, ["Standard input, line 2", "not JSON"]),
        (["submit", "video", "ftp://example.org/a.mp4"], 2, ["ftp://example.org/a.mp4", "http://"]),
        (["submit", "video", "http://127.0.0.1/a.mp4"], 4, ["127.0.0.1 has no public address", "allow_private_urls"]),
        (["submit", "video", "http://a.example/a.mp4", "http://10.1/"], 4, ["10.1 has no public address"]),
        (["run", "video", "https://LOCALHOST:1/x.mp4"], 4, ["localhost has no public address"]),
        (["submit", "video", "http://a b/a.mp4"], 2, ["is no URL", "without blanks"]),
        (["submit", "video", "http://a.example\\@127.0.0.1/a.mp4"], 2, ["is no URL"]),
        (["submit", "video", "http://us:pa^ss@10.1/a.mp4"], 4, ["10.1 has no public address"]),
        (["submit", "video", "http://a.example:99999/a.mp4"], 2, ["is no URL", "Port out of range"]),
        (["status", "zzzz"], 3, ["There is no job 'zzzz'", "pitchey jobs"]),
        (["cancel", "../x"], 3, ["There is no job '../x'"]),
        (["jobs", "--state", "done"], 2, ["There is no state 'done'", "succeeded"]),
        (["jobs", "--since", "last week"], 2, ["--since: 'last week' is no time"]),
        (["config", "set", "services.video.slotz", "3"], 2, ["services.video.slots"]),
        (["config", "set", "services.video.slots", "0"], 2, ["at least 1", "not 0"]),
        (["config", "set", "services.video.sleep_after_seconds", "-1"], 2, ["at least 0", "not -1"]),
        (["submit", "video", "a.mp4", "--bitrate", "1"], 2, ["bitrate 1 ", "10k", "500M"]),
        (["submit", "video", "a.mp4", "--bitrate", "99999M"], 2, ["bitrate 99999M ", "10k", "500M"]),
        (
            ["submit", "video", "a.mp4", "--watermark-text", "x", "--watermark-opacity", "7"],
            2,
            ["watermark.opacity '7'"],
        ),
        (["submit", "video", "a.mp4", "--set", "watermark=3"], 2, ["watermark 3 does not fit"]),
        (["submit", "video", "a.mp4", "--set", "watermark=3", "--set", "watermark.text=x"], 2, ["a part of watermark"]),
        (["submit", "video", "a.mp4", "--watermark-opacity", "1"], 2, ["watermark needs a text or an image"]),
        (["submit", "video", "a.mp4", "--watermark-positon", "center"], 2, ["--watermark-position"]),
        (
            ["submit", "video", "a.mp4", "--watermark-image-url", "b.png"],
            3,
            ["--watermark-image-url: There is no file"],
        ),
        (["submit", "video", "a.mp4", "--watermark-image-url", "emty"], 3, ["Did you mean 'empty'?"]),
        (
            ["submit", "video", "a.mp4", "--watermark-image-url", "empty"],
            2,
            ["--watermark-image-url: 'empty' is a folder"],
        ),
        (
            ["submit", "video", "a.mp4", "--subtitle-url", "ftp://x/a.srt"],
            2,
            ["--subtitle-url: ftp://x/a.srt", "http://"],
        ),
        (
            ["submit", "video", "a.mp4", "--subtitle-url", "file:///a.srt"],
            2,
            ["--subtitle-url: file:///a.srt cannot be"],
        ),
        (["submit", "video", "file:///a.mp4"], 2, ["file:///a.mp4 cannot be fetched"]),
        (["submit", "video", "a.mp4", "--output-format", "avi"], 2, ["is not one of mp4, webm, hls, "]),
        (["probe", "b.mp4"], 3, ["There is no file at 'b.mp4'"]),
        (["probe", "-"], 2, ["piped"]),
        (["images", "build", "vidoe"], 2, ["'vidoe'", "video"]),
        (["completion", "tcsh"], 2, ["'tcsh'", "bash"]),
    ],
)
def test_a_wrong_command(pitchey: Pitchey, arguments: list[str], code: int, says: list[str]) -> None:
    (pitchey.cwd / "empty").mkdir()
    (pitchey.cwd / "empty.mp4").touch()
    (pitchey.cwd / "a.mp4").write_bytes(b"not looked at before it is queued")
    answer = pitchey(*arguments, stdin='{"inputUrl": "a.mp4"}\n{"inputUrl": \n')
    _is_one_error(answer, code, *says)
    assert answer.out == ""
    assert pitchey.ok("jobs", "--ids").out == ""


@pytest.mark.parametrize(
    ("name", "says"),
    [("text.mp4", ["text.mp4"]), ("cut.mp4", ["cut.mp4"])],
)
def test_a_file_that_is_no_whole_video(pitchey: Pitchey, clip: Path, name: str, says: list[str]) -> None:
    (pitchey.cwd / "text.mp4").write_text("no video at all\n" * 100)
    (pitchey.cwd / "cut.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    answer = pitchey("run", "video", name, "-o", "out", "--quiet")
    _is_one_error(Answer(answer.code, answer.out, _without_warning(answer.err)), 1, *says)
    assert not (pitchey.cwd / "out").exists() or list((pitchey.cwd / "out").iterdir()) == []


def test_a_newline_in_the_name_of_a_file_does_not_make_a_second_error(pitchey: Pitchey) -> None:
    (pitchey.cwd / "a\nerror: b.mp4").write_text("no video at all\n" * 100)
    answer = pitchey("run", "video", "a\nerror: b.mp4", "-o", "out")
    assert answer.code == 1
    assert [line for line in answer.err.splitlines() if line.startswith("error: b")] == []


def test_a_thumbnail_after_the_end(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey("run", "video", clip, "--thumbnail-times", "1,99", "-o", "out")
    _is_one_error(Answer(answer.code, answer.out, _without_warning(answer.err)), 1, "99", "10")


def test_an_input_above_the_limit(pitchey: Pitchey) -> None:
    with (pitchey.cwd / "huge.mp4").open("wb") as file:
        file.truncate(5 * 1024**3 + 1)  # sparse: takes no room
    answer = pitchey("submit", "video", "huge.mp4")
    _is_one_error(answer, 2, "huge.mp4", "5,368,709,120")


def test_a_result_never_replaces_the_input_or_a_file_that_was_there(pitchey: Pitchey, clip: Path) -> None:
    mine = pitchey.cwd / "mine.mp4"
    mine.write_bytes(clip.read_bytes())
    _is_one_error(pitchey("run", "video", "mine.mp4"), 2, "would replace the input")
    _is_one_error(pitchey("run", "video", "mine.mp4", "--overwrite"), 2, "would replace the input")
    (pitchey.cwd / "out").mkdir()
    (pitchey.cwd / "out" / "mine.mp4").write_text("keep me")
    _is_one_error(pitchey("run", "video", "mine.mp4", "-o", "out"), 2, "exists", "--overwrite")
    assert (pitchey.cwd / "out" / "mine.mp4").read_text() == "keep me"
    assert mine.read_bytes() == clip.read_bytes()


def test_an_engine_that_is_not_running(pitchey: Pitchey, clip: Path) -> None:
    settings = {"PITCHEY_ENGINE_KIND": "docker", "PITCHEY_ENGINE_URL": "unix:///nowhere/docker.sock"}
    _is_one_error(pitchey("run", "video", clip, **settings), 8, "/nowhere/docker.sock", "pitchey doctor")
    assert pitchey.ok("jobs", "--ids").out == ""
    doctor = pitchey("doctor", **settings)
    assert doctor.code == 8 and "problem  engine" in doctor.out


def test_a_database_that_is_none(pitchey: Pitchey) -> None:
    pitchey.state_dir.mkdir()
    database = pitchey.state_dir / "pitchey.db"
    database.write_bytes(b"this was a database once" * 500)
    before = database.read_bytes()
    _is_one_error(pitchey("status"), 9, str(database))
    assert database.read_bytes() == before


def test_a_database_of_a_newer_version(pitchey: Pitchey) -> None:
    pitchey.ok("status")
    database = pitchey.state_dir / "pitchey.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 999")
        connection.execute("UPDATE meta SET value = '999' WHERE name = 'readable_by'")
    _is_one_error(pitchey("status"), 9, "999")


def test_an_id_that_could_be_several_jobs(pitchey: Pitchey, clip: Path) -> None:
    ids = pitchey.ok("submit", "video", *[clip] * 60).lines
    first = next(letter for letter in "0123456789abcdefghjkmnpqrstvwxyz" if sum(i[0] == letter for i in ids) > 1)
    _is_one_error(pitchey("status", first), 2, "could be several jobs", "more characters")


def test_a_full_disk_loses_nothing_and_leaves_nothing_half_written(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("status")
    limit = clip.stat().st_size // 2
    command = pitchey._command(("submit", "video", clip))
    # A limit on the size of files ends a write in the middle, as a full disk does, and needs no disk to fill.
    full = subprocess.run(
        ["prlimit", f"--fsize={limit}", *command],
        capture_output=True,
        text=True,
        cwd=pitchey.cwd,
        env=pitchey._environment({}),
    )
    assert full.returncode == 9, full.stderr
    assert full.stderr.count("error:") == 1
    assert pitchey.ok("jobs", "--ids").out == ""
    artifacts = pitchey.state_dir / "artifacts"
    assert [path for path in artifacts.rglob("*") if path.is_file()] == []


def test_a_state_directory_that_may_not_be_made(pitchey: Pitchey) -> None:
    (pitchey.cwd / "file").touch()
    answer = pitchey("status", PITCHEY_STATE_DIR=str(pitchey.cwd / "file" / "state"))
    _is_one_error(answer, 9, "PITCHEY_STATE_DIR")


def test_a_thumbnail_in_the_way_is_found_before_the_work(pitchey: Pitchey, clip: Path) -> None:
    (pitchey.cwd / "out").mkdir()
    (pitchey.cwd / "out" / "sample_10s-thumbnail-002.jpg").touch()
    answer = pitchey("run", "video", clip, "--thumbnail-times", "1,2", "-o", "out")
    _is_one_error(answer, 2, "sample_10s-thumbnail-002.jpg exists", "--overwrite")
    assert pitchey.ok("jobs", "--ids").out == ""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("talk-mp3.mp3", ["-p", "mp3"]),
        ("talk-podcast.mp3", ["-p", "flac,podcast"]),
        ("talk/master.m3u8", ["-p", "hls-audio"]),
        ("talk-waveform.png", ["-p", "mp3", "--generate-thumbnails"]),
        ("talk-spectrogram.png", ["-p", "mp3", "--spectrogram"]),
    ],
)
def test_a_sound_in_the_way_is_found_before_the_work(pitchey: Pitchey, name: str, options: list[str]) -> None:
    (pitchey.cwd / "talk.wav").write_bytes(b"RIFF")
    (pitchey.cwd / "out" / name).parent.mkdir(parents=True)
    (pitchey.cwd / "out" / name).touch()
    answer = pitchey("run", "media", "talk.wav", *options, "-o", "out")
    _is_one_error(answer, 2, f"out/{name} exists", "--overwrite")
    assert pitchey.ok("jobs", "--ids").out == ""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sample_10s-thumbnail-001.png", ["--thumbnail-interval", "2", "--thumbnail-format", "png"]),
        ("sample_10s-thumbnail-003.jpg", ["--thumbnail-count", "3"]),
        ("sample_10s-poster.jpg", ["--poster"]),
        ("sample_10s/sprite.vtt", ["--sprite"]),
    ],
)
def test_a_picture_in_the_way_is_found_before_the_work(
    pitchey: Pitchey, clip: Path, name: str, options: list[str]
) -> None:
    (pitchey.cwd / "out" / name).parent.mkdir(parents=True)
    (pitchey.cwd / "out" / name).touch()
    answer = pitchey("run", "video", clip, "--output-format", "thumbnail", *options, "-o", "out")
    _is_one_error(answer, 2, f"out/{name} exists", "--overwrite")
    assert pitchey.ok("jobs", "--ids").out == ""


def test_a_result_in_json_is_said_even_where_a_file_is_in_its_way(pitchey: Pitchey, clip: Path) -> None:
    made = pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out", "--json").json
    again = pitchey("result", made["id"], "-o", "out", "--json")
    assert (again.code, again.json["outputs"][0]["role"]) == (2, "thumbnail")
    assert "exists" in again.json["error"]["message"] and "--overwrite" in again.err
    looked = pitchey.ok("result", made["id"], "--list", "--json").json
    assert looked["outputs"][0]["file"] == "sample_10s-thumbnail-001.jpg" and "error" not in looked
    assert [path.name for path in pitchey.cwd.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["media", "-p", "mp3", "--cover-url", "text.txt"], "--cover-url: text.txt is no JPEG or PNG."),
        (["media", "-p", "mp3", "--chapters-url", "text.txt"], "--chapters-url: text.txt is no Podcasting 2.0 JSON."),
        (["video", "--watermark-image-url", "text.txt"], "text.txt is no PNG, JPEG or WebP."),
        (["video", "--watermark-text", " "], "nothing that can be seen"),
        (["video", "--resolution", "1x1"], "at least 10 pixels"),
        (["video", "--resolution", "0x0"], "at least 10 pixels"),
        (["video", "--thumbnail-times", "1,x"], "thumbnailTimes (number 2) 'x'"),
        (["video", "--watermark-text", "me", "--watermark-opacity", "3"], "by default 0.5"),
        (["media", "-p", "m4a"], "aac, aac-high, aac-low, music make m4a."),
        (["media", "-p", "vorbis"], "ogg makes vorbis."),
        (["media", "-p", "podcats"], "Did you mean 'podcast'"),
    ],
)
def test_what_would_fail_in_an_instance_is_said_before_the_work(
    pitchey: Pitchey, clip: Path, options: list[str], says: str
) -> None:
    (pitchey.cwd / "text.txt").write_text("no picture")
    answer = pitchey("run", *options, clip, "-o", "out")
    _is_one_error(answer, answer.code, says)
    assert pitchey.ok("jobs", "--ids").out == ""


def test_only_a_name_that_is_near_is_offered_for_one_that_is_not_there(pitchey: Pitchey) -> None:
    (pitchey.cwd / "sync.mp4").touch()
    assert "Did you mean" not in pitchey("run", "video", "missing.mp4").err
    assert (
        "Did you mean 'sync.mp4'?" in pitchey("run", "video", "sink.mp4").err + pitchey("run", "video", "snyc.mp4").err
    )


def test_a_folder_in_the_way_is_found_before_the_work_and_overwrite_does_not_help(pitchey: Pitchey, clip: Path) -> None:
    (pitchey.cwd / "out" / "sample_10s.mp4").mkdir(parents=True)
    answer = pitchey("run", "video", clip, "-o", "out", "--overwrite")
    _is_one_error(answer, 2, "sample_10s.mp4 is a folder", "--output")
    assert pitchey.ok("jobs", "--ids").out == ""


@pytest.mark.parametrize("place", ["/proc", "/proc/x", "/dev/null", "/dev/null/x", "x" * 300])
def test_a_place_that_takes_no_results_is_found_before_the_work(pitchey: Pitchey, clip: Path, place: str) -> None:
    answer = pitchey("run", "video", clip, "-o", place)
    assert answer.code in (2, 4)
    _is_one_error(answer, answer.code, place, "--output")
    assert pitchey.ok("jobs", "--ids").out == ""


def test_a_result_that_cannot_be_written_in_the_end_is_kept(pitchey: Pitchey, clip: Path, lasting_options) -> None:
    run = pitchey.start("run", "video", clip, "-o", "out", *lasting_options)
    while not (ids := pitchey.ok("jobs", "--ids").lines):
        assert run.poll() is None
    (job_id,) = ids
    (pitchey.cwd / "out").rmdir()
    (pitchey.cwd / "out").touch()
    _, said = run.communicate(timeout=120)
    assert f"The result is kept: `pitchey result {job_id} -o DIR`" in said
    pitchey.ok("result", job_id, "-o", "elsewhere")


def test_names_as_long_as_a_file_system_takes_are_shortened_and_stay_apart(pitchey: Pitchey, clip: Path) -> None:
    names = ["ä" * 125 + f"{number}.mp4" for number in (1, 2)]  # 255 bytes
    for name in names:
        (pitchey.cwd / name).write_bytes(clip.read_bytes())
    options = ["--output-format", "thumbnail", "--no-cache", "-o", "out"]
    pitchey.ok("run", "video", *names, *options)
    made = [path.name for path in (pitchey.cwd / "out").iterdir()]
    assert len(made) == 2 and all(name.endswith("-thumbnail-001.jpg") for name in made)
    _is_one_error(pitchey("run", "video", names[0], *options), 2, "exists")
    _is_one_error(pitchey("run", "video", "x" * 300), 3, "There is no file")


def test_standard_input_may_hold_many_specs(pitchey: Pitchey, clip: Path) -> None:
    specs = "".join(f'{{"inputUrl": "{clip}", "quality": "{quality}"}}\n' for quality in ("low", "high"))
    ids = pitchey.ok("submit", "video", "-", stdin=specs).lines
    assert [pitchey.job(job_id)["spec"]["quality"] for job_id in ids] == ["low", "high"]
    assert len(list((pitchey.state_dir / "artifacts").rglob("*/*/*"))) <= 1 or _contents(pitchey) == 1


def _contents(pitchey: Pitchey) -> int:
    return sum(1 for path in (pitchey.state_dir / "artifacts").rglob("*") if path.is_file())


def _without_warning(err: str) -> str:
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith("warning:"))


def test_the_user_is_told_that_a_pipe_closed_by_saying_nothing(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("submit", "video", *[clip] * 50)
    command = " ".join(pitchey._command(("jobs", "--ids")))
    piped = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -1 >/dev/null"],
        capture_output=True,
        text=True,
        env=pitchey._environment({}) | {"PATH": os.environ["PATH"]},
    )
    assert "Traceback" not in piped.stderr and "error" not in piped.stderr.lower()
