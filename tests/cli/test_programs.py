"""Programs on the command line: how they are asked for, what is shown of them, and the exit codes."""

from __future__ import annotations

import csv
import hashlib
import json
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pitchey_cli.artifacts.local import LocalArtifacts
from pitchey_cli.daemon.lock import lock
from pitchey_cli.domain import layout
from pitchey_cli.domain.job import InstanceState, JobId, Outcome, Output
from pitchey_cli.domain.placement import Candidate, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.domain.turns import QueuePolicy
from pitchey_cli.store.sqlite import SqliteStore
from processors.protocol import Reason, Service
from tests.conftest import Pitchey
from tests.resources.busy_store import instance
from tests.resources.waiting import DEADLINE_SECONDS

EMPTY = {"text": "", "size": 0, "isCut": False}
GREETING = "def main(name):\n    return {'hello': name}\n"


@pytest.fixture(autouse=True)
def program(pitchey: Pitchey) -> Path:
    path = pitchey.cwd / "greet.py"
    path.write_text(GREETING)
    return path


PIPELINE = """
[steps.first]
service = "code"
language = "python"
code = "open('out/a.csv', 'w').write('1')"

[steps.second]
service = "code"
language = "python"
code = "print(open('a.csv').read(), open('words.txt').read())"
input = "@first/*.csv"
inputFiles = {"words.txt" = "words.txt"}
"""


def spec_of(pitchey: Pitchey, *arguments: str, stdin: str = "") -> dict[str, Any]:
    (job_id,) = pitchey.ok("submit", "code", *arguments, stdin=stdin).lines
    spec: dict[str, Any] = pitchey.job(job_id)["spec"]
    return spec


def ended(verdict: str = "OK", **fields: Any) -> dict[str, Any]:
    """The details of a program, as the supervisor gives them."""
    return {
        "verdict": verdict,
        "message": "As the test has it.",
        "exitCode": 0 if verdict == "OK" else None,
        "signal": None,
        "wallSeconds": 0.03,
        "cpuSeconds": 0.02,
        "memoryPeakBytes": 9 << 20,
        "stdout": EMPTY,
        "stderr": EMPTY,
        "compile": None,
        "refused": [],
        **fields,
    }


def stream(text: str, **fields: Any) -> dict[str, Any]:
    return {"text": text, "size": len(text), "isCut": False, **fields}


def finish(pitchey: Pitchey, details: dict[str, Any], files: dict[str, tuple[str, bytes]] | None = None) -> str:
    """Queue a program, and have it end so."""
    (job_id,) = pitchey.ok("submit", "code", "greet.py").lines
    end_next(pitchey, details, files)
    return job_id


def end_next(pitchey: Pitchey, details: dict[str, Any], files: dict[str, tuple[str, bytes]] | None = None) -> None:
    """Have the next program in the queue run, and end so: what a daemon writes, without one."""
    artifacts = LocalArtifacts(layout.artifacts(pitchey.state_dir))
    outputs: list[Output] = []
    for path, (role, data) in (files or {}).items():
        source = pitchey.cwd / "left"
        source.write_bytes(data)
        kept = artifacts.add(source, limit_bytes=1 << 30)
        outputs.append(Output(path, role, "application/octet-stream", kept.sha256, kept.size))
        source.unlink()
    now = datetime.now(UTC)
    with closing(SqliteStore.open(layout.database(pitchey.state_dir))) as store:
        if not store.instances():
            store.add_instance(instance("code-1", Service.CODE, created_at=now))
            store.set_instance("code-1", InstanceState.READY, now=now, tick=0)
        places = Places.of([Candidate("code-1", slots=1, free_slots=1)])
        lease = now + timedelta(hours=1)
        (claimed,) = store.claim(
            PoolKey(Service.CODE, "", "default"),
            places=places,
            policy=QueuePolicy(),
            now=now,
            lease_until=lease,
            tick=0,
        )
        assert claimed.job.token is not None
        outcome = Outcome(Reason.COMPLETED, outputs=tuple(outputs), details=details)
        transition = after_attempt(claimed.job, outcome, now=now, dice=0.5)
        store.finish(claimed.job.id, claimed.job.token, outcome, transition, now=now, tick=1)


