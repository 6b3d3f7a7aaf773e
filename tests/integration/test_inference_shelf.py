"""Real models on a shelf with little room, and what is done with a model when it is loaded."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from processors.inference import rehearsal
from processors.inference.errors import ModelError
from processors.inference.frameworks import registry
from processors.inference.frameworks.onnx import OnnxSession
from processors.inference.frameworks.port import Generator, Loaded
from processors.inference.repository import Entry, Repository
from processors.inference.serving import host
from processors.inference.serving.batcher import Batcher
from processors.inference.serving.measuring import measure
from processors.inference.serving.ready import made_ready
from processors.inference.serving.samples import sample
from processors.inference.serving.shelf import Shelf, may_have_forms, memory_of
from processors.protocol import Result
from tests.resources.models import default_models
from tests.resources.oracle import Oracle
from tests.resources.waiting import until
from tests.resources.workers import Worker

LONG_SECONDS = 30.0
MIB = 1 << 20


@pytest.fixture(scope="module")
def repository() -> Repository:
    return Repository([default_models()])


@pytest.fixture
def loads() -> Iterator[list[str]]:
    yield []


def shelf(mib: int, loads: list[str], said: list[dict[str, int]] | None = None, threads: int = 2) -> Shelf:
    """A shelf of so many MiB, which notes what it loads."""

    def load(entry: Entry) -> Loaded:
        loads.append(entry.manifest.name)
        has_forms = may_have_forms(entry, threads, mib * MIB)
        return made_ready(registry.load(entry, threads, has_forms=has_forms), entry.manifest)

    return Shelf(mib * MIB, load, (lambda _: None) if said is None else said.append, threads=threads)


def run(on: Shelf, entry: Entry) -> None:
    """As a job does."""
    with on.borrow(entry) as (loaded, _):
        tensors = sample(entry.manifest)
        assert not isinstance(loaded, Generator) and tensors is not None and loaded.run(tensors)


def test_the_model_that_was_used_least_lately_makes_room(repository: Repository, loads: list[str]) -> None:
    embeddings, sentiment, classify = (repository.find(name) for name in ("embeddings", "sentiment", "classify"))
    assert [memory_of(each) // MIB for each in (embeddings, sentiment, classify)] == [96, 4, 64]
    said: list[dict[str, int]] = []
    on = shelf(216, loads, said)
    run(on, embeddings)  # which counts for two forms
    run(on, sentiment)
    run(on, embeddings)
    assert on.names() == ["embeddings@1", "sentiment@1"]
    run(on, classify)  # 260 MiB: sentiment goes first, which is not enough, and then embeddings
    assert on.names() == ["classify@1"]
    run(on, sentiment)
    run(on, classify)
    assert on.names() == ["classify@1", "sentiment@1"]
    run(on, embeddings)
    assert on.names() == ["embeddings@1"]
    assert loads == ["embeddings", "sentiment", "classify", "sentiment", "embeddings"]
    assert said[-1] == {"embeddings@1": 192 * MIB}


def test_a_model_that_runs_is_not_let_go_and_who_needs_its_room_waits(repository: Repository, loads: list[str]) -> None:
    embeddings, classify = repository.find("embeddings"), repository.find("classify")
    on = shelf(200, loads)
    done = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        with on.borrow(embeddings) as (loaded, _):
            other = threads.submit(run, on, classify)
            other.add_done_callback(lambda _: done.set())
            until(lambda: done.is_set() or on._changed._waiters, "the other waits for room")  # type: ignore[attr-defined]
            assert not done.is_set() and on.names() == ["embeddings@1"]
            tensors = sample(embeddings.manifest)
            assert tensors is not None and loaded.run(tensors)  # type: ignore[union-attr]
        other.result(LONG_SECONDS)
    assert on.names() == ["classify@1"]


def test_many_who_want_one_model_load_it_once(repository: Repository, loads: list[str]) -> None:
    on, sentiment = shelf(100, loads), repository.find("sentiment")
    with ThreadPoolExecutor(8) as threads:
        for each in [threads.submit(run, on, sentiment) for _ in range(16)]:
            each.result(LONG_SECONDS)
    assert loads == ["sentiment"]


def test_a_run_in_company_has_another_form_of_the_model_and_the_same_answer(repository: Repository) -> None:
    entry = repository.find("embeddings")
    session = registry.load(entry, 2, has_forms=True)
    assert isinstance(session, OnnxSession)
    tensors = sample(entry.manifest)
    assert tensors is not None
    alone = session.run(tensors)

    def other_form() -> bool:
        with session._forms.fitting() as first, session._forms.fitting() as second:
            return first is not second or first is session._forms._narrow

    until(other_form, "the other form has been made")
    with session._forms.fitting():
        beside = session.run(tensors)
    assert {name: value.shape for name, value in beside.items()} == {name: each.shape for name, each in alone.items()}
    assert all(np.allclose(beside[name], alone[name], atol=1e-5) for name in alone)


def test_a_model_that_is_larger_than_the_budget_is_refused_with_both_numbers(
    repository: Repository, loads: list[str]
) -> None:
    with pytest.raises(ModelError, match="takes 96 MiB of memory, and this instance has 95 MiB"):
        run(shelf(95, loads), repository.find("embeddings"))
    assert not loads


@pytest.mark.parametrize(("mib", "threads", "counted", "has_narrow"), [
    (191, 2, 96, False), (192, 2, 192, True), (192, 1, 96, False)
])  # fmt: skip
def test_a_second_form_is_made_and_counted_where_it_has_room_and_threads_to_leave(
    repository: Repository, loads: list[str], mib: int, threads: int, counted: int, has_narrow: bool
) -> None:
    on, entry = shelf(mib, loads, threads=threads), repository.find("embeddings")
    with on.borrow(entry) as (loaded, _):
        assert on.loaded() == {"embeddings@1": counted * MIB}
        forms = loaded._inner._forms  # type: ignore[union-attr]
        assert (forms._make_narrow is not None) is has_narrow


def test_texts_of_several_jobs_get_the_answers_that_they_would_get_alone(repository: Repository) -> None:
    """The real model, padded and in a batch; its int8 weights move the last digits."""
    entry = repository.find("embeddings")
    alone = registry.load(entry, 1)
    ready = made_ready(registry.load(entry, 1), entry.manifest)
    assert isinstance(ready, Batcher)
    texts = [{"input_ids": np.array([[101, *range(2000, 2000 + count), 102]])} for count in (3, 9, 5, 12)]
    for each in texts:
        each["attention_mask"] = np.ones_like(each["input_ids"])
        each["token_type_ids"] = np.zeros_like(each["input_ids"])
    with ThreadPoolExecutor(len(texts)) as threads:
        together = list(threads.map(ready.run, texts))
    for tensors, answer in zip(texts, together, strict=True):
        wanted = alone.run(tensors)["last_hidden_state"].mean(1)[0]  # type: ignore[union-attr]
        found = answer["last_hidden_state"]
        assert found.shape == (1, tensors["input_ids"].shape[1], 384)
        found = found.mean(1)[0]
        assert found @ wanted / (np.linalg.norm(found) * np.linalg.norm(wanted)) > 0.99


def test_a_job_that_is_cancelled_takes_nothing_from_those_that_run_beside_it(tmp_path: Path) -> None:
    with Worker(tmp_path, "--slots", "6", "--models", str(default_models()), service="inference") as worker:
        oracle = Oracle(worker)
        many = [f"I love it for {number} reasons" for number in range(400)]
        endless = oracle.begin("sentiment", many)
        others = [oracle.begin("sentiment", text) for text in ("I love it", "I hate it", "Wonderful!", "Awful.")]
        assert worker.http.delete(f"/attempts/{endless}?grace=0").status_code == 202
        labels = []
        for token in others:
            assert worker.ending(token)["type"] == "result"
            answer = json.loads((worker.spool / token / "out" / "inference.json").read_text())
            labels.append(answer["output"][0]["label"])
        assert labels == ["POSITIVE", "NEGATIVE", "POSITIVE", "NEGATIVE"]
        assert worker.ending(endless)["error"]["code"] == "cancelled"


def test_models_are_measured_on_what_their_manifests_say(repository: Repository) -> None:
    for name in ("sentiment", "classify"):
        entry = repository.find(name)
        found = measure(registry.load(entry, 1), entry.manifest)  # type: ignore[arg-type]
        assert found is not None and found.seconds[1] > 0
        assert 1 <= found.batching.max_size <= 64


def test_a_model_that_is_measured_takes_its_room_beside_the_others(repository: Repository, loads: list[str]) -> None:
    on, classify = shelf(100, loads), repository.find("classify")
    run(on, classify)
    assert host.measured(classify, on)["measured"] is not None
    assert on.names() == [], "64 MiB twice are more than there is room for, so the one of the jobs went"
    with pytest.raises(ModelError, match="takes 64 MiB of memory, and this instance has 60 MiB"):
        host.measured(classify, shelf(60, loads))


def test_attempts_on_texts_are_rehearsed_without_models(
    monkeypatch: pytest.MonkeyPatch, repository: Repository
) -> None:
    done: list[str] = []
    whole = rehearsal.perform

    def noting(*arguments: Any) -> Result:
        result = whole(*arguments)
        done.append(f"{result.details['model']}: {result.details['task']}")
        return result

    monkeypatch.setattr(rehearsal, "perform", noting)
    rehearsal.rehearse(repository)
    assert done == ["embeddings: feature-extraction", "sentiment: text-classification"]


def test_a_manifest_that_claims_too_much_does_not_keep_the_worker_from_starting(tmp_path: Path) -> None:
    model = default_models() / "embeddings" / "1"
    shutil.copytree(model, tmp_path / "embeddings" / "1")
    said = json.loads((model / "manifest.json").read_text())
    said["outputs"][0]["shape"] = [-1, 10**9, 10**9]
    (tmp_path / "embeddings" / "1" / "manifest.json").write_text(json.dumps(said))
    rehearsal.rehearse(Repository([tmp_path]))
