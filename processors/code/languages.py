"""What a job asks for -> its files, commands, environment and limits. Pure; runs on the host.

The program is one file with a fixed name per language; compilers and tracebacks name it, and the lines are the user's
own. `inputs` reach it in the natural way of its language:

    python, javascript   a top-level `main(*inputs)` is called, and what it returns comes back as JSON on descriptor 3;
                         a program without one just runs, and reads the inputs as JSON from stdin
    go, rust             JSON on stdin; whatever is written to descriptor 3 comes back, and should be JSON

Everywhere PITCHEY_RETURN_FD names the descriptor.
"""

from __future__ import annotations

import json
from typing import Literal

from processors.code import networking
from processors.code.frames import BadFrame, encode_document
from processors.code.prepared import CannotPrepare as CannotPrepare
from processors.code.prepared import Prepared as Prepared
from processors.code.slot_protocol import (
    JOB_DIR,
    MAX_STDIN_BYTES,
    OUT_DIR_NAME,
    PACKAGES_DIR,
    RETURN_FD,
    TMP_DIR,
    Collection,
    Job,
    JobFile,
    Phase,
    PhaseLimits,
)
from processors.code.wanted import go_files
from processors.names import problem_among
from processors.slot_needs import COMPILER_MEMORY_BYTES, COMPILER_SECONDS, MIB
from processors.specs import CodeSpec

Language = Literal["javascript", "python", "go", "rust"]

FILE_NAMES: dict[Language, str] = {"javascript": "main.js", "python": "main.py", "go": "main.go", "rust": "main.rs"}
INPUTS_NAME = ".pitchey-inputs.json"
PROGRAM = f"{TMP_DIR}/program"

_LAUNCHERS = "/usr/local/lib/pitchey"
_GO_CACHE = "/usr/local/lib/go-cache"
_GO_MODULES = f"{TMP_DIR}/go-modules"
_COMPILER_OPEN_FILES = 1024
_RUST = ("-C", "debuginfo=0", "-C", "strip=symbols", "-C", "linker=gcc", "-C", "link-arg=-fuse-ld=mold")


def prepare(spec: CodeSpec, *, has_packages: bool = False, has_ca_bundle: bool = False) -> Prepared:
    """Say what a slot has to do for a job.

    Args:
        has_packages: what was prepared for it is mounted on PACKAGES_DIR; see packages.py.
        has_ca_bundle: the host has one of its own, which is mounted on CA_BUNDLE.

    Raises:
        CannotPrepare: names of files are impossible, or inputs too large.
    """
    files = {FILE_NAMES[spec.language]: spec.code.encode()}
    reserved = [FILE_NAMES[spec.language], INPUTS_NAME, OUT_DIR_NAME]
    if problem := problem_among(spec.files or (), reserved):
        raise CannotPrepare(problem)
    files |= {name: text.encode() for name, text in (spec.files or {}).items()}
    if has_packages and spec.language == "go":
        files |= {name: text.encode() for name, text in go_files(spec).items()}
    stdin = spec.stdin.encode() if spec.stdin is not None else b""
    if spec.inputs is not None:
        inputs = json.dumps(spec.inputs).encode()
        if spec.stdin is None:
            stdin = inputs
        if spec.language in ("python", "javascript"):
            files[INPUTS_NAME] = inputs
    if len(stdin) > MAX_STDIN_BYTES:
        raise CannotPrepare(f"inputs and stdin take {len(stdin)} bytes; at most {MAX_STDIN_BYTES} are allowed")
    job = Job(
        files=tuple(JobFile(name, len(content)) for name, content in files.items()),
        run=Phase(_run_command(spec), _environment(spec, has_packages, has_ca_bundle), _limits(spec)),
        compile=_compile_phase(spec, list(files), has_packages),
        stdin_bytes=len(stdin),
        collection=Collection() if spec.outputs is None else Collection(patterns=tuple(spec.outputs)),
    )
    try:
        encode_document(job.document())
    except BadFrame as error:
        raise CannotPrepare("arguments, environment and names of files are too large together") from error
    return Prepared(job, tuple(files.values()), stdin)


_SHELLS: dict[Language, tuple[str, ...]] = {
    "python": ("/usr/bin/python3", "-P", "-s", "-q", "-i"),
    "javascript": ("/usr/bin/node", "-i"),
}
SHELL_LANGUAGES = tuple(_SHELLS)


