"""Files of interactions (who has or rated what) and of items (what these are), as CSV or JSON Lines."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from processors.worker.context import Rejected

#: what columns are called, the first name first
_USER = ("user", "user_id", "userId", "userid")
_ITEM = ("item", "item_id", "itemId", "itemid")
_WEIGHT = ("rating", "weight", "value", "count")
_IGNORED = ("timestamp", "time", "date")
_JSON_LINES = (".jsonl", ".ndjson")
_MOST_ROWS = 5_000_000
_MOST_ITEMS = 50_000  # a list of neighbours is kept of each
_LONGEST_ID = 200  # characters
_HINT = "A row has user and item, and perhaps rating; one about an item has item and any other columns."


@dataclass(slots=True)
class Interactions:
    """Who has what, in numbers; identifiers are in the order in which they came."""

    users: dict[str, int] = field(default_factory=dict)
    items: dict[str, int] = field(default_factory=dict)
    rows: dict[tuple[int, int], float] = field(default_factory=dict)  #: (user, item) -> weight
    texts: dict[int, str] = field(default_factory=dict)  #: of items: all that is said of them


def read(files: Sequence[tuple[str, Path]]) -> Interactions:
    """Read files of both kinds, told apart by whether they have a column of users.

    Raises:
        Rejected: names the file and the line.
    """
    found = Interactions()
    for name, path in files:
        for number, row in _rows(name, path):
            _take(found, row, f"{name}, line {number}")
    if not found.rows:
        raise Rejected("no_interactions", f"{files[0][0]} has no interactions.", _HINT)
    return found


def _take(found: Interactions, row: Mapping[str, Any], where: str) -> None:
    user, item, weight = (_first(row, names) for names in (_USER, _ITEM, _WEIGHT))
    if item is None:
        raise Rejected("no_interactions", f"{where} has no item.", _HINT)
    item_number = found.items.setdefault(_identifier(item, where), len(found.items))
    if len(found.items) > _MOST_ITEMS:
        raise Rejected("too_many_items", f"{where} is the {_MOST_ITEMS + 1:,}th item: more are not fitted.")
    if user is None:
        known = {*_USER, *_ITEM}
        said = [str(value) for key, value in row.items() if key not in known and value is not None]
        found.texts[item_number] = " ".join([found.texts.get(item_number, ""), *said]).strip()
        return
    user_number = found.users.setdefault(_identifier(user, where), len(found.users))
    value = _number(weight, where)
    if value > 0:
        place = (user_number, item_number)
        found.rows[place] = found.rows.get(place, 0.0) + value
    if len(found.rows) > _MOST_ROWS:
        raise Rejected("too_many_rows", f"{where} is one too many: {_MOST_ROWS:,} interactions are fitted at most.")


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _identifier(value: Any, where: str) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and 0 < len(str(value)) <= _LONGEST_ID:
        return str(value)
    raise Rejected("no_interactions", f"{where}: {str(value)[:80]!r} identifies nobody and nothing.", _HINT)


def _number(value: Any, where: str) -> float:
    if value is None:
        return 1.0
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise Rejected("no_interactions", f"{where}: the rating {str(value)[:80]!r} is no number.", _HINT)
    return number


def _rows(name: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.stat().st_size == 0:
        raise Rejected("no_interactions", f"{name} is empty.", _HINT)
    reader = _json_lines if PurePosixPath(name).suffix.lower() in _JSON_LINES else _csv
    try:
        yield from reader(name, path)
    except UnicodeDecodeError as error:
        raise Rejected("not_a_text", f"{name} is no UTF-8 text.", _HINT) from error


def _json_lines(name: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise Rejected("not_json_lines", f"{name}, line {number}, is not JSON.", _HINT) from error
            if not isinstance(row, dict):
                raise Rejected("not_json_lines", f"{name}, line {number}, is no object.", _HINT)
            yield number, {key: value for key, value in row.items() if key not in _IGNORED}


def _csv(name: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        head = file.readline()
        file.seek(0)
        reader = csv.DictReader(file, delimiter="\t" if "\t" in head else ";" if ";" in head else ",")
        columns = reader.fieldnames or []
        if not any(column in _ITEM for column in columns):
            raise Rejected("no_interactions", f"{name} has no column item: it has {', '.join(columns)[:200]}.", _HINT)
        try:
            for row in reader:
                yield reader.line_num, {key: value for key, value in row.items() if key and key not in _IGNORED}
        except csv.Error as error:
            raise Rejected("no_interactions", f"{name}, line {reader.line_num}: {error}.", _HINT) from error
