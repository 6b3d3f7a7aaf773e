"""Pages as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.document.ranges import in_words, pages_of
from processors.worker.context import Rejected


@pytest.mark.parametrize(
    ("text", "pages"),
    [(None, [0, 1, 2, 3, 4]), ("2", [1]), ("1-3", [0, 1, 2]), ("4-", [3, 4]), ("5,1,1-2", [0, 1, 4])],
)
def test_ranges(text: str | None, pages: list[int]) -> None:
    assert pages_of(text, 5, "a.pdf") == pages


@pytest.mark.parametrize("text", ["6", "1-6", "6-", "3-2"])
def test_what_is_not_there_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        pages_of(text, 5, "a.pdf")
    assert caught.value.code == "no_such_page"


@given(st.sets(st.integers(0, 99), min_size=1))
def test_words_say_the_same_pages(pages: set[int]) -> None:
    assert pages_of(in_words(sorted(pages)), 100, "a.pdf") == sorted(pages)
