"""What the table of a job's outputs says of documents."""

from __future__ import annotations

from typing import Any

import pytest

from pitchey_cli.domain.job import Output
from pitchey_cli.reports.tables import output_details


@pytest.mark.parametrize(
    ("details", "said"),
    [
        ({"pages": "4-7", "title": "Two [of] three"}, 'pages 4-7, "Two [of] three"'),
        ({"pages": "4"}, "page 4"),
        ({"format": "pdf", "pages": 1, "encrypted": False}, "1 page"),
        ({"format": "text", "language": "nld", "confidence": 0.881}, "nld, 88% sure"),
        ({"width": 10, "height": 20, "page": 1}, "10x20"),
    ],
)
def test_the_pages_the_chapter_and_the_language_are_told(details: dict[str, Any], said: str) -> None:
    assert output_details(Output("a.pdf", "part", "application/pdf", "0" * 64, 1, details)) == said