# --- what is asked for


def test_a_file_is_the_program_and_its_suffix_tells_the_language(pitchey: Pitchey) -> None:
    (pitchey.cwd / "a.mjs").write_text("1")
    assert spec_of(pitchey, "greet.py") == {
        "language": "python", "code": GREETING, "timeout": 10, "memoryLimit": 128, "allowNetworking": False,
    }  # fmt: skip
    assert spec_of(pitchey, "a.mjs")["language"] == "javascript"
    assert spec_of(pitchey, "a.mjs", "--language", "python")["language"] == "python"


def test_every_input_is_one_argument_and_what_follows_two_dashes_goes_to_the_program(pitchey: Pitchey) -> None:
    spec = spec_of(
        pitchey, "greet.py", "--input", '{"n": 10}', "--input", "[1, 2]", "--arg", "first", "--env", "A=b=c",
        "--memory", "64", "--timeout", "2.5", "--network", "--seed", "7", "--outputs", "*.png", "--entry-point", "main",
        "--", "--verbose", "x y",
    )  # fmt: skip
    assert spec["inputs"] == [{"n": 10}, [1, 2]]
    assert spec["args"] == ["first", "--verbose", "x y"]
    assert spec["environment"] == {"A": "b=c"}
    assert (spec["memoryLimit"], spec["timeout"], spec["allowNetworking"], spec["seed"]) == (64, 2.5, True, 7)
    assert (spec["outputs"], spec["entryPoint"]) == (["*.png"], "main")


def test_more_files_lie_beside_the_program_a_folder_with_its_tree(pitchey: Pitchey) -> None:
    inner = pitchey.cwd / "lib" / "deep"
    inner.mkdir(parents=True)
    (inner / "a.py").write_text("a")
    (inner / ".hidden").write_text("no")
    (pitchey.cwd / "data.csv").write_text("1,2")
    spec = spec_of(pitchey, "greet.py", "--file", "lib", "--file", "data.csv")
    assert spec["inputFiles"] == {"lib/deep/a.py": "lib/deep/a.py", "data.csv": "data.csv"}


def test_a_folder_that_holds_the_program_is_attached_without_it(pitchey: Pitchey) -> None:
    project = pitchey.cwd / "project"
    project.mkdir()
    (project / "main.py").write_text("import part")
    (project / "part.py").write_text("1")
    assert spec_of(pitchey, "project/main.py", "--file", "project/.")["inputFiles"] == {"part.py": "project/part.py"}


def test_a_schedule_puts_files_where_a_submission_puts_them(pitchey: Pitchey) -> None:
    (pitchey.cwd / "part.csv").write_text("1")
    pitchey.ok("schedule", "add", "code", "greet.py", "--file", ".", "--name", "often", "--cron", "0 0 * * *")
    (job_id,) = pitchey.ok("schedule", "run", "often").lines
    assert pitchey.job(job_id)["spec"]["inputFiles"].keys() == {"part.csv"}


def test_an_empty_file_may_lie_beside_a_program(pitchey: Pitchey) -> None:
    (pitchey.cwd / "lib").mkdir()
    (pitchey.cwd / "lib" / "__init__.py").touch()
    (job_id,) = pitchey.ok("submit", "code", "greet.py", "--file", "lib").lines
    assert [(each["name"], each["size"]) for each in pitchey.job(job_id)["inputs"]] == [("lib/__init__.py", 0)]


def test_files_that_a_spec_names_itself_stay_beside_those_that_are_attached(pitchey: Pitchey) -> None:
    for name in ("a.csv", "b.csv"):
        (pitchey.cwd / name).write_text(name)
    both = {"first": "a.csv", "b.csv": "b.csv"}
    assert spec_of(pitchey, "greet.py", "--set", "inputFiles.first=a.csv", "--file", "b.csv")["inputFiles"] == both
    line = {"input": "greet.py", "inputFiles": {"first": "a.csv"}}
    assert spec_of(pitchey, "-", "--file", "b.csv", stdin=json.dumps(line))["inputFiles"] == both


