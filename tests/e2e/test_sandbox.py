"""Slots under attack, on real engines, with Landlock and without: whatever a program tries, the answer is intact.

    pytest tests/e2e/test_sandbox.py -s     also prints a table: attack, verdict, seconds
    PITCHEY_SANDBOX=long                    every program on every engine, with Landlock and without (`make sandbox`);
                                            else each of them once, by turns

Hostile programs name in their headers what must come of them; benign ones come with what they print.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from processors.code.frames import HEADER, RAW, encode_document, encode_raw
from processors.code.languages import FILE_NAMES, Prepared, prepare
from processors.code.slot_protocol import MIB, Job, JobFile
from processors.code.verdict import Verdict
from processors.specs import CodeSpec
from tests.conftest import RESOURCES
from tests.e2e.conftest import IS_LONG, CodeEngine
from tests.resources.slots import Done, Ground

ATTACKS = RESOURCES / "sandbox" / "attacks"
PROGRAMS = RESOURCES / "sandbox" / "programs"
LANGUAGES = {".py": "python", ".js": "javascript", ".go": "go", ".rs": "rust"}


@pytest.fixture(scope="module")
def ground(code_engine: CodeEngine) -> Iterator[Ground]:
    """An engine that holds the image."""
    ground = Ground(code_engine.kind, code_engine.url, code_engine.image)
    yield ground
    left = ground.left()
    ground.end()
    assert left == []


@pytest.fixture(params=["auto", "off"], ids=["landlock", "no-landlock"])
def landlock(request: pytest.FixtureRequest) -> str:
    """With all walls, and with what is left on a kernel without Landlock."""
    return str(request.param)


def job(language: str, code: str, **fields: Any) -> Prepared:
    # Long enough for a machine that is busy: whoever is to be out of time says so.
    return prepare(CodeSpec.model_validate({"language": language, "code": code, "timeout": 20, **fields}))


def python(code: str, **fields: Any) -> Prepared:
    return job("python", code, **fields)


def expected(attack: Path) -> set[str]:
    return {
        word
        for line in attack.read_text().splitlines()
        if line.lstrip("#/ ").startswith("EXPECT:")
        for word in line.partition("EXPECT:")[2].split()
    }


def attacks() -> list[Path]:
    found = sorted(path for path in ATTACKS.iterdir() if path.suffix in LANGUAGES)
    assert found
    return found


def attack(path: Path, **fields: Any) -> Prepared:
    # Whoever is to meet another limit than time gets there on a busy machine as well.
    seconds = 3 if "TIMEOUT" in expected(path) else 20
    return job(LANGUAGES[path.suffix], path.read_text(), **{"timeout": seconds, "compileTimeout": 10, **fields})


def show(name: str, ground: Ground, landlock: str, done: Done) -> None:
    print(f"{name:36} {ground.kind:7} landlock={landlock:5} {done.verdict:15} {done.seconds:6.2f} s")  # noqa: T201


def escapes(done: Done) -> list[str]:
    text = b"\n".join(done.streams.values()).decode(errors="replace")
    return [line for line in text.splitlines() if line.startswith("ESCAPED")]


def assert_held(done: Done, path: Path) -> None:
    assert done.verdict.value in expected(path), (done.report, done.stdout[-500:], done.stderr[-500:])
    assert escapes(done) == []
    assert done.said == ""
    assert all(name.startswith("out/") for name in done.outputs)


@pytest.mark.by_turns
@pytest.mark.parametrize("path", attacks(), ids=lambda path: path.name)
def test_an_attack_gets_nothing(path: Path, ground: Ground, landlock: str) -> None:
    prepared = attack(path)
    slot = ground.slot(prepared.memory_bytes, landlock)
    try:
        done = slot.give(prepared)
        show(path.name, ground, landlock, done)
        assert_held(done, path)
        assert done.is_complete or done.verdict is Verdict.MEMORY_LIMIT
        slot.wait()
        assert slot.processes() == []
    finally:
        slot.remove()


#: What engines allow, or have allowed, and no program needs; each prints a line that starts with ESCAPED if it works.
BURGLAR = r"""
import ctypes, os, resource, signal, socket
libc = ctypes.CDLL(None, use_errno=True)
def call(name, number, *arguments):
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    print("ESCAPED" if result >= 0 else "BLOCKED", name, os.strerror(ctypes.get_errno()))
def attempt(name, action):
    try:
        action()
        print("ESCAPED", name)
    except (OSError, ValueError) as error:
        print("BLOCKED", name, error)
