"""What is asked for becomes files and commands; and the launcher of Python, run as an ordinary process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from processors.code.languages import CannotPrepare, prepare
from processors.code.slot_protocol import MIB, Job
from processors.specs import CodeSpec
from tests.conftest import ROOT

LAUNCHER = ROOT / "processors" / "code" / "launch.py"


def spec(language: str = "python", **fields: Any) -> CodeSpec:
    return CodeSpec.model_validate({"language": language, "code": "code", **fields})


@pytest.mark.parametrize("language", ["python", "javascript", "go", "rust"])
def test_what_is_prepared_is_a_job_that_a_slot_takes(language: str) -> None:
    prepared = prepare(spec(language, inputs=[1], args=["-x"], files={"a/b.txt": "é"}, seed=5, environment={"A": "b"}))
    assert Job.read(prepared.job.document()) == prepared.job
    assert [file.size for file in prepared.job.files] == [len(content) for content in prepared.contents]
    assert prepared.job.run.command[-1] == "-x"
    assert prepared.job.run.environment["A"] == "b"
    assert prepared.stdin == b"[1]"
    assert prepared.memory_bytes >= prepared.job.run.limits.memory_bytes + 32 * MIB


def test_only_what_has_to_be_is_compiled() -> None:
    assert prepare(spec("python")).job.compile is None
    assert prepare(spec("javascript")).job.compile is None
    compiler = prepare(spec("rust", compileOptions=["-C", "opt-level=3"], compileTimeout=7)).job.compile
    assert compiler is not None
    assert compiler.command[0] == "/usr/bin/rustc"
    assert "opt-level=3" in compiler.command
    assert compiler.limits.wall_seconds == 7


def test_go_compiles_all_its_files_and_a_module_as_a_module() -> None:
    several = prepare(spec("go", files={"more.go": "", "more_test.go": "", "data.txt": ""})).job.compile
    module = prepare(spec("go", files={"go.mod": "module m", "inner/x.go": ""})).job.compile
    assert several is not None
    assert several.command[-2:] == ("main.go", "more.go")
    assert module is not None
    assert module.command[-1] == "."


def test_stdin_comes_before_inputs_where_both_are_given() -> None:
    assert prepare(spec(inputs=[1], stdin="text")).stdin == b"text"


@pytest.mark.parametrize("name", ["main.py", ".pitchey-inputs.json", "out"])
def test_a_file_cannot_take_the_place_of_the_services_own(name: str) -> None:
    with pytest.raises(CannotPrepare, match="used by the service itself"):
        prepare(spec(files={name: ""}))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"files": {"../x": ""}}, "part of dots"),
        ({"files": {"a": "", "a/b": ""}}, "a file and a directory"),
        ({"environment": {"A=B": "c"}}, "pattern"),
        ({"args": ["a\0b"]}, "pattern"),
        ({"entryPoint": "os.system"}, "pattern"),
        ({"language": "go", "entryPoint": "f"}, "starts at main"),
        ({"language": "rust", "inputs": [], "stdin": ""}, "leave out one"),
        ({"compileOptions": ["-O"]}, "nothing is compiled"),
        ({"timeout": 0}, "greater than 0"),
        ({"memoryLimit": 8}, "greater than or equal to 16"),
        ({"language": "cobol"}, "python"),
    ],
)
def test_a_spec_that_cannot_be_says_why(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        spec(**fields)


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_inputs_that_are_no_json_are_refused(value: object) -> None:
    with pytest.raises(ValidationError, match="JSON"):
        spec(inputs=[value])
    assert prepare(spec(inputs=["é"])).stdin == b'["\\u00e9"]'


def test_what_does_not_fit_into_a_message_is_refused_before_it_is_sent() -> None:
    with pytest.raises(CannotPrepare, match="too large together"):
        prepare(spec(environment={f"V{number}": "x" * 60_000 for number in range(20)}))


@dataclass
class Ran:
    code: int
    out: str
    err: str
    returned: str


def launch(directory: Path, code: str, inputs: str = "", entry: str = "", seed: str = "") -> Ran:
    (directory / "main.py").write_text(code)
    if inputs:
        (directory / "inputs").write_text(inputs)
    arguments = [entry, "inputs" if inputs else "", "main.py", "-x"]
    done = subprocess.run(
        # The shell opens descriptor 3, where a slot has a pipe.
        ["sh", "-c", 'exec "$@" 3>returned', "sh", sys.executable, "-P", "-s", LAUNCHER, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PITCHEY_SEED": seed},
    )
    return Ran(done.returncode, done.stdout, done.stderr, (directory / "returned").read_text())


ADD = "def main(a, b=1):\n    return a + b\n"


@pytest.mark.parametrize(
    ("code", "inputs", "entry", "returned", "printed"),
    [
        (ADD, "[2, 3]", "", "5", ""),
        (ADD, "[2]", "", "3", ""),
        ("async def main(a):\n    return [a]", "[2]", "", "[2]", ""),
        ("main = lambda: 'é'", "[]", "", '"é"', ""),
        ("def main():\n    print('once')", "", "", "null", "once\n"),
        ("def main():\n    print('once')\nmain()", "", "", "", "once\n"),
        ("def main():\n    print('once')\nif __name__ == '__main__':\n    main()", "", "", "", "once\n"),
        (ADD + "if __name__ == '__main__':\n    print(main(40, 2))", "[2, 3]", "", "5", ""),
        (ADD + "if __name__ == '__main__':\n    print(main(40, 2))", "", "", "", "42\n"),
        ("def other(x):\n    return x", '[{"a": null}]', "other", '{"a": null}', ""),
        ("import sys; print(sys.argv, __name__, __file__)", "", "", "", "['main.py', '-x'] __main__ main.py\n"),
        ("import sys; print(len(sys.modules['__main__'].__dict__) > 3)", "", "", "", "True\n"),
    ],
)
def test_main_is_called_once_and_what_it_returns_comes_back(
    code: str, inputs: str, entry: str, returned: str, printed: str, tmp_path: Path
) -> None:
    ran = launch(tmp_path, code, inputs, entry)
    assert (ran.code, ran.returned, ran.out, ran.err) == (0, returned, printed, "")


def test_tracebacks_show_the_users_own_lines_and_no_others(tmp_path: Path) -> None:
    ran = launch(tmp_path, "import os\nos.chdir('/')\ndef main():\n    1 / 0\n")
    assert ran.code == 1
    assert ran.err.startswith('Traceback (most recent call last):\n  File "main.py", line 4, in main\n    1 / 0\n')
    assert "launch" not in ran.err


def test_an_error_of_syntax_is_where_it_is(tmp_path: Path) -> None:
    ran = launch(tmp_path, "x = 1\nif x\n")
    assert ran.code == 1
    assert '  File "main.py", line 2\n    if x\n' in ran.err
    assert "launch" not in ran.err


@pytest.mark.parametrize(
    ("code", "code_of_exit", "said"),
    [
        ("import sys\nsys.exit(3)", 3, ""),
        ("def main():\n    return {1, 2}", 1, "cannot be written as JSON"),
        ("def main():\n    return float('nan')", 1, "cannot be written as JSON"),
        ("def main():\n    a = []\n    a.append(a)\n    return a", 1, "cannot be written as JSON"),
        ("raise KeyError('x')", 1, "KeyError: 'x'"),
    ],
)
def test_a_program_that_ends_badly_says_so_in_its_exit_code(
    code: str, code_of_exit: int, said: str, tmp_path: Path
) -> None:
    ran = launch(tmp_path, code)
    assert ran.code == code_of_exit
    assert said in ran.err
    assert ran.returned == ""


def test_an_entry_point_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = launch(tmp_path, "x = 1", entry="start")
    assert (ran.code, ran.err) == (1, "There is no function start in main.py.\n")


def test_with_a_seed_chance_repeats_itself(tmp_path: Path) -> None:
    code = "import random\nprint(random.random())"
    assert launch(tmp_path, code, seed="7").out == launch(tmp_path, code, seed="7").out
    assert launch(tmp_path, code, seed="7").out != launch(tmp_path, code, seed="8").out