def test_a_step_that_is_fed_by_another_keeps_its_own_files(pitchey: Pitchey) -> None:
    (pitchey.cwd / "words.txt").write_text("word")
    (pitchey.cwd / "p.toml").write_text(PIPELINE)
    pitchey.ok("pipeline", "submit", "p.toml", "--batch", "one")
    jobs = {job["name"]: job for job in map(pitchey.job, pitchey.ok("jobs", "--ids").lines)}
    assert [each["name"] for each in jobs["p-second"]["inputs"]] == ["@first/*.csv", "words.txt"]
    assert jobs["p-second"]["spec"]["inputFiles"]["words.txt"] == "words.txt"


def test_a_program_that_is_no_text_is_named_with_the_line_that_asks_for_it(pitchey: Pitchey) -> None:
    (pitchey.cwd / "b.py").write_bytes(b"\xff")
    answer = pitchey("submit", "code", "-", stdin='[{"input": "greet.py"}, {"input": "b.py"}]')
    assert answer.code != 0 and "Standard input" in answer.err and "b.py is no UTF-8" in answer.err


def test_what_is_piped_in_is_what_the_program_reads(pitchey: Pitchey) -> None:
    assert spec_of(pitchey, "greet.py", stdin="a line\n")["stdin"] == "a line\n"
    assert spec_of(pitchey, "greet.py", "--stdin", "mine", stdin="a line\n")["stdin"] == "mine"
    assert "stdin" not in spec_of(pitchey, "greet.py", stdin="")


def test_a_line_needs_no_file(pitchey: Pitchey) -> None:
    spec = spec_of(pitchey, "-e", "print(1)", "--language", "python")
    assert (spec["code"], spec["language"]) == ("print(1)", "python")


def test_a_line_of_csv_gives_a_program_all_that_the_command_line_can(pitchey: Pitchey) -> None:
    rows = [
        ["input", "inputs", "args", "environment", "packages", "files"],
        ["greet.py", '[{"n": 10}, [1, 2]]', '["a b", "c"]', '{"A": "b=c"}', "a[b,c]>=1.0,<2", '{"x.y": "z"}'],
        ["greet.py", '{"n": 10}', "a b", "A=b=c", "", ""],
        ["greet.py", "3", "", "", "", ""],
    ]
    with (pitchey.cwd / "jobs.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    one, two, three = (pitchey.job(job_id)["spec"] for job_id in pitchey.ok(
        "submit", "code", "--manifest", "jobs.csv").lines)  # fmt: skip
    assert (one["inputs"], one["args"]) == ([{"n": 10}, [1, 2]], ["a b", "c"])
    assert (one["environment"], one["packages"], one["files"]) == ({"A": "b=c"}, ["a[b,c]>=1.0,<2"], {"x.y": "z"})
    assert (two["inputs"], two["args"], two["environment"]) == ([{"n": 10}], ["a b"], {"A": "b=c"})
    assert three["inputs"] == [3]


def test_a_cell_that_means_nothing_is_named_with_its_line_and_column(pitchey: Pitchey) -> None:
    for cell, says in (("hello", "inputs 'hello' is not JSON"), ('"[1, 2"', "'[1, 2' is not JSON")):
        (pitchey.cwd / "jobs.csv").write_text(f"input,inputs\ngreet.py,1\ngreet.py,{cell}\n")
        answer = pitchey("submit", "code", "--manifest", "jobs.csv")
        assert (answer.code, f"error: jobs.csv, line 3, column 'inputs': {says}" in answer.err) == (2, True), answer.err


@pytest.mark.parametrize("verb", ["submit", "run"])
def test_a_second_program_on_the_command_line_is_refused_and_none_is_queued(pitchey: Pitchey, verb: str) -> None:
    answer = pitchey(verb, "code", "-e", "print(1)", "--language", "python", "--code", "print(2)")
    assert answer.code == 2
    assert "error: --code or -e is given 2 times, and a job has one." in answer.err
    assert pitchey.ok("jobs", "--ids").lines == []


