"""Pipelines, as a person writes them and the queue carries them out."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, Pitchey

TALK = """
[steps.small]
service = "video"
input = "@input"
resolution = "160x160"
quality = "low"

[steps.posters]
service = "video"
input = "@small"
outputFormat = "thumbnail"
thumbnailTimes = [1, 2]
"""


@pytest.fixture
def talk(pitchey: Pitchey, clip: Path) -> Path:
    shutil.copy(clip, pitchey.cwd / "a.mp4")
    shutil.copy(clip, pitchey.cwd / "b.mp4")
    file = pitchey.cwd / "talk.toml"
    file.write_text(TALK)
    return file


def test_each_input_goes_through_the_steps_and_is_shown_as_a_tree(pitchey: Pitchey, talk: Path) -> None:
    assert pitchey.ok("pipeline", "submit", talk, "a.mp4", "b.mp4", "--batch", "tonight").out == "tonight\n"
    lines = pitchey.ok("pipeline", "show", "tonight").out.replace("\xa0", " ").splitlines()
    assert [re.sub(r"  (queued|held)  .*", "", line) for line in lines] == [
        "tonight",
        "├── a-small",
        "│   └── a-posters",
        "└── b-small",
        "    └── b-posters",
    ]
    pitchey.start_daemon()
    tree = pitchey.ok("pipeline", "show", "tonight", "--follow").out
    assert tree.count("succeeded") == 4
    for job_id in pitchey.ok("jobs", "--ids").lines:
        job = pitchey.job(job_id)
        if job["name"] == "a-posters":
            assert [each["name"] for each in job["inputs"]] == ["video.mp4"]
            assert len(pitchey.ok("result", job_id, "--list").lines) == 2
            return
    raise AssertionError("there is no a-posters")


def test_inputs_that_are_taken_together_fan_out_step_after_step(pitchey: Pitchey, talk: Path) -> None:
    talk.write_text(TALK.replace('input = "@', 'for_each = "@').replace("@small", "@small/*.mp4"))
    pitchey.start_daemon()
    name = pitchey.ok("pipeline", "submit", talk, "a.mp4", "b.mp4").out.strip()
    assert name.startswith("talk-")
    pitchey.ok("batch", "wait", name)
    names = [pitchey.job(job_id)["name"] for job_id in pitchey.ok("jobs", "--ids").lines]
    assert sorted(names) == ["a-small", "b-small", "talk-posters-1", "talk-posters-2"]


def test_a_step_that_fails_takes_down_what_works_on_it_and_no_more(pitchey: Pitchey, talk: Path) -> None:
    (pitchey.cwd / "a.mp4").write_bytes(b"no video")
    pitchey.start_daemon()
    pitchey.ok("pipeline", "submit", talk, "a.mp4", "b.mp4", "--batch", "tonight")
    assert pitchey("batch", "wait", "tonight").code == 1
    tree = pitchey.ok("pipeline", "show", "tonight").out
    assert (tree.count("dead"), tree.count("cancelled"), tree.count("succeeded")) == (2, 1, 2)  # "which is dead"


def test_a_pipeline_is_checked_as_a_whole_and_nothing_is_queued(pitchey: Pitchey, talk: Path) -> None:
    assert pitchey.ok("pipeline", "check", talk).lines == [
        "small: video of @input",
        "posters: video of @small after small",
    ]
    wrongs = {
        'input = "@smal"': "Step posters: there is no step 'smal'.",
        'input = "@small/*.webm"': "Step posters: small gives no '*.webm'.",
        'input = "@small"\nqualty = "low"': "Step posters: A video spec has no field 'qualty'.",
        'input = "@small"\npriority = "best"': "Step posters: There is no priority 'best'.",
        'input = "@small"\ndeadline = "nonsense"': "Step posters: --deadline: 'nonsense' is no time.",
        'input = "@small"\nslots = 9': "Step posters: --slots 9: an instance of the video service has 3.",
        'quality = "low"': "Step posters: it works on nothing.",
        'input = "@small"\nbatch = "x"': "Step posters: batch is of a whole pipeline",
        'input = "@small"\nservice = "audio"': "is no TOML",  # twice the same key
    }
    for wrong, says in wrongs.items():
        talk.write_text(TALK.replace('input = "@small"', wrong))
        answer = pitchey("pipeline", "submit", talk, "a.mp4")
        assert (answer.code, pitchey.ok("jobs", "--ids").out) == (2, "")
        assert says in answer.err
        assert says in pitchey("pipeline", "check", talk).err
    talk.write_text(TALK.replace("[1, 2]", "[1, 2]\n[steps.again]\nservice = 'video'\nfor_each = '@posters/*.jpg'"))
    assert "gives .jpg, which the video service does not take" in pitchey("pipeline", "check", talk).err


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("nowhere.toml",), 3, "no pipeline at"),
        (("talk.toml",), 2, "What shall the pipeline talk work on?"),
        (("talk.toml", "nowhere.mp4"), 3, "no file at"),
        (("a.mp4",), 2, "is no TOML"),
        (("talk.toml", "a.mp4", "--batch", "taken"), 2, "a batch 'taken' already"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    pitchey: Pitchey, talk: Path, arguments: tuple[str, ...], code: int, says: str
) -> None:
    pitchey.ok("submit", "video", "a.mp4", "--batch", "taken")
    answer = pitchey("pipeline", "submit", *arguments)
    assert (answer.code, len(pitchey.ok("jobs", "--ids").lines)) == (code, 1)
    assert says in answer.err


def test_the_example_runs_without_a_daemon_and_gives_what_its_last_steps_give(pitchey: Pitchey, clip: Path) -> None:
    example = ROOT / "examples" / "pipeline.toml"
    shown = pitchey.ok("pipeline", "run", example, clip, "-o", "out", "--batch", "tonight").out
    assert shown.replace("\xa0", " ").splitlines()[1].startswith("└── sample_10s-small  succeeded")
    assert sorted(path.name for path in (pitchey.cwd / "out").iterdir()) == [
        "sample_10s-posters-thumbnail-001.jpg",
        "sample_10s-posters-thumbnail-002.jpg",
        "sample_10s-webm.webm",
    ]
    assert pitchey("pipeline", "run", example, clip, "-o", "out").code == 2  # in the way of a result
    broken = pitchey.cwd / "broken.mp4"
    broken.write_bytes(b"no video")
    failed = pitchey("pipeline", "run", example, broken, "-o", "out", "--json")
    assert failed.code == 1
    assert sorted((each["name"], each["state"]) for each in map(json.loads, failed.lines)) == [
        ("broken-posters", "cancelled"),
        ("broken-small", "dead"),
        ("broken-webm", "dead"),
    ]


def test_a_run_that_is_held_for_a_dead_letter_ends_and_says_so(pitchey: Pitchey, talk: Path) -> None:
    talk.write_text(TALK + 'if_failed = "hold"\n')
    (pitchey.cwd / "a.mp4").write_bytes(b"no video")
    answer = pitchey("pipeline", "run", talk, "a.mp4", "-o", "out")
    assert answer.code == 1 and "held" in answer.out and "a.mp4 is not a media file" in answer.err


def test_a_run_that_is_given_up_leaves_no_step_behind(pitchey: Pitchey, talk: Path) -> None:
    answer = pitchey("pipeline", "run", talk, "a.mp4", "-o", "out", "--wait", "0.1")
    assert answer.code == 5 and "they are cancelled" in answer.err
    assert {pitchey.job(job_id)["state"] for job_id in pitchey.ok("jobs", "--ids").lines} <= {"cancelled"}