LARGE = ctypes.create_string_buffer(256)
for family in (40, 40 | 1 << 32, 17, 38, 31, 21, 44):  # vsock, vsock with bits that the kernel drops, packet, alg, ...
    call(f"socket family {family}", 41, family, 1, 0)
call("raw socket", 41, 2, 3, 1)
call("io_uring_setup", 425, 8, LARGE)
call("keyctl", 250, 0, -3, 1)
call("add_key", 248, b"user", b"x", b"y", 1, -3)
call("memfd_secret", 447, 0)
call("userfaultfd", 323, 1)
call("bpf", 321, 0, LARGE, 128)
call("perf_event_open", 298, LARGE, 0, -1, -1, 0)
call("ptrace traceme", 101, 0, 0, 0, 0)
call("process_vm_readv", 310, os.getpid(), LARGE, 1, LARGE, 1, 0)
call("personality", 135, 0x0040000)
call("name_to_handle_at", 303, -100, b"/tmp", LARGE, LARGE, 0)
call("pidfd_getfd", 438, 3, 0, 0)
call("clone3", 435, LARGE, 88)
call("clone newuser", 56, 0x10000000 | 17, 0, 0, 0, 0)
call("clone newnet, with bits that the kernel drops", 56, 1 << 32 | 0x40000000 | 17, 0, 0, 0, 0)
call("TIOCSTI", 16, 0, 0x5412, b"x")
call("TIOCSTI, with bits that the kernel drops", 16, 0, 1 << 32 | 0x5412, b"x")
call("a system call of tomorrow", 600, 0)
for number in (signal.SIGSTOP, signal.SIGKILL, 0):
    attempt(f"signal {number} to the first process", lambda: os.kill(1, number))
attempt("limits of the first process", lambda: resource.prlimit(1, resource.RLIMIT_NOFILE, (10, 10)))
attempt("priority of the first process", lambda: os.setpriority(os.PRIO_PROCESS, 1, 19))
for path in ("/proc/1/mem", "/proc/1/fd/0", "/proc/1/root", "/opt/pitchey", "/opt/pitchey/processors/code/jail.py"):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1))
for path in ("/usr/local/lib/pitchey/launch.py", "/usr/bin/python3", "/etc/passwd", "/proc/sys/kernel/hostname"):
    attempt(path, lambda: open(path, "ab"))
"""


def test_what_engines_allow_is_refused_all_the_same(ground: Ground, landlock: str) -> None:
    done = ground.run(python(BURGLAR), landlock)
    assert done.verdict is Verdict.OK, done.stderr
    assert escapes(done) == []
    assert done.stdout.count(b"BLOCKED") == len(done.stdout.splitlines()) > 35


def test_a_program_of_another_architecture_is_ended_whole(ground: Ground) -> None:
    code = "import ctypes, mmap, threading, time\n"
    code += "threading.Thread(target=time.sleep, args=(9,)).start()\n"
    code += "m = mmap.mmap(-1, 4096, prot=7); m.write(bytes.fromhex('b814000000cd80c3'))\n"  # getpid by int 0x80
    code += "ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\n"
    assert ground.run(python(code)).verdict is Verdict.SECURITY


@pytest.mark.by_turns("landlock")
def test_what_one_job_leaves_the_next_does_not_find(ground: Ground, landlock: str) -> None:
    path = ATTACKS / "55_persist_across_jobs.py"
    for _ in range(2):
        assert_held(ground.run(attack(path), landlock), path)


@pytest.mark.by_turns
def test_names_that_lead_out_are_refused_before_anything_starts(ground: Ground) -> None:
    names = json.loads((ATTACKS / "51_input_name_traversal.json").read_text())["files"]
    good = python("print(1)")
    for name in names:
        files = (*good.job.files, JobFile(name, 0))
        done = ground.run(Prepared(good.job._replace(files=files), (*good.contents, b""), b""))
        assert done.verdict is Verdict.REJECTED, name
        assert done.report is not None
        assert done.report.run is None


def programs() -> list[Path]:
    found = sorted(path for path in PROGRAMS.iterdir() if path.suffix in LANGUAGES)
    assert found
    return found


@pytest.mark.by_turns
@pytest.mark.parametrize("path", programs(), ids=lambda path: path.name)
def test_a_benign_program_prints_what_it_prints_elsewhere(path: Path, ground: Ground) -> None:
    stem = PROGRAMS / path.stem
    meta = dict(line.split("=", 1) for line in stem.with_suffix(".meta").read_text().splitlines())
    stdin = stem.with_suffix(".in").read_text()
    done = ground.run(job(LANGUAGES[path.suffix], path.read_text(), stdin=stdin, timeout=20))
    show(path.name, ground, "auto", done)
    assert done.stdout == stem.with_suffix(".out").read_bytes(), done.stderr
    assert done.run.exit_code == int(meta["exit"])
    assert done.stderr.decode() == ast.literal_eval(meta["stderr"])
    assert done.verdict is (Verdict.NONZERO_EXIT if done.run.exit_code else Verdict.OK)
    assert sorted(done.outputs) == (["out/a.txt", "out/b.txt"] if path.stem.startswith("12") else [])


ADD = {
    "python": "def main(a, b):\n    return {'sum': a + b}\n",
    "javascript": "async function main(a, b) { return {sum: a + b}; }\n",
    "go": """package main