def test_what_has_one_value_is_said_once_and_what_has_several_as_often_as_one_likes(pitchey: Pitchey) -> None:
    answer = pitchey("submit", "code", "greet.py", "--timeout", "1", "--timeout", "2")
    assert (answer.code, "--timeout is given 2 times" in answer.err) == (2, True)
    spec = spec_of(pitchey, "greet.py", "--arg", "a", "--arg", "a", "--network", "--no-network", "--", "--timeout", "a")
    assert (spec["args"], spec["allowNetworking"]) == (["a", "a", "--timeout", "a"], False)


def test_specs_as_json_are_taken_as_they_are(pitchey: Pitchey) -> None:
    line = json.dumps({"language": "go", "code": "package main", "stdin": "x"})
    assert spec_of(pitchey, "-", stdin=line)["code"] == "package main"
    (pitchey.cwd / "jobs.jsonl").write_text(json.dumps({"input": "greet.py", "seed": 3}))
    assert spec_of(pitchey, "--manifest", "jobs.jsonl")["code"] == GREETING


def test_a_folder_and_several_files_are_a_job_each(pitchey: Pitchey) -> None:
    folder = pitchey.cwd / "all"
    folder.mkdir()
    for name in ("a.py", "b.rs", "notes.txt"):
        (folder / name).write_text("x")
    assert len(pitchey.ok("submit", "code", "all", "greet.py").lines) == 3


def test_an_attempt_may_last_as_long_as_its_program(pitchey: Pitchey) -> None:
    (job_id,) = pitchey.ok("submit", "code", "greet.py", "--timeout", "3000").lines
    with closing(SqliteStore.open(layout.database(pitchey.state_dir))) as store:
        assert store.job(JobId(job_id)).timeout_seconds > 3000


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["greet.py", "--input", "hello"], 2, ["--input 'hello' is not JSON", "'\"hello\"'"]),
        (["greet.py", "--env", "A"], 2, ["--env 'A' is not NAME=VALUE"]),
        (["gret.py"], 3, ["There is no file at 'gret.py'", "greet.py"]),
        (["greet.py", "--file", "none.txt"], 3, ["There is no file at 'none.txt'"]),
        (["binary.py"], 2, ["binary.py is no UTF-8 text: byte 1 is 0xff"]),
        (["large.py"], 2, ["large.py is larger than 4 MiB"]),
        (["program"], 2, ["suffix of program does not tell its language", "--language"]),
        (["greet.py", "-e", "1"], 2, ["'greet.py', and --code besides"]),
        (["-e", "1"], 2, ["needs the field 'language'", "javascript, python, go or rust"]),
        (["greet.py", "--language", "cobol"], 2, ["'cobol' is not one of javascript, python, go, rust"]),
        (["greet.py", "--file", "twin", "--file", "sub/twin"], 2, ["there is a file 'twin' already"]),
        (["https://example.org/a.py"], 2, ["is a URL, and programs are read from files"]),
    ],
)
def test_what_cannot_be_a_program_is_named(pitchey: Pitchey, arguments: list[str], code: int, says: list[str]) -> None:
    (pitchey.cwd / "binary.py").write_bytes(b"1\xff")
    (pitchey.cwd / "large.py").write_bytes(b"#" * ((4 << 20) + 1))
    (pitchey.cwd / "program").write_text("1")
    (pitchey.cwd / "sub").mkdir()
    for name in ("twin", "sub/twin"):
        (pitchey.cwd / name).write_text("1")
    answer = pitchey("submit", "code", *arguments)
    assert answer.code == code, answer.err
    for text in says:
        assert text in answer.err
    assert pitchey.ok("jobs", "--ids").out == ""


def test_what_is_piped_in_is_named_where_it_is_no_text(pitchey: Pitchey) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pitchey_cli", "submit", "code", "greet.py"],
        input=b"\xff\n", capture_output=True, cwd=pitchey.cwd, env=pitchey._environment({}),
    )  # fmt: skip
    assert done.returncode == 2 and b"Standard input is no UTF-8 text" in done.stderr


