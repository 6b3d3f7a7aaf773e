"""How the command line behaves towards people and scripts: streams, JSON, pipes, completion, help."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from pitchey_cli import __version__
from tests.conftest import Pitchey


def test_bare_pitchey_is_status(pitchey: Pitchey) -> None:
    bare, status = pitchey.ok(), pitchey.ok("status")
    assert bare.out == status.out
    assert "daemon: not running" in bare.out and "No jobs yet" in bare.out


def test_version(pitchey: Pitchey) -> None:
    assert pitchey.ok("--version").out == f"pitchey {__version__}\n"


def test_every_verb_has_help_and_is_in_the_list(pitchey: Pitchey) -> None:
    listed = pitchey.ok("--help").out
    for verb in ("run", "submit", "status", "jobs", "logs", "wait", "cancel", "result", "events", "why", "daemon"):
        assert f"\n  {verb} " in listed
        assert "Usage:" in pitchey.ok(verb, "--help").out


def test_ids_come_one_per_line_and_nothing_else_on_stdout(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey.ok("submit", "video", clip, clip)
    assert [len(line) for line in answer.lines] == [12, 12]
    assert answer.err == ""
    assert pitchey.ok("jobs", "--ids").lines == answer.lines[::-1]


def test_json_is_camel_case_and_says_its_schema(pitchey: Pitchey, clip: Path) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip, "--thumbnail-times", "1", "--priority", "urgent").lines
    document = pitchey.job(job_id)
    assert document["schema"] == 1 and document["priority"] == 5
    assert document["spec"]["thumbnailTimes"] == [1.0]
    assert document["inputs"][0]["size"] == clip.stat().st_size
    assert pitchey.ok("status", "--json").json["jobs"]["video"]["queued"] == 1


def test_jobs_are_filtered_by_state_service_and_time(pitchey: Pitchey, clip: Path) -> None:
    first, second = pitchey.ok("submit", "video", clip, clip).lines
    pitchey.ok("cancel", first)
    assert pitchey.ok("jobs", "--ids", "--state", "queued").lines == [second]
    assert pitchey.ok("jobs", "--ids", "--since", "1h", "--service", "video").lines == [second, first]
    assert pitchey.ok("jobs", "--ids", "--until", "1h").lines == []
    assert pitchey.ok("jobs", "--ids", "-n", "1").lines == [second]


def test_the_newest_job_has_a_name_of_its_own(pitchey: Pitchey, clip: Path) -> None:
    ids = pitchey.ok("submit", "video", clip, clip).lines
    assert pitchey.job("@last")["id"] == ids[-1]


def test_waiting_for_a_job_that_nobody_runs_is_refused_or_ends_with_the_time(pitchey: Pitchey, clip: Path) -> None:
    (job_id,) = pitchey.ok("submit", "video", clip).lines
    assert pitchey("wait", job_id).code == 8
    timed_out = pitchey("wait", job_id, "--timeout", "0.1")
    assert timed_out.code == 5 and "Not finished within 0.1 s" in timed_out.err


def test_a_setting_that_is_set_is_in_force_and_in_the_file(pitchey: Pitchey) -> None:
    pitchey.ok("config", "init")
    assert pitchey("config", "init").code == 2
    pitchey.ok("config", "set", "services.video.slots", "7")
    file = Path(pitchey.ok("config", "path").out.strip())
    assert tomllib.loads(file.read_text())["services"]["video"]["slots"] == 7
    assert pitchey.ok("config", "show", "services.video.slots").out == "7\n"
    shown = pitchey.ok("config", "show", "services.video.slots", "--json", PITCHEY_SERVICES_VIDEO_SLOTS="9").json
    assert (shown[0]["value"], shown[0]["source"]) == (9, "PITCHEY_SERVICES_VIDEO_SLOTS")


def test_status_starts_without_what_checks_specs(pitchey: Pitchey) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "pitchey_cli", "status"]
    environment = pitchey._environment({})
    done = subprocess.run(command, capture_output=True, text=True, cwd=pitchey.cwd, env=environment, check=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "pitchey_cli.store.sqlite" in imported
    assert not [name for name in imported if name.split(".")[0] == "pydantic" or name.startswith("processors.specs")]


def test_square_brackets_in_a_name_are_no_markup(pitchey: Pitchey, clip: Path) -> None:
    (pitchey.cwd / "[red]a.mp4").write_bytes(clip.read_bytes())
    answer = pitchey.ok("run", "video", "[red]a.mp4", "--output-format", "thumbnail", "-o", "out")
    assert "out/[red]a-thumbnail-001.jpg" in answer.out
    assert "[red]a" in pitchey.ok("jobs").out


def test_a_setting_that_is_unset_is_at_its_default_again(pitchey: Pitchey) -> None:
    pitchey.ok("config", "set", "services.video.slots", "7")
    pitchey.ok("config", "unset", "services.video.slots")
    assert pitchey.ok("config", "show", "services.video.slots").out == "3\n"
    assert pitchey("config", "unset", "services.video.slot").code == 2


def test_a_bad_value_in_the_file_can_be_taken_out_and_replaced(pitchey: Pitchey) -> None:
    file = Path(pitchey.ok("config", "path").out.strip())
    file.parent.mkdir(parents=True)
    for mend in (["unset", "services.video.slots"], ["set", "services.video.slots", "4"]):
        file.write_text("[services.video]\nslots = 0\nmax_attempts = 5\n")
        assert pitchey("status").code == 2
        pitchey.ok("config", *mend)
        pitchey.ok("status")
        assert tomllib.loads(file.read_text())["services"]["video"]["max_attempts"] == 5


def test_a_daemon_that_runs_has_the_old_setting_and_that_is_said(pitchey: Pitchey) -> None:
    assert "next start" not in pitchey.ok("config", "set", "services.video.slots", "2").err
    pitchey.start_daemon()
    assert "takes it up at its next start" in pitchey.ok("config", "set", "services.video.slots", "1").err


def test_a_misspelt_variable_is_told_with_the_nearest_one(pitchey: Pitchey) -> None:
    variables = {"PITCHEY_SERVICES_VIDEO_SLOT": "4", "PITCHEY_TEST_DOCKER": "unix:///x", "PITCHEY_DEBUG": "0"}
    said = pitchey.ok("status", **variables).err
    assert said == "warning: PITCHEY_SERVICES_VIDEO_SLOT sets nothing; did you mean PITCHEY_SERVICES_VIDEO_SLOTS?\n"


def test_the_finished_jobs_of_a_run_are_one_json_document_per_line(pitchey: Pitchey, clip: Path) -> None:
    bikes = clip.parent / "bikes.mp4"
    answer = pitchey.ok("run", "video", clip, bikes, "--output-format", "thumbnail", "-o", "out", "--json")
    documents = [json.loads(line) for line in answer.lines]
    files = [["out/sample_10s-thumbnail-001.jpg"], ["out/bikes-thumbnail-001.jpg"]]
    assert [document["files"] for document in documents] == files


@pytest.mark.parametrize(
    ("words", "offered"),
    [("pitchey can", "cancel"), ("pitchey run vi", "video"), ("pitchey run video --qua", "--quality")],
)
def test_the_shell_completes_verbs_services_and_options(pitchey: Pitchey, words: str, offered: str) -> None:
    script = pitchey.ok("completion", "bash").out
    assert "_PITCHEY_COMPLETE=complete_bash" in script
    environment = {"_PITCHEY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    assert offered in pitchey(**environment).lines


def test_no_colour_and_no_progress_bar_in_a_pipe(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out", NO_COLOR="")
    assert "\x1b" not in answer.out + answer.err


def test_the_log_of_a_job_is_what_its_programs_said(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "-o", "out")
    followed = pitchey.ok("logs", "-f", "@last")
    assert followed.out == pitchey.ok("logs", "@last").out
    stamped = pitchey.ok("logs", "-t", "@last").lines
    assert all(line[2] == ":" for line in stamped)


def test_what_a_finished_job_looks_like(pitchey: Pitchey, clip: Path) -> None:
    pitchey.ok("run", "video", clip, "--output-format", "thumbnail", "--thumbnail-times", "1", "-o", "out")
    shown = pitchey.ok("status", "@last").out
    for text in ("sample_10s", "succeeded", "thumbnail-001.jpg", "completed", "$0.0"):
        assert text in shown
    assert "It has succeeded." in pitchey.ok("why", "@last").out


def test_specs_of_one_name_on_standard_input_do_not_overwrite_each_other(pitchey: Pitchey, clip: Path) -> None:
    spec = f'{{"inputUrl": "{clip}", "outputFormat": "thumbnail"}}\n'
    pitchey.ok("run", "video", "-", "-o", "out", stdin=spec * 2)
    names = sorted(path.name for path in (pitchey.cwd / "out").iterdir())
    assert names == ["sample_10s-2-thumbnail-001.jpg", "sample_10s-thumbnail-001.jpg"]


def test_without_ffmpeg_the_process_engine_says_so_at_once(pitchey: Pitchey, clip: Path) -> None:
    answer = pitchey("run", "video", clip, "-o", "out", PATH="/nowhere")
    assert answer.code == 8
    assert "ffmpeg cannot be found on PATH" in answer.err and "apt-get install ffmpeg" in answer.err