def shell_phase(language: Language, *, memory_bytes: int, seconds: float, terminal: str) -> Phase:
    """A language's own interactive mode.

    Args:
        language: one of SHELL_LANGUAGES.
        terminal: what the user's terminal is called.
    """
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": TMP_DIR,
        "TMPDIR": TMP_DIR,
        "LANG": "C.UTF-8",
        "PWD": JOB_DIR,
        "TERM": terminal,
        "NODE_REPL_HISTORY": "",  # nobody could ever read it
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return Phase(_SHELLS[language], environment, PhaseLimits(wall_seconds=seconds, memory_bytes=memory_bytes))


def _limits(spec: CodeSpec) -> PhaseLimits:
    return PhaseLimits(wall_seconds=spec.timeout, memory_bytes=spec.memory_limit * MIB)


def _run_command(spec: CodeSpec) -> tuple[str, ...]:
    launch = (spec.entry_point or "", INPUTS_NAME if spec.inputs is not None else "", FILE_NAMES[spec.language])
    match spec.language:
        case "python":
            return ("/usr/bin/python3", "-P", "-s", f"{_LAUNCHERS}/launch.py", *launch, *(spec.args or ()))
        case "javascript":
            # Its own limit would end it with an abort that nobody understands: the slot's comes first.
            options = [f"--max-old-space-size={spec.memory_limit}"]
            if spec.seed is not None:
                options.append(f"--random-seed={spec.seed % (1 << 31) or 1}")
            if spec.allow_networking:
                options += networking.NODE_OPTIONS
            return ("/usr/bin/node", *options, f"{_LAUNCHERS}/launch.js", *launch, *(spec.args or ()))
        case "go" | "rust":
            return (PROGRAM, *(spec.args or ()))


def _compile_phase(spec: CodeSpec, names: list[str], has_packages: bool) -> Phase | None:
    if spec.language not in ("go", "rust"):
        return None
    limits = PhaseLimits(
        wall_seconds=spec.compile_timeout or COMPILER_SECONDS,
        memory_bytes=max(COMPILER_MEMORY_BYTES[spec.language], spec.memory_limit * MIB),
        open_files=_COMPILER_OPEN_FILES,
    )
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "TMPDIR": TMP_DIR, "LANG": "C.UTF-8"}
    if spec.language == "rust":
        command = ("/usr/bin/rustc", "--edition=2021", *_RUST, *(spec.compile_options or ()), "-o", PROGRAM, "main.rs")
        return Phase(command, environment, limits)
    environment |= {
        "CGO_ENABLED": "0",
        "GOCACHE": _GO_CACHE,
        "GODEBUG": "goindex=0",  # the index of modules would be written to the cache, which cannot be
        "GOENV": "off",
        "GOPROXY": "off",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "on" if "go.mod" in names else "off",
    }
    if has_packages:  # as the proxy of modules, because a cache of modules would be written to
        proxy = f"file://{PACKAGES_DIR}/go/cache/download"
        environment |= {"GOPROXY": proxy, "GOFLAGS": "-mod=mod", "GOMODCACHE": _GO_MODULES, "GOSUMDB": "off"}
    sources = [name for name in names if name.endswith(".go") and "/" not in name and not name.endswith("_test.go")]
    what = ["."] if "go.mod" in names else sources
    command = ("/usr/bin/go", "build", "-ldflags=-s -w", *(spec.compile_options or ()), "-o", PROGRAM, *what)
    return Phase(command, environment, limits)


def _environment(spec: CodeSpec, has_packages: bool, has_ca_bundle: bool) -> dict[str, str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": TMP_DIR,
        "TMPDIR": TMP_DIR,
        "LANG": "C.UTF-8",
        "PWD": JOB_DIR,
        "PITCHEY_RETURN_FD": str(RETURN_FD),
    }
    if spec.language == "python":
        environment |= {"PYTHONDONTWRITEBYTECODE": "1"}
        if has_packages:
            environment |= {"PYTHONPATH": f"{PACKAGES_DIR}/python"}
    if spec.allow_networking:
        environment |= networking.environment(spec.language, has_ca_bundle=has_ca_bundle)
    if spec.seed is not None:
        environment |= {
            "PITCHEY_SEED": str(spec.seed),
            "PYTHONHASHSEED": str(spec.seed % (1 << 32)),
            "GODEBUG": "randautoseed=0",  # Go has no seed from outside: with this it is always the same one
        }
    return environment | (spec.environment or {})