def test_a_schedule_reads_its_program_and_what_lies_beside_it_anew_each_time(pitchey: Pitchey) -> None:
    (pitchey.cwd / "data.txt").write_text("old")
    pitchey.ok("schedule", "add", "code", "greet.py", "--file", "data.txt", "--name", "n", "--cron", "@daily")
    (pitchey.cwd / "data.txt").write_text("new")
    (pitchey.cwd / "greet.py").write_text("changed")
    (job_id,) = pitchey.ok("schedule", "run", "n").lines
    job = pitchey.job(job_id)
    (beside,) = job["inputs"]
    assert (job["spec"]["code"], beside["name"]) == ("changed", "data.txt")
    assert beside["sha256"] == hashlib.sha256(b"new").hexdigest()


# --- what is shown


def test_a_result_is_what_the_program_printed_and_a_line_about_its_end(pitchey: Pitchey) -> None:
    job_id = finish(
        pitchey,
        ended(stdout=stream("no newline"), stderr=stream("careful\n"), returned={"hello": "you"}),
        {"plots/a.txt": ("file", b"1"), "plots-a.txt": ("file", b"22"), "code.py": ("file", b"333")},
    )
    answer = pitchey.ok("result", job_id, "-o", "out")
    assert answer.out == 'no newline\n{"hello": "you"}\n'
    assert answer.err.splitlines() == [
        "careful",
        "OK, exit code 0, 0.03 s, 0.02 s CPU, 9.0 MiB",
        "wrote out/greet-plots/a.txt, 1 B",
        "wrote out/greet-plots-a.txt, 2 B",
        "wrote out/greet-code.py, 3 B",
    ]
    assert (pitchey.cwd / "out" / "greet-plots" / "a.txt").read_bytes() == b"1"


def test_bytes_that_are_no_text_and_streams_that_are_long_come_whole(pitchey: Pitchey) -> None:
    long = b"x" * 100_000 + b"\n"
    details = ended(
        stdout=stream("\ufffd", base64="/wA=", size=2), stderr=stream("x" * 65536, size=len(long), file="stderr.txt")
    )
    job_id = finish(pitchey, details, {"stderr.txt": ("stderr", long)})
    done = subprocess.run(
        [sys.executable, "-m", "pitchey_cli", "result", job_id, "--quiet"],
        capture_output=True, cwd=pitchey.cwd, env=pitchey._environment({}),
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, b"\xff\x00", long)
    assert not list(pitchey.cwd.glob("*stderr*"))
    pitchey.ok("result", job_id, "--streams", "--json", "-o", "out")
    assert (pitchey.cwd / "out" / "greet-stderr.txt").read_bytes() == long


def test_what_is_missing_of_its_output_is_said(pitchey: Pitchey) -> None:
    details = ended(
        "OUTPUT_LIMIT", signal=9, stdout=stream("x\n", isCut=True),
        returnedProblem="no JSON", refused=[{"name": "out/link", "reason": "a symbolic link"}],
    )  # fmt: skip
    answer = pitchey("result", finish(pitchey, details))
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "OUTPUT_LIMIT, SIGKILL, 0.03 s, 0.02 s CPU, 9.0 MiB: As the test has it.",
        "stdout is cut: the first 2 B are kept",
        "what it returned is left out: no JSON",
        "not taken: out/link: a symbolic link",
    ]


def test_code_that_does_not_compile_shows_what_the_compiler_says(pitchey: Pitchey) -> None:
    compiler = ended("COMPILE_ERROR", exitCode=1, stderr=stream("main.go:1: no\n"))
    answer = pitchey("result", finish(pitchey, ended("COMPILE_ERROR", compile=compiler)))
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("main.go:1: no\nCOMPILE_ERROR, exit code 1, ")


