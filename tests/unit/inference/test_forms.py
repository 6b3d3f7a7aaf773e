"""Runs that have company get the form of a model that leaves the other processors to it."""

from __future__ import annotations

import pytest

from processors.inference.frameworks.forms import Forms, has_forms
from processors.inference.manifest import Manifest
from processors.vocabulary import GPU_VARIABLE
from tests.resources.waiting import until


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def form_in_company(forms: Forms[str]) -> str:
    """Of the second of two runs."""
    with forms.fitting(), forms.fitting() as second:
        return second


def test_who_is_alone_has_all_threads_and_who_has_company_has_one() -> None:
    clock = Clock()
    forms = Forms("wide", lambda: "narrow", clock)
    with forms.fitting() as form:
        assert form == "wide"
    until(lambda: form_in_company(forms) == "narrow", "the other form has been made")
    with forms.fitting() as form:
        assert form == "narrow"  # who comes a moment after the others
    clock.now += 1.0
    with forms.fitting() as form:
        assert form == "wide"


def test_nothing_is_made_for_who_is_alone() -> None:
    made: list[str] = []
    forms = Forms("wide", lambda: made.append("narrow") or "narrow", Clock())
    for _ in range(3):
        with forms.fitting():
            pass
    assert made == []


def test_a_model_goes_on_with_one_form_where_the_other_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> str:
        tries.append("narrow")
        raise MemoryError("no room for it")

    tries: list[str] = []
    forms, said = Forms("wide", fail, Clock()), ""

    def has_said() -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return "no room for it" in said

    assert form_in_company(forms) == "wide"
    until(has_said, "it has been tried")
    assert form_in_company(forms) == "wide"
    assert tries == ["narrow"], "it is not tried again"


def test_there_is_one_form_where_there_is_nothing_to_make() -> None:
    assert form_in_company(Forms("wide", None, Clock())) == "wide"


@pytest.mark.parametrize(
    ("changed", "is_so"),
    [
        ({}, True),
        ({"batching": {"maxSize": 1}}, False),
        ({"framework": "tflite"}, False),
        ({"preprocessing": {"kind": "picture", "input": "input", "width": 8, "height": 8}}, False),
        ({"files": {"model.onnx": {"sha256": "0" * 64, "size": 1 << 30}}}, False),
    ],
)
def test_both_forms_are_for_small_models_of_tokens(changed: dict[str, object], is_so: bool) -> None:
    assert has_forms(model(changed), 2) is is_so


def test_both_forms_are_for_several_threads_and_no_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_forms(model(), 2) and not has_forms(model(), 1)
    monkeypatch.setenv(GPU_VARIABLE, "1")
    assert not has_forms(model(), 2)


def model(changed: dict[str, object] | None = None) -> Manifest:
    """A small one of tokens, with changes."""
    changed = changed or {}
    files = {name: {"sha256": "0" * 64, "size": 1 << 20} for name in ("model.onnx", "tokenizer.json")}
    said = {
        "name": "small", "version": "1", "task": "feature-extraction", "framework": "onnx", "file": "model.onnx",
        "files": files, "preprocessing": {"kind": "tokens"}, "batching": {"maxSize": 8},
    }  # fmt: skip
    changed = changed | ({"files": files | changed["files"]} if "files" in changed else {})  # type: ignore[operator]
    return Manifest.model_validate(said | changed)
