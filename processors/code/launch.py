"""Runs a Python program of a job, in its own process: it may change all of this, and no verdict depends on it.

    launch.py ENTRY INPUTS FILE [ARGUMENT...]

ENTRY is the function that is called, or empty for `main`, if there is one. INPUTS is a file with a JSON list, or empty.
What the function returns goes to descriptor 3 as JSON. Where the program starts itself - it calls `main` at the top
level, or has `if __name__ == "__main__":` and no inputs came - it is left to do so.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import sys
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any

RETURN_FD = 3
SEED_VARIABLE = "PITCHEY_SEED"


def defines(tree: ast.Module, name: str) -> bool:
    """Whether a function, or a name for one, is made at the top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return True
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return True
    return False


def is_guard(node: ast.stmt) -> bool:
    """Whether this is `if __name__ == "__main__":`."""
    return isinstance(node, ast.If) and any(
        isinstance(part, ast.Name) and part.id == "__name__" for part in ast.walk(node.test)
    )


def calls(nodes: list[ast.stmt], name: str) -> bool:
    """Whether the top level uses a function, outside of the bodies of others."""

    def top_level(node: ast.AST) -> Iterator[ast.AST]:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            for child in ast.iter_child_nodes(node):
                yield from top_level(child)

    return any(
        isinstance(part, ast.Call) and any(isinstance(inner, ast.Name) and inner.id == name for inner in ast.walk(part))
        for node in nodes
        for part in top_level(node)
    )


def run(entry: str, inputs_file: str, file: str) -> None:
    """Run it, and call its function."""
    with open(file, "rb") as opened:  # noqa: PTH123  # pathlib takes ten milliseconds to load
        source = opened.read()
    inputs: list[Any] | None = None
    if inputs_file:
        with open(inputs_file, "rb") as opened:  # noqa: PTH123
            inputs = json.load(opened)
        os.unlink(inputs_file)  # noqa: PTH108
    tree = ast.parse(source, file)
    name = entry or "main"
    guards = [node for node in tree.body if is_guard(node)]
    others = [node for node in tree.body if not is_guard(node)]
    is_called = bool(entry) or (defines(tree, name) and not calls(others, name) and (inputs is not None or not guards))
    module = ModuleType("__main__")
    module.__file__ = file
    sys.modules["__main__"] = module
    if is_called and guards:
        module.__name__ = "main"  # so that its own way to start itself is left alone
    with contextlib.suppress(UnicodeDecodeError):
        remember(file, source.decode())
    exec(compile(tree, file, "exec"), module.__dict__)
    if is_called:
        give_back(call(module, name, inputs or []))


def remember(file: str, text: str) -> None:
    """Let tracebacks show the lines, wherever the program goes to."""
    import linecache

    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)


def call(module: ModuleType, name: str, inputs: list[Any]) -> Any:
    """Call the function; one that is asynchronous is waited for."""
    function = getattr(module, name, None)
    if not callable(function):
        raise SystemExit(f"There is no function {name} in {module.__file__}.")
    value = function(*inputs)
    if hasattr(value, "__await__"):
        import asyncio

        async def waited() -> Any:
            return await value

        value = asyncio.run(waited())
    return value


def give_back(value: Any) -> None:
    """Write what the function returned."""
    try:
        data = json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogatepass")
    except (TypeError, ValueError, RecursionError) as error:
        raise SystemExit(f"What was returned cannot be written as JSON: {error}") from None
    while data:
        data = data[os.write(RETURN_FD, data) :]


def show(error: BaseException) -> None:
    """Print a traceback as Python does, from the program's own first line on."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename in (__file__, ast.__file__):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)


def start() -> int:
    """Be the program."""
    entry, inputs_file, file, *arguments = sys.argv[1:]
    sys.argv[:] = [file, *arguments]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    if seed := os.environ.get(SEED_VARIABLE):
        import random

        random.seed(int(seed))
    try:
        run(entry, inputs_file, file)
    except SystemExit:
        raise
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        show(error)
        return 1
    return 0


if __name__ == "__main__":
    code = start()
    if code:
        sys.exit(code)