def test_json_has_all_the_details(pitchey: Pitchey) -> None:
    details = ended(stdout=stream("hello\n"), returned=[1, None])
    job_id = finish(pitchey, details)
    assert pitchey.job(job_id)["details"] == details
    assert pitchey.ok("result", job_id, "--json").json["details"] == details


def test_the_verdict_stands_where_people_look(pitchey: Pitchey) -> None:
    job_id = finish(pitchey, ended("TIMEOUT", signal=9))
    for command in (["jobs"], ["status"], ["status", job_id], ["why", job_id]):
        assert "TIMEOUT" in pitchey.ok(*command).out, command


def test_jobs_are_listed_by_how_their_programs_ended(pitchey: Pitchey) -> None:
    late, well, dead = (finish(pitchey, ended(verdict)) for verdict in ("TIMEOUT", "OK", "SIGNALLED"))
    pitchey.ok("submit", "code", "greet.py")
    assert pitchey.ok("jobs", "--verdict", "timeout", "--ids").lines == [late]
    assert pitchey.ok("jobs", "--verdict", "OK", "--verdict", "SIGNALLED", "--ids").lines == [dead, well]
    found = [json.loads(line)["verdict"] for line in pitchey.ok("jobs", "--json").lines]
    assert found == [None, "SIGNALLED", "OK", "TIMEOUT"]
    table = pitchey.ok("jobs", "--service", "code").out
    assert "verdict" in table and "TIMEOUT" in table
    assert "verdict" not in pitchey.ok("jobs", "--verdict", "OK").out  # it says what everybody expects


@pytest.mark.parametrize("name", ["TIME", "LATE", "REJECTED"])
def test_a_verdict_that_no_program_gets_is_refused_with_those_that_there_are(pitchey: Pitchey, name: str) -> None:
    answer = pitchey("jobs", "--verdict", "OK", "--verdict", name)
    assert answer.code == 2
    assert f"There is no verdict {name!r}" in answer.err
    for known in ("NONZERO_EXIT", "TIMEOUT", "MEMORY_LIMIT", "SECURITY"):
        assert known in answer.err


# --- exit codes


@pytest.mark.parametrize(
    ("details", "usual", "own"),
    [
        (ended(), 0, 0),
        (ended("NONZERO_EXIT", exitCode=7), 1, 7),
        (ended("SIGNALLED", signal=11), 1, 139),
        (ended("TIMEOUT", signal=9), 1, 124),
        (ended("MEMORY_LIMIT", signal=9), 1, 137),
        (ended("OUTPUT_LIMIT", exitCode=0), 1, 1),
        (ended("COMPILE_ERROR", compile=ended("COMPILE_ERROR", exitCode=1)), 1, 1),
    ],
)
def test_a_program_that_did_not_end_well_has_failed(
    pitchey: Pitchey, details: dict[str, Any], usual: int, own: int
) -> None:
    job_id = finish(pitchey, details)
    assert pitchey("wait", job_id, "-q").code == pitchey("result", job_id).code == usual
    silent = pitchey("result", job_id, "--exec")
    is_limit = details["verdict"] in ("TIMEOUT", "MEMORY_LIMIT", "OUTPUT_LIMIT")  # the exit code would not say so
    assert (silent.code, silent.out, details["verdict"] in silent.err) == (own, "", is_limit)
    assert is_limit or silent.err == ""
    assert pitchey("wait", job_id, "--exec").code == own


def test_exec_takes_one_program(pitchey: Pitchey, clip: Path) -> None:
    ids = [finish(pitchey, ended()) for _ in range(2)]
    for command in ("wait", "result"):
        answer = pitchey(command, *ids, "--exec")
        assert answer.code == 2 and "--exec takes one program, and these are 2 jobs" in answer.err
    assert pitchey("run", "code", "greet.py", "greet.py", "--exec").code == 2
    assert "--exec" not in pitchey.ok("run", "video", "--help").out


