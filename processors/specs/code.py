"""What a job may ask of the code service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import from_json, to_json

from processors.names import problem_among
from processors.package_names import package_problem
from processors.slot_needs import (
    AROUND_SECONDS,
    COMPILER_MEMORY_BYTES,
    COMPILER_SECONDS,
    FETCHING_SECONDS,
    HEADROOM_BYTES,
    MIB,
)
from processors.specs.base import Spec


def _named_well(files: dict[str, str] | None) -> dict[str, str] | None:
    if problem := problem_among(files or ()):
        raise ValueError(problem)
    return files


def _as_it_is_sent(value: list[Any]) -> list[Any]:
    """Values of any kind cross sockets inside a request, which is nested itself; nothing may become another there."""
    try:
        from_json(to_json([[[[value]]]]), allow_inf_nan=False)
    except ValueError:
        text = "inputs cannot be sent as JSON: they hold half of a character, NaN or Infinity, or are nested too deep"
        raise ValueError(text) from None
    return value


Line = Annotated[str, Field(max_length=65536, pattern=r"^[^\x00]*$")]  #: goes to a program; the kernel takes no NUL
FileText = Annotated[str, Field(max_length=64 << 20)]
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
FUNCTION_PATTERN = r"^[A-Za-z_$][A-Za-z0-9_$]*$"


class CodeSpec(Spec):
    """Run a program that nobody trusts."""

    content_field = "code"
    attached_field = "input_files"
    piped_field = "stdin"
    by_suffix: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        ".py": {"language": "python"},
        ".js": {"language": "javascript"},
        ".mjs": {"language": "javascript"},
        ".cjs": {"language": "javascript"},
        ".go": {"language": "go"},
        ".rs": {"language": "rust"},
    }

    language: Literal["javascript", "python", "go", "rust"] = Field(description="javascript, python, go or rust.")
    code: str = Field(max_length=4 << 20, description="The program itself; main.py, main.js, main.go or main.rs.")
    inputs: Annotated[list[Any], AfterValidator(_as_it_is_sent)] | None = Field(
        None,
        description="Arguments of the function main in Python and JavaScript; else, and in Go and Rust, JSON on stdin.",
    )
    timeout: float = Field(10, gt=0, le=3600, description="Seconds that the program may take; by default 10.")
    memory_limit: int = Field(
        128, ge=16, le=65536, description="Megabytes for the program and all that it starts; by default 128."
    )
    allow_networking: bool = Field(False, description="Whether the program may use the network.")
    stdin: str | None = Field(None, max_length=4 << 20, description="What the program reads from stdin.")
    args: list[Line] | None = Field(None, max_length=200, description="Arguments on the program's command line.")
    files: Annotated[dict[str, FileText] | None, AfterValidator(_named_well)] = Field(
        None, max_length=400, description="More files beside the program, as text by name."
    )
    input_files: Annotated[dict[str, Line] | None, AfterValidator(_named_well)] = Field(
        None, max_length=100, description="More files beside the program, a path or URL by name; any bytes."
    )
    environment: dict[Annotated[str, Field(max_length=256, pattern=VARIABLE_PATTERN)], Line] | None = Field(
        None, max_length=200, description="Environment variables of the program."
    )
    entry_point: str | None = Field(
        None,
        max_length=256,
        pattern=FUNCTION_PATTERN,
        description="The function that is called with the inputs, in Python and JavaScript; main when it is there.",
    )
    outputs: list[Annotated[str, Field(min_length=1, max_length=1000)]] | None = Field(
        None, max_length=64, description="Which files to keep, as out/**,*.png; all that is in out, if not said."
    )
    compile_options: list[Line] | None = Field(
        None, max_length=32, description="Options of the compiler, in Go and Rust."
    )
    compile_timeout: float | None = Field(
        None, gt=0, le=600, description="Seconds that compiling may take; by default 30."
    )
    seed: int | None = Field(
        None, ge=0, lt=1 << 63, description="Makes chance repeatable, where the language has a seed."
    )

    packages: list[Annotated[Line, Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        max_length=200,
        description="Packages: requests==2.32.3 in Python, lodash@4 in JavaScript, example.org/module@v1.2.3 in Go.",
    )
    lock: str | None = Field(
        None,
        min_length=1,
        max_length=4 << 20,
        description="Instead of packages: a requirements.txt, a package-lock.json, or a go.sum beside go.mod in files.",
    )

    @model_validator(mode="after")
    def _what_the_language_has(self) -> CodeSpec:
        if problem := problem_among([*(self.files or ()), *(self.input_files or ())]):
            raise ValueError(problem)
        if self.packages and self.lock:
            raise ValueError("packages and lock cannot be said together: a lock names them all")
        packages, files = self.packages or (), self.files or {}
        if problem := package_problem(self.language, packages=packages, lock=self.lock, files=files):
            raise ValueError(problem)
        if self.language in ("go", "rust"):
            if self.entry_point is not None:
                raise ValueError(
                    f"entryPoint is for Python and JavaScript; a program in {self.language} starts at main"
                )
            if self.inputs is not None and self.stdin is not None:
                raise ValueError(f"inputs come on stdin in {self.language}: leave out one of inputs and stdin")
        elif self.compile_options:
            raise ValueError(f"compileOptions are for Go and Rust; nothing is compiled in {self.language}")
        return self

    def kind(self) -> str:
        """The language."""
        return self.language

    def memory_bytes(self) -> int:
        """Of the slot: what the program may take, or its compiler, and what is around it."""
        return max(self.memory_limit * MIB, COMPILER_MEMORY_BYTES.get(self.language, 0)) + HEADROOM_BYTES

    def larger_than(self, memory_bytes: int) -> str:
        """Names memoryLimit."""
        most = (memory_bytes - HEADROOM_BYTES) // MIB
        return f"memoryLimit {self.memory_limit} is too large: {most} is the most that any instance has for a program"

    def longest_seconds(self) -> float:
        """Compiling, the program, and what is around it."""
        is_compiled = self.language in COMPILER_MEMORY_BYTES
        compiling = (self.compile_timeout or COMPILER_SECONDS) if is_compiled else 0.0
        fetching = FETCHING_SECONDS if self.packages or self.lock else 0.0
        return self.timeout + compiling + fetching + AROUND_SECONDS
