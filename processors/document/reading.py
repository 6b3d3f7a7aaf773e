"""A file, read in this process: for tests and measurements, and for what is small."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from processors.document.layout.flowing import flow_of
from processors.document.layout.headings import Levels, Outline, ranks_in
from processors.document.layout.looks import Looks
from processors.document.layout.structure import page_of
from processors.document.model import Page
from processors.document.pdf.opening import opened
from processors.document.pdf.outline import outline_of
from processors.document.pdf.reading import sheet_of


def pages_of_file(path: Path, name: str) -> Iterator[Page]:
    """Read the pages of a PDF."""
    with opened(path, name, None) as document:
        outline = Outline.of([(entry.level, entry.title) for entry in outline_of(document)])
        flows = [flow_of(sheet_of(document, index, name)) for index in range(len(document))]
    looks = Looks()
    for flow in flows:
        looks.add(flow)
    ranks: dict = {}
    for flow in flows:
        for rank, count in ranks_in(flow, looks, outline).items():
            ranks[rank] = ranks.get(rank, 0) + count
    levels = Levels.of(ranks)
    for flow in flows:
        yield page_of(flow, looks, outline, levels)
