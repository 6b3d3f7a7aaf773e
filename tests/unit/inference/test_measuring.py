"""How a model is to be batched is found by running it. The scripted model turns the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from processors.inference.frameworks.port import Tensors
from processors.inference.manifest import Manifest
from processors.inference.serving.measuring import Measured, measure
from processors.inference.serving.samples import sample
from processors.worker.context import HandlerError


def manifest(**said: Any) -> Manifest:
    """A model of numbers, where nothing else is said."""
    return Manifest.model_validate({
        "name": "scripted", "version": "1", "task": "tensors", "framework": "onnx", "file": "model.onnx",
        "files": {name: {"sha256": "0" * 64, "size": 1} for name in ("model.onnx", "tokenizer.json")},
        "inputs": [{"name": "x", "shape": [-1, 3]}], **said,
    })  # fmt: skip


class Timed:
    """Takes as long as it is told for so many rows."""

    device = "cpu"

    def __init__(self, seconds: Callable[[int], float]) -> None:
        self.now = 0.0
        self.sizes: list[int] = []
        self._seconds = seconds

    def run(self, tensors: Tensors, outputs: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
        x = next(iter(tensors.values()))
        self.sizes.append(len(x))
        self.now += self._seconds(len(x))
        return {"y": self.answer(x)}

    def answer(self, x: NDArray[Any]) -> NDArray[Any]:
        return x + 1

    def close(self) -> None:
        pass


def measured(model: Timed, said: Manifest) -> Measured:
    found = measure(model, said, clock=lambda: model.now)
    assert found is not None
    return found


def test_the_smallest_size_is_chosen_that_is_about_as_good_as_the_best() -> None:
    found = measured(Timed(lambda rows: 0.008 + 0.002 * rows), manifest())
    assert found.batching.max_size == 64 and found.batching.max_delay_ms == 5.0
    levelling = measured(Timed(lambda rows: max(0.008, 0.002 * rows)), manifest())
    assert levelling.batching.max_size == 4 and levelling.batching.max_delay_ms == 4.0
    assert levelling.seconds[4] == pytest.approx(0.008)


def test_a_model_that_gains_nothing_is_not_batched() -> None:
    assert measured(Timed(lambda rows: 0.01 * rows), manifest()).batching.max_size == 1


def test_a_model_that_takes_too_long_is_not_tried_with_more() -> None:
    model = Timed(lambda rows: 0.9 * rows)
    measured(model, manifest())
    assert max(model.sizes) == 4


def test_a_model_of_texts_gets_buckets_up_to_its_longest_text() -> None:
    tokens = manifest(
        task="feature-extraction", inputs=[{"name": "input_ids", "dtype": "int64", "shape": [-1, -1]}],
        preprocessing={"kind": "tokens", "maxTokens": 100},
    )  # fmt: skip
    assert measured(Timed(lambda rows: 0.01), tokens).batching.buckets == [16, 32, 64, 100]


class Mixing(Timed):
    """What a row gets depends on the others."""

    def answer(self, x: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = x + x.mean()
        return found


class Single(Timed):
    """Takes one row."""

    def answer(self, x: NDArray[Any]) -> NDArray[Any]:
        if len(x) > 1:
            raise HandlerError("wrong_shape", "one row")
        return x


@pytest.mark.parametrize("kind", [Mixing, Single])
def test_a_model_whose_inputs_cannot_be_put_together_is_not_batched(kind: type[Timed]) -> None:
    assert measured(kind(lambda rows: 0.01), manifest()).batching.max_size == 1


def test_a_model_that_says_one_input_at_a_time_is_taken_at_its_word() -> None:
    model = Timed(lambda rows: 0.01)
    assert measured(model, manifest(inputs=[{"name": "x", "shape": [1, 3]}])).batching.max_size == 1
    assert set(model.sizes) == {1}


def test_where_the_manifest_does_not_say_what_goes_in_nothing_is_measured() -> None:
    assert measure(Timed(lambda rows: 0.01), manifest(inputs=[])) is None
    assert sample(manifest(inputs=[{"name": "x", "shape": [-1, -1]}])) is None


def test_a_picture_has_the_size_that_its_preprocessing_says() -> None:
    picture = {"kind": "picture", "width": 20, "height": 10, "dtype": "uint8"}
    found = sample(manifest(task="image-classification", inputs=[], preprocessing=picture), rows=2)
    assert found is not None
    assert found["input"].shape == (2, 3, 10, 20) and found["input"].dtype == np.uint8
