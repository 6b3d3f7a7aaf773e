"""The values of sheets, as they were saved."""

from __future__ import annotations

import datetime

import pytest

from processors.document.office.xlsx import Value, written


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234567890123450.0, "1234567890123450"),  # as the number of a card
        (float(2**53), "9007199254740992"),
        (1234567890.125, "1234567890.125"),
        (0.1 + 0.2, "0.3"),
        (3.14159265358979, "3.14159265358979"),
        (1e300, "1e+300"),
        (-2.0, "-2"),
        (True, "TRUE"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
    ],
)
def test_a_value_is_written_as_it_was_saved(value: Value, shown: str) -> None:
    assert written(value) == shown
