"""The measures of quality measure what they say."""

from __future__ import annotations

import pytest

from tests.quality import scores

TABLE = "| a | b |\n| - | - |\n| 1 | 2 |\n"


@pytest.mark.parametrize(
    ("a", "b", "length"), [("", "abc", 0), ("abc", "abc", 3), ("abcd", "acbd", 3), ("ab", "ba", 1)]
)
def test_common_length(a: str, b: str, length: int) -> None:
    assert scores.common_length(a, b) == length


def test_markup_does_not_count_and_order_does() -> None:
    assert scores.order("# Title\n\n- **one** [two](x)", "Title one two") == 1.0
    assert scores.order("one two three four", "three four one two") < 0.7


def test_headings_are_matched_once() -> None:
    counts = scores.heading_counts("# One\n\n## Two\n\n```\n# no\n```\n", "# One\n# One\n# Twoo\n")
    assert (counts.both, counts.expected, counts.found) == (2, 2, 3)
    assert counts.f1 == pytest.approx(0.8)


def test_tables_are_compared_by_cell_and_a_false_one_costs() -> None:
    html = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    assert scores.tables(TABLE, html) == 1.0
    assert scores.tables(TABLE, f"{TABLE}\n\ntext\n\n{TABLE}") == 0.5
    assert scores.tables(TABLE, "a b 1 2") == 0.0
    assert scores.tables("text", TABLE) is None
    assert 0.8 < (scores.tables(TABLE, TABLE.replace("2", "3")) or 0) < 1