def test_a_run_is_as_if_the_program_had_run_here(pitchey: Pitchey) -> None:
    pitchey.ok("status")  # makes the directory
    with lock(pitchey.state_dir, is_daemon=True, engine="process"):  # as a daemon that leaves the work to this test
        running = pitchey.start("run", "code", "greet.py", "--exec")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not pitchey.ok("jobs", "--ids", "--state", "queued").lines:
            assert time.monotonic() < deadline and running.poll() is None
        end_next(pitchey, ended("NONZERO_EXIT", exitCode=3, stdout=stream("out\n"), stderr=stream("err\n")))
        out, err = running.communicate(timeout=DEADLINE_SECONDS)
    assert (running.returncode, out, err) == (3, "out\n", "err\n")


# --- what waits for programs


def wait_behind(pitchey: Pitchey, verdict: str, *options: str) -> str:
    """Queue one program behind another that ends so; the state of the second."""
    (first,) = pitchey.ok("submit", "code", "greet.py", "--batch", "b").lines
    (second,) = pitchey.ok("submit", "code", "greet.py", "--after", first, *options).lines
    end_next(pitchey, ended(verdict))
    return str(pitchey.job(second)["state"])


def test_what_is_to_follow_a_program_follows_only_one_that_ended_well(pitchey: Pitchey) -> None:
    assert wait_behind(pitchey, "OK") == "queued"


def test_what_is_to_follow_a_program_that_did_not_end_well_is_cancelled_and_told_why(pitchey: Pitchey) -> None:
    assert wait_behind(pitchey, "TIMEOUT") == "cancelled"
    (job_id,) = pitchey.ok("jobs", "-s", "cancelled", "--ids").lines
    assert "a program that ended with TIMEOUT" in pitchey.ok("why", job_id).out


def test_what_is_to_run_all_the_same_runs_behind_a_program_that_did_not_end_well(pitchey: Pitchey) -> None:
    assert wait_behind(pitchey, "NONZERO_EXIT", "--if-failed", "run") == "queued"


def test_a_batch_with_a_program_that_did_not_end_well_has_failed(pitchey: Pitchey) -> None:
    (job_id,) = pitchey.ok("submit", "code", "greet.py", "--batch", "b").lines
    end_next(pitchey, ended("MEMORY_LIMIT"))
    waited = pitchey("batch", "wait", "b")
    assert waited.code == 1
    assert job_id in waited.err
    pitchey.ok("batch", "report", "b", "--junit", "b.xml")
    assert 'failures="1"' in (text := (pitchey.cwd / "b.xml").read_text())
    assert "MEMORY_LIMIT" in text


@pytest.mark.parametrize(
    ("language", "package", "says"),
    [
        (
            "python",
            "--index-url=https://x.example",
            "is no requirement with a name and versions, as requests==2.32.3: opt",
        ),
        ("python", "requests@2.32", "'requests@2.32' is no requirement"),
        ("javascript", "git+ssh://git@x.example/a.git", "is no package with a version, as lodash@4.17.21: URLs"),
        ("go", "example.org/a", "is no module with a version, as example.org/module@v1.2.3"),
        ("rust", "serde", "packages and lock are not for Rust"),
    ],
)
def test_packages_that_nobody_could_fetch_are_refused_before_anything_is_queued(
    pitchey: Pitchey, language: str, package: str, says: str
) -> None:
    for verb in ("submit", "run"):
        answer = pitchey(verb, "code", "-e", "", "--language", language, f"--package={package}")
        assert answer.code == 2
        assert answer.err.startswith("error: ") and says in answer.err
    (pitchey.cwd / "lock").write_text("a==1\n-r other.txt\n")
    assert pitchey("submit", "code", "greet.py", "--lock", "lock").code == 2
    assert pitchey.ok("jobs", "--ids").lines == []


def test_a_lock_is_a_file_that_is_read(pitchey: Pitchey) -> None:
    (pitchey.cwd / "requirements.txt").write_text("requests==2.32.3\n")
    assert spec_of(pitchey, "greet.py", "--lock", "requirements.txt")["lock"] == "requests==2.32.3\n"
    missing = pitchey("submit", "code", "greet.py", "--lock", "none.txt")
    assert (missing.code, "none.txt" in missing.err) == (3, True)
