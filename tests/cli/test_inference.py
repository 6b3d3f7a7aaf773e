"""`pitchey run inference`: texts and pictures in, answers on the terminal; real models, on the engine `process`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Pitchey
from tests.resources import onnx_models
from tests.resources.models import default_models
from tests.resources.onnx_models import add_classifier
from tests.resources.oracle import CHELSEA, COFFEE
from tests.resources.waiting import stand_still

PROCESS = {"PITCHEY_ENGINE_KIND": "process"}


@pytest.fixture
def asked(pitchey: Pitchey) -> Pitchey:
    """The command line on a machine that has the models."""
    pitchey.state_dir.mkdir(exist_ok=True)
    (pitchey.state_dir / "models").symlink_to(default_models())
    shutil.copy(COFFEE, pitchey.cwd / "coffee.jpg")
    return pitchey


def test_a_text_is_answered_on_the_terminal_and_leaves_no_file(asked: Pitchey) -> None:
    before = {*asked.cwd.iterdir()}
    answer = json.loads(asked.ok("run", "inference", "sentiment", "I love it", **PROCESS).out)
    assert answer["output"][0]["label"] == "POSITIVE" and list(answer)[:4] == ["model", "version", "task", "output"]
    assert {*asked.cwd.iterdir()} == before


def test_a_picture_is_answered_in_words_and_several_files_are_jobs(asked: Pitchey) -> None:
    out = asked.ok(
        "run", "inference", "classify", "coffee.jpg", "--threshold", "0.3", "--output-format", "text", **PROCESS
    ).out
    assert out.startswith("espresso 0.")
    (asked.cwd / "many.jsonl").write_text('"It is very good"\n"It is bad"\n')
    asked.ok("run", "inference", "sentiment", "many.jsonl", "-o", "out", **PROCESS)
    lines = (asked.cwd / "out" / "many.jsonl").read_text().splitlines()
    assert [json.loads(line)["output"][0]["label"] for line in lines] == ["POSITIVE", "NEGATIVE"]


def test_several_files_are_one_job_when_they_are_put_beside_the_first(asked: Pitchey) -> None:
    folder = asked.cwd / "more"
    folder.mkdir()
    shutil.copy(CHELSEA, folder / "cat.jpg")
    shutil.copy(CHELSEA, asked.cwd / "chelsea.jpg")
    pictures = ("coffee.jpg", "--file", "chelsea.jpg", "--file", "more", "--top-k", "1")
    answer = json.loads(asked.ok("run", "inference", "classify", *pictures, **PROCESS).out)
    labels = [each[0]["label"] for each in answer["output"]]
    assert labels[0] == "espresso" and labels[1] == labels[2] and "cat" in labels[1]
    (asked.cwd / "bought.csv").write_text("user,item\nann,tent\nbob,tent\nbob,lamp\n")
    (asked.cwd / "items.jsonl").write_text('{"item": "lantern", "text": "a light for the tent"}\n')
    fit = ("recommend-fit", "bought.csv", "--file", "items.jsonl")
    assert json.loads(asked.ok("run", "inference", *fit, **PROCESS).out)["output"]["describedItems"] == 1
    (folder / "coffee.jpg").write_bytes((folder / "cat.jpg").read_bytes())
    twice = asked("run", "inference", "classify", "coffee.jpg", "--file", "more/coffee.jpg", **PROCESS)
    assert twice.code == 2 and "there is a file 'coffee.jpg' already" in twice.err


def test_what_is_piped_in_is_the_text_and_specs_come_as_json(asked: Pitchey) -> None:
    command = ("run", "inference", "sentiment", "--output-format", "text")
    assert asked.ok(*command, stdin="coffee.jpg is wonderful", **PROCESS).out.startswith("POSITIVE")
    specs = '{"model": "classify", "inputData": "coffee.jpg", "outputFormat": "text", "parameters": {"topK": 1}}'
    assert asked.ok("run", "inference", "-", stdin=specs, **PROCESS).out.startswith("espresso")
    assert asked.ok(*command, "--text", "missing.jpg is awful", **PROCESS).out.startswith("NEGATIVE")


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["sentiment", "missing.jpg"], 3, ["There is no file at 'missing.jpg'"]),
        (["sentiment"], 2, ["What shall the inference service work on?", "`pitchey run inference MODEL"]),
        (["Sentiment!", "x"], 2, ["model 'Sentiment!' has the wrong form", "sentiment@1"]),
        (["sentiment", "x", "--threshold", "2"], 2, ["parameters.threshold '2'"]),
        (["sentiment", "a text", "coffee.jpg"], 2, ["'coffee.jpg' is a file, and 'a text' is none"]),
        (["sentiment", "a text", "--text", "b"], 2, ["which is it?"]),
        (["sentimnt", "x"], 2, ["There is no model 'sentimnt'.", "Did you mean 'sentiment'?"]),
        (["sentiment@9", "x"], 2, ["has no version '9'", "It has 1."]),
        (["zero-shot", "x"], 2, ["zero-shot needs labels to choose between.", "--labels"]),
        (["sentiment", "x", "--labels", "a,b"], 2, ["sentiment has no use for the parameter labels."]),
    ],
)
def test_what_makes_no_sense_is_said_before_anything_runs(
    pitchey: Pitchey, arguments: list[str], code: int, says: list[str]
) -> None:
    (pitchey.cwd / "coffee.jpg").write_text("x")
    answer = pitchey("run", "inference", *arguments, **PROCESS)
    assert answer.code == code, answer.err
    assert all(text in answer.err for text in says), answer.err


def test_a_model_of_the_machine_is_steered_as_its_manifest_says(pitchey: Pitchey) -> None:
    add_classifier(pitchey.state_dir / "models", "colour", onnx_models.colours())
    answer = pitchey("submit", "inference", "colour", "x", "--max-tokens", "3")
    assert answer.code == 2 and "colour has no use for the parameter maxTokens." in answer.err
    assert pitchey.ok("jobs", "--json").out == "", "nothing was queued"


def test_the_pieces_of_a_generated_text_are_put_together_in_the_log(asked: Pitchey) -> None:
    command = ("run", "inference", "generate", "Write one sentence about the sea.", "--max-tokens", "6")
    written = json.loads(asked.ok(*command, **PROCESS).out)["output"]["generated_text"]
    (job,) = map(json.loads, asked.ok("jobs", "--json").out.splitlines())
    assert asked.ok("logs", job["id"]).out == written + "\n"


def test_a_manifest_has_a_text_or_a_file_on_each_line(asked: Pitchey) -> None:
    lines = ["model,input,name", "sentiment,It is very good,a", "classify,coffee.jpg,b"]
    (asked.cwd / "jobs.csv").write_text("\n".join(lines))
    command = ("run", "inference", "--manifest", "jobs.csv", "--output-format", "text", "-o", "out")
    asked.ok(*command, **PROCESS)
    answers = {path.name: path.read_text().split()[0] for path in (asked.cwd / "out").iterdir()}
    assert answers == {"a.txt": "POSITIVE", "b.txt": "espresso"}


def test_a_text_is_printed_while_it_is_being_written(asked: Pitchey) -> None:
    command = (
        "run",
        "inference",
        "generate",
        "Count from one to a hundred, in words.",
        "--max-tokens",
        "60",
        "--stream",
    )
    process = asked.start(*command, **PROCESS)
    assert process.stdout is not None
    begin = os.read(process.stdout.fileno(), 4096).decode()
    stand_still(process.pid)  # it says when the job has ended: that has not been, however quick the model is
    (job,) = [json.loads(line) for line in asked.ok("jobs", "--json").lines]
    process.send_signal(signal.SIGCONT)
    assert begin.strip() and job["state"] == "running"
    whole = begin + process.stdout.read()
    assert process.wait() == 0 and len(whole) > len(begin)
    # The same question has the same answer: it is that of the job before, and has no pieces.
    assert asked.ok(*command, **PROCESS).out == whole
    document = json.loads(asked.ok(*command[:-1], "--no-cache", **PROCESS).out)
    assert document["output"]["generated_text"] == whole.removesuffix("\n")


def test_a_terminal_gets_the_text_as_it_comes_and_anything_else_as_it_is(asked: Pitchey) -> None:
    def shown(*arguments: str) -> str:
        ours, theirs = os.openpty()
        process = subprocess.Popen(
            asked._command(("run", "inference", *arguments)), stdin=subprocess.DEVNULL, stdout=theirs,
            stderr=subprocess.DEVNULL, cwd=asked.cwd, env=asked._environment(PROCESS),
        )  # fmt: skip
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # EIO: nobody writes any more
            while data := os.read(ours, 4096):
                said += data
        os.close(ours)
        assert process.wait() == 0
        return said.decode()

    asked.start_daemon(**PROCESS)
    text = shown("generate", "Write one sentence about the sea.", "--max-tokens", "6")
    assert text.endswith("\r\n") and not text.startswith("{") and "sea" in text.lower()
    assert json.loads(shown("sentiment", "I love it"))["output"][0]["label"] == "POSITIVE"
    asked_for = shown("generate", "Write one sentence about the sea.", "--max-tokens", "6", "--output-format", "json")
    assert json.loads(asked_for)["output"]["generated_text"] == text.strip()


def test_a_document_cannot_be_streamed(asked: Pitchey) -> None:
    answer = asked("run", "inference", "generate", "Hello.", "--stream", "--output-format", "json", **PROCESS)
    assert answer.code == 2 and "--stream prints text, and json is asked for." in answer.err


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a graphics card")
def test_a_graphics_card_that_is_not_there_is_one_error_and_nothing_is_run_without(asked: Pitchey) -> None:
    answer = asked("run", "inference", "sentiment", "I love it", "--gpu", **PROCESS)
    assert answer.code == 8 and answer.out == "", answer
    assert answer.err.count("error:") == 1 and "no graphics card for instances, and one is asked for." in answer.err
    asked.start_daemon(**PROCESS)
    answer = asked("run", "inference", "sentiment", "I love it", "--gpu", **PROCESS)
    assert answer.code == 2 and "`pitchey config set inference.gpu true`" in answer.err, answer