import ("encoding/json"; "os")
func main() {
    var inputs []int
    json.NewDecoder(os.Stdin).Decode(&inputs)
    json.NewEncoder(os.NewFile(3, "return")).Encode(map[string]int{"sum": inputs[0] + inputs[1]})
}
""",
    "rust": """use std::{fs::File, io::{read_to_string, stdin, Write}, os::fd::FromRawFd};
fn main() {
    let text = read_to_string(stdin()).unwrap();
    let sum: i64 = text.trim().trim_matches(['[', ']']).split(',').map(|n| n.trim().parse::<i64>().unwrap()).sum();
    write!(unsafe { File::from_raw_fd(3) }, "{{\\"sum\\":{sum}}}").unwrap();
}
""",
}


@pytest.mark.by_turns
@pytest.mark.parametrize("language", ADD)
def test_inputs_go_in_and_a_value_comes_back(language: str, ground: Ground) -> None:
    done = ground.run(job(language, ADD[language], inputs=[40, 2]))
    assert json.loads(done.returned) == {"sum": 42}, done.stderr
    assert done.verdict is Verdict.OK


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("code", "inputs", "returned", "printed"),
    [
        ("const main = (a) => [a];", [1], b"[1]", b""),
        ("function main() { console.log('once'); }\nmain();", None, b"", b"once\n"),
        ("function main() { console.log('once'); }\nif (require.main === module) main();", None, b"", b"once\n"),
        ("import fs from 'node:fs'; export function main(a) { return typeof fs + a; }", [1], b'"object1"', b""),
        ("export default (a) => a + 1", [1], b"2", b""),
        ("console.log(await Promise.resolve(7));", None, b"", b"7\n"),
        ("function main(a) { return a; }\nif (require.main === module) console.log(main(1));", [2], b"2", b""),
        ("await 1; function main(a) { return a + 1; }", [1], b"2", b""),
        ("#!/usr/bin/env node\n'use strict'; console.log(this === module.exports)", None, b"", b"true\n"),
        ("class A { main() { return 1; } }; console.log(new A().main())", None, b"", b"1\n"),
        ("console.log(require('fs').readFileSync(0, 'utf8'))", [1], b"", b"[1]\n"),
        ("console.log(require('./more').x, process.argv.length)", None, b"", b"5 2\n"),
    ],
)
def test_javascript_of_either_kind_is_called_once(
    code: str, inputs: list[Any] | None, returned: bytes, printed: bytes, ground: Ground
) -> None:
    done = ground.run(job("javascript", code, inputs=inputs, files={"more.js": "exports.x = 5;"}))
    assert (done.verdict, done.returned, done.stdout) == (Verdict.OK, returned, printed), done.stderr


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("language", "code", "verdict", "place"),
    [
        ("python", "x = 1\n1 / 0\n", Verdict.NONZERO_EXIT, 'File "main.py", line 2'),
        ("python", "x = 1\nif x\n", Verdict.NONZERO_EXIT, 'File "main.py", line 2'),
        ("javascript", "let x = 1;\nthrow new Error('no');\n", Verdict.NONZERO_EXIT, "main.js:2"),
        ("javascript", "let x = 1;\nlet = ;\n", Verdict.NONZERO_EXIT, "main.js:2"),
        ("javascript", "function main() {\n  null.x;\n}\n", Verdict.NONZERO_EXIT, "main.js:2"),
        ("go", "package main\nfunc main() { x }\n", Verdict.COMPILE_ERROR, "main.go:2:15"),
        ("go", 'package main\nfunc main() { panic("no") }\n', Verdict.NONZERO_EXIT, "main.go:2"),
        ("go", "package lib\n", Verdict.NONZERO_EXIT, "is no program"),
        ("rust", "fn main() {\n x }\n", Verdict.COMPILE_ERROR, "main.rs:2:2"),
        ("rust", 'fn main() {\n panic!("no") }\n', Verdict.NONZERO_EXIT, "main.rs:2:2"),
    ],
)
def test_errors_are_where_the_user_sees_them(
    language: str, code: str, verdict: Verdict, place: str, ground: Ground
) -> None:
    done = ground.run(job(language, code))
    assert done.verdict is verdict
    assert place in done.stderr.decode()


@pytest.mark.by_turns
def test_more_files_of_each_language_are_found(ground: Ground) -> None:
    done = ground.run(python("import more.inner as i; print(i.x)", files={"more/inner.py": "x = 5"}))
    assert done.stdout == b"5\n", done.stderr
    code = "package main\nfunc main() { println(x) }\n"
    done = ground.run(job("go", code, files={"more.go": "package main\nvar x = 5\n"}))
    assert done.stderr == b"5\n"
    module = {"go.mod": "module m\ngo 1.24\n", "inner/x.go": "package inner\nvar X = 5\n"}
    done = ground.run(job("go", 'package main\nimport "m/inner"\nfunc main() { println(inner.X) }\n', files=module))
    assert done.stderr == b"5\n"
    done = ground.run(
        job("rust", 'mod more;\nfn main() { print!("{}", more::X); }', files={"more.rs": "pub const X: i32 = 5;"})
    )
    assert done.stdout == b"5", done.stderr


@pytest.mark.by_turns
def test_arguments_environment_and_stdin_reach_the_program(ground: Ground) -> None:
    code = "import os, sys; print(sys.argv[1:], os.environ['LEVEL'], sys.stdin.read())"
    done = ground.run(python(code, args=["-a", "b c"], environment={"LEVEL": "7"}, stdin="text"))
    assert done.stdout == b"['-a', 'b c'] 7 text\n", done.stderr


def test_a_large_stdin_that_nobody_reads_holds_up_nothing(ground: Ground) -> None:
    text = "x" * (2 * MIB)
    assert ground.run(python("print('done')", stdin=text)).stdout == b"done\n"
    assert ground.run(python("import sys; print(len(sys.stdin.read()))", stdin=text)).stdout == b"%d\n" % len(text)


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("import os\nos.abort()", Verdict.SIGNALLED),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", Verdict.SIGNALLED),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSYS)", Verdict.SECURITY),
        ("while True: print('x' * 9999)", Verdict.OUTPUT_LIMIT),
    ],
)
def test_every_end_has_its_word(code: str, verdict: Verdict, ground: Ground) -> None:
    assert ground.run(python(code, timeout=3, memoryLimit=200)).verdict is verdict


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        ("open('/tmp/x', 'wb').write(bytes(100 << 20))", Verdict.FILE_LIMIT),
        ("import os\nfor n in range(9999): open(f'/tmp/{n}', 'w').close()", Verdict.FILE_LIMIT),
        ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(9,)).start()", Verdict.TIMEOUT),
        ("import os\nwhile True:\n  if not os.fork(): import time; time.sleep(9)", Verdict.PROCESS_LIMIT),
        ("x = bytearray(500 << 20)", Verdict.MEMORY_LIMIT),
        ("f = open('/dev/shm/x', 'wb'); [f.write(bytes(1 << 20)) for _ in range(9)]", Verdict.NONZERO_EXIT),
    ],
)
def test_every_limit_has_its_word(code: str, verdict: Verdict, ground: Ground) -> None:
    if ground.kind == "podman" and "9999): open" in code:
        verdict = Verdict.OK  # Podman 4.3 has no limit for the number of files of a tmpfs
    assert ground.run(python(code, timeout=3, memoryLimit=200)).verdict is verdict


@pytest.mark.by_turns
def test_a_heap_that_is_full_is_called_memory(ground: Ground) -> None:
    code = "const held = []; for (;;) held.push(new Array(1e5).fill(1.5));"
    assert ground.run(job("javascript", code)).verdict is Verdict.MEMORY_LIMIT


@pytest.mark.by_turns
def test_processor_time_has_a_limit_of_its_own(ground: Ground) -> None:
    prepared = python("while True: pass", timeout=20)
    limits = prepared.job.run.limits._replace(cpu_seconds=0.5)
    run = prepared.job.run._replace(limits=limits)
    done = ground.run(Prepared(prepared.job._replace(run=run), prepared.contents, b""))
    assert done.verdict is Verdict.CPU_LIMIT
    assert done.run.cpu_seconds < 2


#: Works in children alone, of which nobody asks how they have ended, until each has had its share of the processor.
ORPHANS = """
import os, time
mine, theirs = os.pipe()
for _ in range(4):
    if os.fork() == 0:
        os.setsid()
        while time.process_time() < 0.2: pass
        os._exit(0)
