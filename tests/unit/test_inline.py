"""Texts and files on one command line: which is which."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitchey_cli.domain.errors import UsageError
from pitchey_cli.operations.inline import names_file, placed, told_apart
from processors.vocabulary import Service

INFERENCE = Service.INFERENCE


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cat.jpg", "dog.jpg", "notes", "my cat.png"):
        Path(name).write_text("x")


@pytest.mark.parametrize(
    ("text", "is_file"),
    [
        ("cat.jpg", True),
        ("notes", True),
        ("my cat.png", True),
        ("missing.jpg", True),  # a missing file is an error, and not a strange text
        ("https://example.org/a", True),
        ("*.jpg", True),
        ("Is it good?", False),
        ("I love missing.jpg", False),
        ("See https://example.org/a", False),
        ("great", False),
        ("", False),
        ("x" * 5000, False),
        ("a\nb.jpg", False),
        ("a\0.jpg", False),
    ],
)
def test_a_text_names_a_file_when_there_is_one_or_nothing_else_is_meant(text: str, is_file: bool) -> None:
    assert names_file(INFERENCE, text) is is_file


def test_the_first_word_is_the_model_and_the_rest_are_texts_or_files() -> None:
    assert told_apart(INFERENCE, {}, ["sentiment", "I love it"]) == (
        {"model": "sentiment", "input_data": "I love it"}, (),
    )  # fmt: skip
    assert told_apart(INFERENCE, {}, ["sentiment", "a", "b"])[0]["input_data"] == ["a", "b"]
    assert told_apart(INFERENCE, {}, ["classify", "cat.jpg", "dog.jpg"]) == (
        {"model": "classify"}, ("cat.jpg", "dog.jpg"),
    )  # fmt: skip
    assert told_apart(INFERENCE, {"model": "sentiment"}, ["good"])[0] == {"model": "sentiment", "input_data": "good"}
    assert told_apart(INFERENCE, {}, ["-"]) == ({}, ("-",))
    assert told_apart(Service.VIDEO, {}, ["a text", "b.mp4"]) == ({}, ("a text", "b.mp4"))


def test_texts_and_files_are_not_mixed() -> None:
    with pytest.raises(UsageError, match=r"'cat\.jpg' is a file, and 'good' is none"):
        told_apart(INFERENCE, {}, ["m", "cat.jpg", "good"])
    with pytest.raises(UsageError, match="a job works on texts or on files"):
        placed(INFERENCE, {"inputData": ["cat.jpg", "a good one"]})
    with pytest.raises(UsageError, match="which is it"):
        told_apart(INFERENCE, {"input_data": "x"}, ["m", "good"])


def test_a_spec_in_json_may_name_files_as_its_input_data() -> None:
    assert placed(INFERENCE, {"inputData": "cat.jpg"}) == {"input_url": "cat.jpg"}
    assert placed(INFERENCE, {"inputData": ["cat.jpg", "./cat.jpg"]}) == {
        "input_files": {"1-cat.jpg": "cat.jpg", "2-cat.jpg": "./cat.jpg"}
    }
    for data in ("good", ["good", "bad"], {"x": [1]}, [1, 2], []):
        assert placed(INFERENCE, {"inputData": data}) == {"input_data": data}
    assert placed(Service.CODE, {"code": "cat.jpg"}) == {"code": "cat.jpg"}
