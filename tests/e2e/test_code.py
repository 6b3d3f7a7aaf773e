"""Programs as a user runs them, through the whole of Pitchey, on real engines."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli.domain import layout
from pitchey_cli.engines import marked
from tests.conftest import Pitchey
from tests.e2e.conftest import CodeEngine

ADDING = {
    "a.py": "def main(numbers, scale=1):\n    return {'sum': sum(numbers) * scale}\n",
    "a.js": "async function main(numbers, scale) {\n  return {sum: numbers.reduce((a, b) => a + b) * scale};\n}\n",
    "a.go": """package main

import ("encoding/json"; "os")

func main() {
    var inputs []json.RawMessage
    json.NewDecoder(os.Stdin).Decode(&inputs)
    var numbers []int
    var scale int
    json.Unmarshal(inputs[0], &numbers)
    json.Unmarshal(inputs[1], &scale)
    sum := 0
    for _, number := range numbers { sum += number }
    json.NewEncoder(os.NewFile(3, "return")).Encode(map[string]int{"sum": sum * scale})
}
""",
    "a.rs": """use std::{fs::File, io::{read_to_string, stdin, Write}, os::fd::FromRawFd};
fn main() {
    let text = read_to_string(stdin()).unwrap();
    let numbers: Vec<i64> = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let (scale, rest) = numbers.split_last().unwrap();
    write!(unsafe { File::from_raw_fd(3) }, "{{\\"sum\\":{}}}", rest.iter().sum::<i64>() * scale).unwrap();
}
""",
}


PATIENT = ("--timeout", "60")  # on a machine that is busy the start of node alone has taken more than the usual 10 s


@pytest.fixture
def pitchey(code_engine: CodeEngine, tmp_path: Path) -> Iterator[Pitchey]:
    """The command line with an empty state directory, on an engine that has the image."""
    work = tmp_path / "work"
    work.mkdir()
    command = Pitchey(tmp_path / "state", work, dict(code_engine.settings))
    yield command
    command.end()


@pytest.fixture
def daemon(pitchey: Pitchey) -> Pitchey:
    pitchey.start_daemon()
    return pitchey


@pytest.mark.by_turns
@pytest.mark.parametrize("name", ADDING)
def test_inputs_reach_a_program_in_its_own_way_and_its_value_comes_back(daemon: Pitchey, name: str) -> None:
    (daemon.cwd / name).write_text(ADDING[name])
    answer = daemon.ok("run", "code", name, "--input", "[1, 2, 3]", "--input", "10", *PATIENT, "--json").json
    assert answer["details"]["returned"] == {"sum": 60}
    assert answer["details"]["verdict"] == "OK"


def test_without_a_daemon_a_program_runs_and_nothing_is_left_of_it(pitchey: Pitchey) -> None:
    answer = pitchey.ok("run", "code", "-e", "print(input()[::-1])", "--language", "python", stdin="abc\n")
    assert answer.out == "cba\n"
    assert answer.err.startswith("OK, exit code 0")
    assert list(layout.supervisors(pitchey.state_dir).glob("*")) == []


@pytest.mark.by_turns
def test_with_exec_it_is_as_if_the_program_had_run_here(daemon: Pitchey) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(int(sys.argv[1]))"
    answer = daemon("run", "code", "-e", code, "--language", "python", "--exec", "--", "7")
    assert (answer.code, answer.out, answer.err) == (7, "out\n", "err\n")
    endless = daemon("run", "code", "-e", "while True: pass", "--language", "python", "--timeout", "1", "--exec")
    assert endless.code == 124


@pytest.mark.by_turns
def test_files_of_any_kind_go_in_and_come_out(daemon: Pitchey) -> None:
    (daemon.cwd / "bytes.bin").write_bytes(bytes(range(256)) * 1000)
    (daemon.cwd / "tree").mkdir()
    (daemon.cwd / "tree" / "leaf.txt").write_text("leaf")
    code = "import shutil\nshutil.copy('bytes.bin', 'out/copy.bin')\nprint(open('tree/leaf.txt').read())"
    daemon.ok("run", "code", "-e", code, "--language", "python", "--file", "bytes.bin", "--file", "tree", "-o", "got")
    (copy,) = (daemon.cwd / "got").rglob("*copy.bin")
    assert copy.read_bytes() == (daemon.cwd / "bytes.bin").read_bytes()


@pytest.mark.by_turns
def test_code_that_does_not_compile_is_told_with_its_lines(daemon: Pitchey) -> None:
    (daemon.cwd / "bad.go").write_text("package main\n\nfunc main() { undefined() }\n")
    answer = daemon("run", "code", "bad.go")
    assert answer.code == 1
    assert "main.go:3:15: undefined: undefined" in answer.err
    assert "COMPILE_ERROR" in answer.err


def test_a_program_that_wants_more_than_its_instances_have_gets_a_larger_one(daemon: Pitchey) -> None:
    code = "b = bytearray(600 << 20)\nprint(len(b))"
    answer = daemon.ok("run", "code", "-e", code, "--language", "python", "--memory", "700", "--json").json
    assert (answer["instanceType"], answer["details"]["verdict"]) == ("standard-1", "OK")


def test_organisations_never_share_an_instance(daemon: Pitchey) -> None:
    instances = {
        daemon.ok(
            "run", "code", "-e", "1", "--language", "python", "--organisation", organisation, "--json"
        ).json["attempts"][0]["instance"]
        for organisation in ("amber", "birch")
        for _ in range(2)
    }  # fmt: skip
    assert len(instances) == 2


def test_a_program_goes_on_when_its_daemon_is_killed_and_is_not_run_twice(pitchey: Pitchey) -> None:
    first = pitchey.start_daemon()
    code = "import time\nprint('begun')\ntime.sleep(4)\nprint('ended')"
    (job_id,) = pitchey.ok("submit", "code", "-e", code, "--language", "python").lines
    pitchey.until(job_id, lambda job: job["stage"] == "running")
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    pitchey.start_daemon()
    pitchey.ok("wait", job_id)
    job = pitchey.job(job_id)
    assert (job["state"], len(job["attempts"])) == ("succeeded", 1)
    assert job["details"]["stdout"]["text"] == "begun\nended\n"


def test_a_program_whose_supervisor_is_killed_is_run_again_elsewhere(daemon: Pitchey) -> None:
    code = "import time\ntime.sleep(3)\nprint('ended')"
    (job_id,) = daemon.ok("submit", "code", "-e", code, "--language", "python").lines
    job = daemon.until(job_id, lambda job: job["stage"] == "running")
    for process in marked.members(job["attempts"][0]["instance"]):
        process.kill()
    daemon.ok("wait", job_id)
    job = daemon.job(job_id)
    assert (job["state"], len(job["attempts"])) == ("succeeded", 2)


def test_a_program_is_cancelled_at_once(daemon: Pitchey) -> None:
    (job_id,) = daemon.ok("submit", "code", "-e", "while True: pass", "--language", "python").lines
    daemon.until(job_id, lambda job: job["stage"] == "running")
    daemon.ok("cancel", job_id)
    assert daemon.until(job_id, lambda job: job["state"] == "cancelled")["reason"] == "cancelled"


@pytest.mark.by_turns
def test_what_a_program_prints_is_its_log(daemon: Pitchey) -> None:
    (job_id,) = daemon.ok("submit", "code", "-e", "print('one\\ntwo')", "--language", "python").lines
    daemon.ok("wait", job_id)
    assert daemon.ok("logs", job_id).lines[-2:] == ["one", "two"]


@pytest.mark.by_turns
def test_one_that_no_instance_has_memory_for_is_refused_with_the_most_that_there_is(pitchey: Pitchey) -> None:
    answer = pitchey("submit", "code", "-e", "1", "--language", "python", "--memory", "60000")
    assert answer.code == 2
    assert "memoryLimit 60000" in answer.err


PIPELINE = """
[steps.write]
service = "code"
language = "python"
code = "for n in range(2): open(f'out/{n}.txt', 'w').write(f'word {n}')"

[steps.read]
service = "code"
for_each = "@write/PATTERN"
language = "python"
code = "import pathlib; print([path.read_text() for path in pathlib.Path().glob('*.txt')])"
"""


@pytest.mark.by_turns
def test_what_programs_leave_goes_into_the_next_programs_of_a_pipeline(daemon: Pitchey) -> None:
    (daemon.cwd / "some.toml").write_text(PIPELINE.replace("PATTERN", "*.txt"))
    printed = daemon.ok("pipeline", "run", "some.toml", "-o", "got").out
    assert "['word 0']" in printed
    assert "['word 1']" in printed


@pytest.mark.by_turns
def test_a_step_that_is_given_nothing_has_nothing_to_do_and_says_so(daemon: Pitchey) -> None:
    (daemon.cwd / "none.toml").write_text(PIPELINE.replace("PATTERN", "*.png"))
    assert "nothing to do" in daemon.ok("pipeline", "run", "none.toml", "-o", "got").out
