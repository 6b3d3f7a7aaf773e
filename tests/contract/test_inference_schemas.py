"""Answers beside the JSON Schemas that Hugging Face publishes for its tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource

from tests.resources.models import default_models
from tests.resources.oracle import CHELSEA, COFFEE, Oracle
from tests.resources.workers import ROOT, Worker

SCHEMAS = ROOT / "tests" / "resources" / "inference" / "schemas"


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    home = tmp_path_factory.mktemp("inference")
    with Worker(home, "--models", str(default_models()), service="inference") as worker:
        yield Oracle(worker)


def _validator(task: str) -> Draft7Validator:
    documents = [json.loads(path.read_text()) for path in SCHEMAS.glob("*.json")]
    registry: Any = Registry().with_resources(  # the drafts differ in nothing that these schemas use
        (each["$id"], Resource.from_contents(each | {"$schema": "http://json-schema.org/draft-07/schema#"}))
        for each in documents
    )
    return Draft7Validator(json.loads((SCHEMAS / f"{task}.json").read_text()), registry=registry)


@pytest.mark.parametrize(
    ("task", "model", "data", "parameters"),
    [
        ("text-classification", "sentiment", "I love it", {}),
        ("text-classification", "sentiment", "It starts at ten.", {}),
        ("zero-shot-classification", "zero-shot", "A goal in the last minute", {"labels": ["sports", "food"]}),
        ("token-classification", "entities", "Tim Cook went to Berlin.", {}),
        ("summarization", "summary", "It rained. It poured. It was wet. Nobody came.", {"sentences": 2}),
        ("feature-extraction", "embeddings", "one text", {}),
        ("image-classification", "classify", CHELSEA, {}),
        ("text-generation", "generate", "Say hello.", {"maxTokens": 4, "seed": 1}),
    ],
)
def test_an_answer_is_what_the_schema_of_its_task_asks_for(
    oracle: Oracle, task: str, model: str, data: Any, parameters: dict[str, Any]
) -> None:
    answer = oracle.ask(model, data, **parameters)
    assert answer
    assert [error.message for error in _validator(task).iter_errors(answer)] == []


@pytest.mark.parametrize(
    ("task", "model", "data"),
    [
        ("text-classification", "sentiment", ["I love it", "It is okay"]),
        ("image-classification", "classify", {"a": CHELSEA, "b": COFFEE}),
        ("token-classification", "entities", ["Nothing to be found here.", "Tim Cook went to Berlin."]),
    ],
)
def test_each_of_several_answers_is_what_its_schema_asks_for(oracle: Oracle, task: str, model: str, data: Any) -> None:
    answers = oracle.ask(model, data)
    assert len(answers) == len(data)
    assert [error.message for answer in answers for error in _validator(task).iter_errors(answer)] == []


@pytest.mark.parametrize(
    ("task", "model", "data"),
    [
        ("text-classification", "moderate-text", "shut up moron"),
        ("image-classification", "moderate-image", CHELSEA),
    ],
)
def test_what_moderation_adds_to_a_classification_is_whether_to_object(
    oracle: Oracle, task: str, model: str, data: Any
) -> None:
    answer = oracle.ask(model, data)
    assert {*answer} == {"flagged", "categories"}
    assert [error.message for error in _validator(task).iter_errors(answer["categories"])] == []


def test_the_schemas_would_find_an_answer_that_is_none() -> None:
    assert list(_validator("text-classification").iter_errors([{"label": "POSITIVE"}]))
    assert list(_validator("feature-extraction").iter_errors([0.5]))