os.close(theirs)
os.read(mine, 1)
"""


def test_time_of_orphans_is_counted(ground: Ground) -> None:
    done = ground.run(python(ORPHANS, timeout=60))
    assert done.verdict is Verdict.OK, done.stderr
    assert done.run.cpu_seconds > 0.75


def test_bytes_that_are_no_text_and_cuts_are_kept_apart(ground: Ground) -> None:
    done = ground.run(attack(ATTACKS / "17_invalid_utf8.py"))
    assert done.stdout == b"ok \xff\xfe \x00 \xed\xa0\x80 \xf0\x9f\x98\x80 end\n"
    assert done.stderr == bytes(range(256))
    done = ground.run(attack(ATTACKS / "15_stderr_flood.js"))
    assert done.stdout == b"stdout survives\n"
    assert (done.run.stderr.size, done.run.stderr.is_cut, done.run.stdout.is_cut) == (MIB, True, False)


@pytest.mark.by_turns
def test_outputs_that_are_no_plain_files_are_refused_by_name(ground: Ground) -> None:
    done = ground.run(attack(ATTACKS / "49_output_bad_names.py"))
    assert set(done.outputs) == {
        "out/-rf",
        "out/$(touch pwned)",
        "out/a;b",
        "out/con",
        "out/%2e%2e%2f",
        "out/" + "x" * 255,
    }
    assert done.report is not None
    assert len(done.report.refused) == 6
    done = ground.run(
        python("import os; os.symlink('/etc/passwd', 'out/a'); os.mkfifo('out/b'); open('out/c', 'w').write('c')")
    )
    assert done.outputs == {"out/c": b"c"}
    assert done.report is not None
    assert [refused.name for refused in done.report.refused] == ["out/a", "out/b"]


@pytest.mark.by_turns("landlock")
def test_memory_bombs_one_after_the_other_hang_nothing(ground: Ground, landlock: str) -> None:
    path = ATTACKS / "07_memory_bomb_many_processes.py"
    for _ in range(20 if IS_LONG else 5):
        assert_held(ground.run(attack(path), landlock), path)
    assert ground.run(python("print('well')")).stdout == b"well\n"


def loud() -> list[Path]:
    """Those beside which a neighbour is timed: all of them, or the loudest."""
    return [path for path in attacks() if IS_LONG or path.name.startswith(("01_", "07_"))]


@pytest.mark.parametrize("path", loud(), ids=lambda path: path.name)
def test_a_neighbour_hardly_notices_an_attack(path: Path, ground: Ground) -> None:
    victim = python("x = sum(range(10 ** 6))", timeout=20)
    alone = min(ground.run(victim).seconds for _ in range(3))
    prepared = attack(path, timeout=8)
    attacker = ground.slot(prepared.memory_bytes)
    data = encode_document(prepared.job.document())
    attacker.send(
        data + b"".join(b"".join(encode_raw(content)) for content in prepared.contents if isinstance(content, bytes))
    )
    beside = min(ground.run(victim).seconds for _ in range(3))
    attacker.remove()
    print(f"{path.name:36} {ground.kind:7} a neighbour took {alone:.2f} s alone, {beside:.2f} s beside it")  # noqa: T201
    assert beside < 2 * alone + 0.2, (alone, beside)


def test_a_slot_ends_with_its_supervisor(ground: Ground) -> None:
    slot = ground.slot()
    prepared = python("import time; time.sleep(60)", timeout=60)
    slot.send(encode_document(prepared.job.document()) + b"".join(encode_raw(prepared.contents[0])))
    slot.hang_up()
    assert slot.wait() == 1
    slot.remove()


GOOD = python("print(1)")
MESSAGE = encode_document(GOOD.job.document())


def _job(**changes: Any) -> bytes:
    return encode_document(GOOD.job.document() | changes)


@pytest.mark.by_turns
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        HEADER.pack(RAW, 1 << 30),
        b"".join(encode_raw(b"bytes first")),
        encode_document({}),
        encode_document({"type": "job"}),
        _job(protocol=9),
        _job(files=[{"name": "a", "size": 10}] * 2),
        _job(run={"command": ["sh"]}),
        MESSAGE + MESSAGE,
        MESSAGE + b"".join(encode_raw(b"more bytes than the file has, which are far too many")),
        MESSAGE + HEADER.pack(RAW, 0),
        _job(files=[{"name": f"f{number}", "size": 60 * MIB} for number in range(3)])
        + b"".join(encode_raw(bytes(MIB))) * 180,
    ],
)
def test_a_slot_answers_nonsense_with_a_refusal_and_ends(data: bytes, ground: Ground) -> None:
    slot = ground.slot()
    try:
        done = slot.tell(data)
        assert done.verdict is Verdict.REJECTED, done
        assert done.report is not None
        assert done.report.message.startswith("The job was refused: ")
        slot.hang_up()
        assert slot.wait() == 0
    finally:
        slot.remove()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A job of which some bytes are others, or missing, or too many."""
    whole = MESSAGE + b"".join(encode_raw(GOOD.contents[0]))
    start = draw(st.integers(0, len(whole)))
    return whole[:start] + draw(st.binary(max_size=8)) + whole[start + draw(st.integers(0, 40)) :]


