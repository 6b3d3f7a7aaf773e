"""Requests of several jobs to one model are run at once, and everybody gets what is theirs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from processors.inference.frameworks.port import Tensors
from processors.inference.manifest import Manifest
from processors.inference.serving.batcher import Batcher
from processors.inference.serving.together import Request, chosen
from processors.worker.context import HandlerError

LONG_SECONDS = 30.0  # that nothing here takes
AN_HOUR_MS = 1000.0  # the longest delay that a manifest may name; a test that waits for it is a test that fails


def manifest(**batching: Any) -> Manifest:
    """A model of tokens, whose outputs are one vector for each token and one number for each row."""
    return Manifest.model_validate({
        "name": "scripted", "version": "1", "task": "feature-extraction", "framework": "onnx", "file": "model.onnx",
        "files": {name: {"sha256": "0" * 64, "size": 1} for name in ("model.onnx", "tokenizer.json")},
        "inputs": [{"name": name, "dtype": "int64", "shape": [-1, -1]} for name in ("input_ids", "attention_mask")],
        "outputs": [{"name": "hidden", "shape": [-1, -1, 2]}, {"name": "sum", "shape": [-1]}],
        "preprocessing": {"kind": "tokens"}, "batching": batching,
    })  # fmt: skip


class Scripted:
    """Doubles every token, and adds them up. It can be held up, and fails for a token that is negative."""

    device = "cpu"

    def __init__(self, *, is_held: bool = False) -> None:
        self.runs: list[list[int]] = []  #: the sums of each run
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        if not is_held:
            self.go_on.set()

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        ids, mask = tensors["input_ids"], tensors["attention_mask"]
        sums = (ids * mask).sum(1)
        self.runs.append(sums.tolist())
        self.begun.release()
        assert self.go_on.wait(LONG_SECONDS)
        if (ids < 0).any():
            raise HandlerError("negative", f"a batch of {len(ids)} has a negative token")
        found = {"hidden": np.stack([ids, ids * 2], axis=-1), "sum": sums}
        return {name: found[name] for name in (outputs or found)}

    def close(self) -> None:
        pass


def text(*tokens: int) -> dict[str, NDArray[Any]]:
    """One text."""
    return {"input_ids": np.array([tokens]), "attention_mask": np.ones((1, len(tokens)), np.int64)}


class Jobs:
    """Jobs that run a model at once, each in a thread of its own."""

    def __init__(self, batcher: Batcher, model: Scripted) -> None:
        self.batcher = batcher
        self.model = model
        self._threads = ThreadPoolExecutor(16)

    def begin(self, tensors: Tensors, outputs: Sequence[str] = ()) -> Future[dict[str, NDArray[Any]]]:
        """Start one, and return when its request is in line or has been taken from it."""
        before = self._came()
        future = self._threads.submit(self.batcher.run, tensors, outputs)
        with self.batcher._changed:
            assert self.batcher._changed.wait_for(lambda: self._came() > before or future.done(), LONG_SECONDS)
        return future

    def _came(self) -> int:
        return len(self.batcher._waiting) + len(self.model.runs)


def held(**batching: Any) -> tuple[Scripted, Jobs, Future[dict[str, NDArray[Any]]]]:
    """A model that is at work for one job, and stays so until `go_on` is set."""
    model = Scripted(is_held=True)
    jobs = Jobs(Batcher(model, manifest(**batching)), model)
    first = jobs._threads.submit(jobs.batcher.run, text(1))
    assert model.begun.acquire(timeout=LONG_SECONDS)
    return model, jobs, first


def total(future: Future[dict[str, NDArray[Any]]]) -> int:
    return int(future.result(LONG_SECONDS)["sum"][0])


def test_who_is_alone_does_not_wait_for_others() -> None:
    instants = iter([0.0, 0.0, 0.0, 0.0])  # the clock stands: no delay ever passes
    batcher = Batcher(Scripted(), manifest(maxSize=8, maxDelayMs=AN_HOUR_MS), clock=lambda: next(instants))
    for tokens in ([3], [4]):
        assert batcher.run(text(*tokens))["sum"].tolist() == tokens


def test_those_who_come_while_the_model_is_busy_are_run_at_once() -> None:
    model, jobs, first = held(maxSize=3, maxDelayMs=AN_HOUR_MS)
    others = [jobs.begin(text(number)) for number in (2, 3, 4)]
    model.go_on.set()
    assert [total(each) for each in (first, *others)] == [1, 2, 3, 4]
    assert model.runs == [[1], [2, 3, 4]]


@pytest.mark.parametrize(("largest", "rows"), [(4, 2), (64, 8)])
def test_who_brings_half_of_the_largest_batch_or_of_the_largest_group_waits_for_nobody(largest: int, rows: int) -> None:
    model, jobs, first = held(maxSize=largest)
    sums = [*range(5, 5 + rows)]
    several = {name: np.concatenate([text(each)[name] for each in sums]) for name in text(5)}
    other = jobs._threads.submit(jobs.batcher.run, several)
    assert model.begun.acquire(timeout=LONG_SECONDS)
    assert model.runs == [[1], sums]  # beside the first, which still runs
    model.go_on.set()
    assert (total(first), other.result(LONG_SECONDS)["sum"].tolist()) == (1, sums)


def test_no_run_is_larger_than_the_manifest_allows_and_who_came_first_goes_first() -> None:
    model, jobs, first = held(maxSize=2)
    others = [jobs.begin(text(number)) for number in range(2, 8)]
    model.go_on.set()
    assert [total(each) for each in (first, *others)] == [1, 2, 3, 4, 5, 6, 7]
    assert model.runs == [[1], [2, 3], [4, 5], [6, 7]]


def test_texts_of_about_one_length_go_together_and_get_their_own_length_back() -> None:
    model, jobs, first = held(maxSize=8, buckets=[4, 16])
    short, long, other = jobs.begin(text(1, 2)), jobs.begin(text(*range(1, 7))), jobs.begin(text(5, 6, 7))
    model.go_on.set()
    assert total(first) == 1
    assert short.result(LONG_SECONDS)["hidden"].tolist() == [[[1, 2], [2, 4]]]
    assert other.result(LONG_SECONDS)["hidden"].tolist() == [[[5, 10], [6, 12], [7, 14]]]
    assert long.result(LONG_SECONDS)["hidden"].shape == (1, 6, 2)
    assert model.runs == [[1], [3, 18], [21]]


def test_one_that_fails_fails_alone() -> None:
    model, jobs, first = held(maxSize=8)
    good, bad, better = (jobs.begin(text(number)) for number in (2, -3, 4))
    model.go_on.set()
    assert [total(each) for each in (first, good, better)] == [1, 2, 4]
    with pytest.raises(HandlerError, match="a batch of 1 has"):
        bad.result(LONG_SECONDS)
    assert total(jobs.begin(text(5))) == 5


def test_those_who_want_other_outputs_are_not_run_together() -> None:
    model, jobs, first = held(maxSize=8)
    one, other = jobs.begin(text(2), ["sum"]), jobs.begin(text(3), ["hidden"])
    model.go_on.set()
    assert total(first) == 1
    assert list(one.result(LONG_SECONDS)) == ["sum"] and list(other.result(LONG_SECONDS)) == ["hidden"]


class Summing(Scripted):
    """Gives one number, however many rows there are: its manifest is wrong."""

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        return {"sum": super().run(tensors)["sum"].sum(keepdims=True)}


def test_a_model_that_does_not_answer_row_by_row_is_found_out() -> None:
    model = Summing(is_held=True)
    jobs = Jobs(Batcher(model, manifest(maxSize=8)), model)
    first = jobs._threads.submit(jobs.batcher.run, text(1))
    assert model.begun.acquire(timeout=LONG_SECONDS)
    others = [jobs.begin(text(number)) for number in (2, 3)]
    model.go_on.set()
    assert [total(each) for each in (first, *others)] == [1, 2, 3]
    assert total(jobs._threads.submit(jobs.batcher.run, text(4))) == 4


def test_who_waits_for_more_goes_when_the_delay_is_over() -> None:
    model, jobs, first = held(maxSize=8, maxDelayMs=1)
    other = jobs.begin(text(2))
    model.go_on.set()
    assert (total(first), total(other)) == (1, 2)


# --- whose turn it is


def request(number: int, *, like: str = "a", rows: int = 1, at: float = 0.0) -> Request:
    return Request({"n": np.array([number])}, (), like, rows, at=at)


def test_there_is_a_wait_for_more_until_the_first_has_waited_long_enough() -> None:
    batching = manifest(maxSize=4, maxDelayMs=10).batching
    line = [request(1, at=5.0), request(2, at=5.004)]
    assert chosen(line, batching, now=5.004) == pytest.approx(0.006)
    assert chosen(line, batching, now=5.01) == line
    assert chosen([*line, request(3, rows=2)], batching, now=5.004) == [*line, request(3, rows=2)]  # it is full


def test_who_was_alone_when_it_came_does_not_wait() -> None:
    batching = manifest(maxSize=4, maxDelayMs=10).batching
    alone = replace(request(1, at=5.0), may_wait=False)
    assert chosen([alone], batching, now=5.0) == [alone]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6)), min_size=1, max_size=20), st.integers(2, 5)
)  # fmt: skip
def test_nobody_is_passed_over_by_one_who_came_later_and_is_alike(line: list[tuple[str, int]], most: int) -> None:
    waiting = [request(number, like=like, rows=rows) for number, (like, rows) in enumerate(line)]
    found = chosen(waiting, manifest(maxSize=most).batching, now=0.0)
    assert isinstance(found, list) and found[0] is waiting[0]
    alike = [each for each in waiting if each.likeness == waiting[0].likeness]
    assert found == alike[: len(found)]
    assert len(found) == 1 or sum(each.rows for each in found) <= most


@settings(max_examples=60, deadline=None)
@given(
    jobs=st.lists(
        st.lists(st.lists(st.integers(-1, 50), min_size=1, max_size=6), min_size=1, max_size=4), min_size=1, max_size=8
    ),
    most=st.integers(1, 6),
    delay=st.sampled_from([0.0, 0.5]),
    buckets=st.sampled_from([[], [2, 4], [8]]),
)
def test_every_job_gets_its_own_answers(
    jobs: list[list[list[int]]], most: int, delay: float, buckets: list[int]
) -> None:
    """Jobs that run several texts one after the other, all at once; a negative token fails, for its own job alone."""
    batcher = Batcher(Scripted(), manifest(maxSize=most, maxDelayMs=delay, buckets=buckets))
    start = threading.Barrier(len(jobs))

    def job(texts: list[list[int]]) -> list[Any]:
        start.wait(LONG_SECONDS)
        said: list[Any] = []
        for tokens in texts:
            try:
                said.append(batcher.run(text(*tokens))["hidden"][0, :, 1].tolist())
            except HandlerError as error:
                said.append(error.code)
        return said

    with ThreadPoolExecutor(len(jobs)) as threads:
        answers = list(threads.map(job, jobs))
    wanted = [[[2 * each for each in text] if min(text) >= 0 else "negative" for text in texts] for texts in jobs]
    assert answers == wanted
