"""Texts as sentences, as counts of words, and as answers that end where they are told to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.inference.frameworks.stops import Stops
from processors.inference.manifest import Manifest, Words
from processors.inference.repository import Entry
from processors.inference.sentences import sentences, statements
from processors.inference.tokens import parted
from processors.inference.words import counts, vocabulary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Ellen Marsh spoke. J. K. Hall did not.", ["Dr. Ellen Marsh spoke.", "J. K. Hall did not."]),
        ('He said "Stop." Then he left.', ['He said "Stop."', "Then he left."]),
        ("It costs 3.50 at 9 a.m. on weekdays.", ["It costs 3.50 at 9 a.m. on weekdays."]),
        ("A title\n\nA sentence that\nis cut. ", ["A title", "A sentence that is cut."]),
        ("", []),
    ],
)
def test_a_text_is_its_sentences(text: str, found: list[str]) -> None:
    assert sentences(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("# IBM\n\nIt was founded in 1911. It makes computers.", ["It was founded in 1911.", "It makes computers."]),
        ("IBM\n===\nIt was founded.\n## Now\nIt goes on.\n\n---\n", ["It was founded.", "It goes on."]),
        ("A title\n\nA sentence.", ["A sentence."]),
        ("no mark at all", ["no mark at all"]),
        ("# Only a heading", ["# Only a heading"]),
    ],
)
def test_a_summary_is_made_of_sentences_and_not_of_headings(text: str, found: list[str]) -> None:
    assert statements(text) == found


@given(st.text(alphabet="ab.! \n", max_size=60))
def test_no_letter_is_lost_between_sentences(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


@given(
    st.text(alphabet="abc", max_size=40),
    st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3),
    st.data(),
)
def test_an_answer_ends_before_the_first_stop_however_it_is_cut(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    found = Stops(stops)
    given_out = "".join(found.feed(piece) for piece in pieces)
    ends = [place + len(stop) for stop in stops if (place := text.find(stop)) >= 0]
    assert found.is_met is bool(ends)
    if not ends:
        assert given_out + found.rest() == text
    else:
        assert text.startswith(given_out) and not any(stop in given_out for stop in stops)


def entry_with(folder: Path, words: str) -> Entry:
    """A model whose vocabulary is these words."""
    (folder / "vocabulary.txt").write_text(words)
    facts = {"sha256": hashlib.sha256(words.encode()).hexdigest(), "size": len(words)}
    fields = {"name": "m", "version": "1", "task": "tensors", "framework": "onnx", "file": "vocabulary.txt"}
    return Entry(Manifest.model_validate({**fields, "files": {"vocabulary.txt": facts}}), folder)


def test_words_are_counted_that_are_in_the_vocabulary(tmp_path: Path) -> None:
    known = vocabulary(entry_with(tmp_path, "bad\nday\na\n"), Words())
    found = counts(["Bad day, BAD luck, a", "nothing"], Words(), known)
    assert found.tolist() == [[2, 1, 0], [0, 0, 0]] and found.dtype == np.float32


def test_the_vocabulary_of_a_model_that_was_added_again_is_the_new_one(tmp_path: Path) -> None:
    assert vocabulary(entry_with(tmp_path, "bad\n"), Words()) == {"bad": 0}
    assert vocabulary(entry_with(tmp_path, "good\n"), Words()) == {"good": 0}


@given(st.lists(st.integers(1, 256), max_size=60).map(sorted), st.booleans())
def test_every_window_goes_in_once_and_no_run_takes_too_much_memory(lengths: list[int], is_masked: bool) -> None:
    parts = [[lengths[place] for place in places] for places in parted(lengths, is_masked=is_masked)]
    assert [length for part in parts for length in part] == lengths
    assert all(len(part) <= 16 and len(part) * max(part) <= 2048 for part in parts)
    if not is_masked:
        assert all(len(set(part)) == 1 for part in parts)


def test_short_texts_that_differ_much_are_not_made_as_long_as_the_longest() -> None:
    lengths = [5] * 6 + [20] * 6 + [21] * 4 + [60]
    assert [[*places] for places in parted(lengths, is_masked=True)] == [
        [*range(6)],
        [*range(6, 16)],
        [16],
    ]