@pytest.mark.by_turns
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=damaged() | st.binary(max_size=40))
def test_whatever_comes_a_slot_ends_and_does_not_stumble(data: bytes, ground: Ground) -> None:
    slot = ground.slot()
    try:
        code, said = slot.say_all(data)
        assert code in (0, 1)  # it has answered, or nobody was there to be answered
        assert said == ""
    finally:
        slot.remove()


def test_a_slot_without_a_user_of_its_own_does_not_start(ground: Ground) -> None:
    config = {"Image": ground.image, "Env": ["PITCHEY_SLOT_UID=0"], "HostConfig": {"NetworkMode": "none"}}
    container = ground.api.create_container_from_config(config)["Id"]
    try:
        ground.api.start(container)
        assert ground.api.wait(container, timeout=60)["StatusCode"] == 2
    finally:
        ground.api.remove_container(container, force=True)


@pytest.mark.by_turns
def test_a_program_that_does_not_exist_is_our_mistake_and_is_said(ground: Ground) -> None:
    run = GOOD.job.run._replace(command=("/usr/bin/perl6",))
    done = ground.run(Prepared(Job(GOOD.job.files, run), GOOD.contents, b""))
    assert done.verdict is Verdict.INTERNAL_ERROR
    assert done.report is not None
    assert "/usr/bin/perl6" in done.report.message


def test_a_slot_that_waits_is_small(ground: Ground) -> None:
    slot = ground.slot()
    try:
        said = ground.api.stats(slot.id, stream=False, one_shot=True)["memory_stats"]
        statistics = said.get("stats", {})  # Podman gives none, and counts page cache as used
        held = statistics.get("total_rss") or statistics.get("anon") or said["usage"]
        print(f"a slot that waits holds {held / MIB:.1f} MiB")  # noqa: T201
        assert 0 < held < 16 * MIB
        assert slot.ready.cgroup in (1, 2)
    finally:
        slot.remove()


def test_every_language_of_the_protocol_is_tried_here() -> None:
    assert set(LANGUAGES.values()) == set(FILE_NAMES) == set(ADD)
