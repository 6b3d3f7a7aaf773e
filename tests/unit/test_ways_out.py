"""Whoever is refused is told the way out: every refusal of the API's own has a hint, or a code that has one."""

from __future__ import annotations

import ast
import inspect
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
    if kind is problems.Refused:
        code = made.args[1]
        return isinstance(code, ast.Constant) and code.value in problems.WAYS_OUT
    return problems.meaning_of(kind(""))[1] in problems.WAYS_OUT


@pytest.mark.parametrize("module", _MODULES, ids=lambda path: path.stem)
def test_every_refusal_says_the_way_out(module: Path) -> None:
    assert [f"{module.name}:{each.lineno}" for each in refusals(module) if not has_way_out(each)] == []


def test_the_walk_finds_refusals() -> None:
    assert sum(1 for module in _MODULES for _ in refusals(module)) > 40
    nothing = ast.parse('Refused(HTTPStatus.GONE, "gone", "It is gone.")').body[0]
    assert isinstance(nothing, ast.Expr) and isinstance(nothing.value, ast.Call) and not has_way_out(nothing.value)
