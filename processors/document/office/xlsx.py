"""XLSX, and what else calamine reads: for each sheet a page with its name and a table of its values."""

from __future__ import annotations

import datetime
from pathlib import Path

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum, ZipError

from processors.document import passwords
from processors.document.model import Block, Cell, Heading, Page, Span, Table
from processors.worker.context import Rejected

_MOST_CELLS = 500_000  # of the whole, empty ones between others included
_MOST_ROWS = 100_000  # of a sheet
_MOST_EXACT = 2**53  # up to here a number of a sheet has all of its digits; of others Excel keeps 15

Value = int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta


def pages_of(path: Path, name: str) -> list[Page]:
    """Read a workbook.

    Raises:
        Rejected: it is damaged, or has more cells than a document can show.
    """
    try:
        book = CalamineWorkbook.from_path(path)
        left = _MOST_CELLS
        made = []
        for number, about in enumerate(book.sheets_metadata, start=1):
            if about.visible is not SheetVisibleEnum.Visible:
                continue
            sheet = book.get_sheet_by_name(about.name)
            left -= sheet.height * sheet.width
            if left < 0 or sheet.height > _MOST_ROWS:
                raise Rejected(
                    "document_too_large",
                    f"{name} has more than {_MOST_CELLS} cells, or a sheet of more than {_MOST_ROWS} rows.",
                    "Divide it, or leave out what is empty.",
                )
            rows = sheet.to_python(skip_empty_area=True)
            blocks: list[Block] = [Heading(1, (Span(about.name),))]
            if table := _table(rows, sheet.merged_cell_ranges or [], sheet.start or (0, 0)):
                blocks.append(table)
            made.append(Page(number, tuple(blocks)))
        return made
    except PasswordError as error:
        raise passwords.missing(name) from error
    except (CalamineError, ZipError, OSError) as error:
        raise Rejected("damaged_document", f"{name} cannot be read: {str(error).rstrip('.')}.") from error


def _table(
    rows: list[list[Value]], merged: list[tuple[tuple[int, int], tuple[int, int]]], start: tuple[int, int]
) -> Table | None:
    """The cells of a sheet, without the empty rows and columns after the last that says something."""
    width = max((x + 1 for row in rows for x, value in enumerate(row) if value != ""), default=0)
    height = max((y + 1 for y, row in enumerate(rows) if any(value != "" for value in row)), default=0)
    if not width or not height:
        return None
    spans: dict[tuple[int, int], tuple[int, int]] = {}
    covered: set[tuple[int, int]] = set()
    for (top, left), (bottom, right) in merged:
        y, x = top - start[0], left - start[1]
        down, across = min(height, bottom - start[0] + 1), min(width, right - start[1] + 1)
        if not (0 <= y < down and 0 <= x < across):
            continue
        spans[y, x] = (across - x, down - y)
        covered |= {(j, i) for j in range(y, down) for i in range(x, across) if (j, i) != (y, x)}
    return Table(
        tuple(
            tuple(
                Cell((Span(written(value)),) if value != "" else (), *spans.get((y, x), (1, 1)), header=y == 0)
                for x, value in enumerate(row[:width])
                if (y, x) not in covered
            )
            for y, row in enumerate(rows[:height])
        )
    )


def written(value: Value) -> str:
    """A value as it is read: numbers without needless places, dates as ISO 8601 has them."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) <= _MOST_EXACT else f"{value:.15g}"
        case datetime.datetime():
            return value.isoformat(sep=" ", timespec="minutes" if not value.second else "seconds")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            return str(value)
