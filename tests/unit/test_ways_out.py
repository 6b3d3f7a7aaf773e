"""Whoever is refused is told the way out: every refusal of the API's own has a hint, or a code that has one."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pitchey_cli import api
from pitchey_cli.api import problems
from pitchey_cli.domain import errors
from pitchey_cli.domain.errors import PitcheyError

_KINDS = {
    name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, PitcheyError)
} | {"Refused": problems.Refused}
_MODULES = sorted(Path(api.__file__).parent.glob("*.py"))


def refusals(module: Path) -> Iterator[ast.Call]:
    """Where a module makes an error."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _KINDS:
            yield node


def has_way_out(made: ast.Call) -> bool:
    assert isinstance(made.func, ast.Name)
    kind = _KINDS[made.func.id]
    if kind.hint or any(each.arg == "hint" for each in made.keywords):
        return True
    if kind is not problems.Refused:  # what its code has is too general for what is known here
        return False
    code = made.args[1]
    return isinstance(code, ast.Constant) and code.value in problems.WAYS_OUT


@pytest.mark.parametrize("module", _MODULES, ids=lambda path: path.stem)
def test_every_refusal_says_the_way_out(module: Path) -> None:
    assert [f"{module.name}:{each.lineno}" for each in refusals(module) if not has_way_out(each)] == []


def test_the_walk_finds_refusals() -> None:
    assert sum(1 for module in _MODULES for _ in refusals(module)) > 40
    nothing = ast.parse('Refused(HTTPStatus.GONE, "gone", "It is gone.")').body[0]
    assert isinstance(nothing, ast.Expr) and isinstance(nothing.value, ast.Call) and not has_way_out(nothing.value)


def test_a_command_line_is_not_sent_to_the_description_of_the_api() -> None:
    for is_for_command_line, hint in ((True, None), (False, problems.WAYS_OUT["usage"])):
        answer = problems.problem(errors.UsageError("No."), request_id="1", is_for_command_line=is_for_command_line)
        assert json.loads(bytes(answer.body))["hint"] == hint


def test_what_is_refused_elsewhere_has_the_way_out_of_its_code() -> None:
    for kind in (errors.InputNotFound, errors.InputRejected, errors.UsageError, errors.Denied):
        assert json.loads(bytes(problems.problem(kind("No."), request_id="1").body))["hint"], kind
