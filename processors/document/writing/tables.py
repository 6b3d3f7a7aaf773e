"""A table as a file of its own."""

from __future__ import annotations

import csv
import io
import json

from processors.document.model import Table, grid


def as_csv(table: Table) -> str:
    """RFC 4180; what a cell spans has its text throughout."""
    file = io.StringIO()
    csv.writer(file).writerows(_rows(table))
    return file.getvalue()


def as_json(table: Table) -> str:
    """A list of rows, each a list of texts."""
    return json.dumps(_rows(table), ensure_ascii=False, indent=1) + "\n"


def _rows(table: Table) -> list[list[str]]:
    return [[" ".join(cell.split()) for cell in row] for row in grid(table)]
