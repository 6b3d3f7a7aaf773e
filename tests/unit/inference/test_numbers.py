"""Numbers on their way into a model and out of it: none becomes another one unseen."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from processors.inference.frameworks.takes import Takes
from processors.inference.manifest import Dtype, Picture, TensorShape
from processors.inference.pictures import shown, tensor
from processors.inference.sentences import parts
from processors.inference.tasks.scoring import sigmoid
from processors.inference.tasks.summarization import most_telling
from processors.inference.tensor_files import from_json
from processors.worker.context import Rejected


def fitted(value: NDArray[Any], dtype: Dtype) -> NDArray[Any]:
    takes = Takes("The model net@1", [TensorShape(name="x", dtype=dtype, shape=[-1])], ["y"])
    return takes.fitting({"x": value})["x"]


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (np.array([0, 255]), "uint8"),
        (np.array([1.0, 2.0]), "int64"),
        (np.array([1, 0]), "bool"),
        (np.array([0.1, np.inf, np.nan]), "float32"),
        (np.array([1, 2**40]), "float32"),
        (np.array([], np.float64), "int32"),
    ],
)
def test_what_is_the_same_number_in_another_type_is_taken(value: NDArray[Any], dtype: Dtype) -> None:
    found = fitted(value, dtype)
    assert found.dtype.name == dtype and np.allclose(found.astype(np.float64), value, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "dtype", "says"),
    [
        (np.array([1, 300]), "uint8", "'x' with 300"),
        (np.array([-1]), "uint8", "'x' with -1"),
        (np.array([1.0, 1.5]), "int64", "'x' with 1.5"),
        (np.array([np.nan]), "int64", "'x' with nan"),
        (np.array([2**40]), "int32", "'x' with 1099511627776"),
        (np.array([1e6]), "float16", "'x' with 1000000.0"),
        (np.array([2]), "bool", "'x' with 2"),
    ],
)
def test_what_would_become_another_number_is_refused(value: NDArray[Any], dtype: Dtype, says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        fitted(value, dtype)
    assert refused.value.code == "wrong_type" and refused.value.hint == f"It takes x {dtype}[?]."


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"datatype": "INT64", "shape": [2], "data": [1, 1.5]}, "1.5 is no int64"),
        ({"datatype": "UINT8", "shape": [1], "data": [300]}, "300"),
        ({"datatype": "BOOL", "shape": [1], "data": ["false"]}, "'false' is no bool"),
    ],
)
def test_a_tensor_in_a_job_is_what_its_datatype_says(said: dict[str, Any], says: str) -> None:
    with pytest.raises(Rejected, match=says) as refused:
        from_json({"x": said}, "net")
    assert refused.value.code == "not_tensors"


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=20))
def test_a_share_is_one_however_far_from_zero_the_number_is(numbers: list[float]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shares = sigmoid(np.array(numbers, np.float32))
    assert ((shares >= 0) & (shares <= 1)).all()
    assert shares[np.array(numbers) == 0] == pytest.approx(0.5)
    order = np.argsort(numbers, kind="stable")
    assert (np.diff(shares[order]) >= 0).all()


def test_the_sentences_of_a_book_are_compared_without_all_their_pairs() -> None:
    """Of 200,000 sentences all pairs would take 160 GB."""
    dice = np.random.default_rng(1)
    vectors = dice.normal(size=(200_000, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    places = most_telling(vectors, 3)
    assert len({*places}) == 3
    # What the first has said is not said again.
    some = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 1]], np.float32)
    assert most_telling(some, 2) == [0, 2]


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (640, 480)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_a_picture_of_any_shape_goes_in(size: tuple[int, int], fit: Any) -> None:
    how = Picture(width=64, height=48, fit=fit, divide_by=255, pad_with=114)
    white = Image.new("RGB", size, "white")
    found = tensor([white], how)
    assert found.shape == (1, 3, 48, 64) and found[0, :, 0, 0] == pytest.approx([1, 1, 1])
    _, _, width, height = shown(*size, how)
    assert width > 0 and height > 0
    if fit == "pad" and size != (640, 480):
        assert found[0, :, -1, -1] == pytest.approx([114 / 255] * 3)  # the border


@given(st.text(alphabet="ab. \n", max_size=200), st.integers(4, 40))
def test_parts_of_a_text_are_the_whole_text(text: str, most: int) -> None:
    found = parts(text, most)
    assert "".join(text[begin:end] for begin, end in found) == text
    assert all(end - begin <= most for begin, end in found)
    assert len(found) == 1 or all(begin < end for begin, end in found)


def test_a_long_text_is_parted_between_paragraphs_sentences_or_words() -> None:
    text = "One two three. Four five.\n\nSix seven eight nine ten"
    assert [text[begin:end] for begin, end in parts(text, 32)] == [
        "One two three. Four five.\n\n",
        "Six seven eight nine ten",
    ]
    begin, end = parts(text, 20)[0]
    assert text[begin:end] == "One two three. "
