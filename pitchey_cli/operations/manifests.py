"""Manifests: one job per line, in JSON Lines or CSV.

A line names its input and the fields of the spec; beside them, what the queue is to do with this job (`priority`,
`run-at`, ...), and `name`, what to call it. What was said on the command line counts for every line.

In CSV a list or an object is a cell with JSON, or with what the field's option takes on the command line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pitchey_cli.domain.errors import Denied, InputNotFound, InputRejected, UsageError
from pitchey_cli.operations import cells, inline, naming, queueing, requests, sources
from pitchey_cli.operations.drafts import Draft, drafted, named_apart
from pitchey_cli.operations.requests import Request
from processors.vocabulary import Service

Line = tuple[str, Mapping[str, Any]]  #: where it stands, and what it says


def read(path: Path, service: Service, forms: Mapping[str, cells.Form]) -> Iterator[Line]:
    """The lines of a manifest file: CSV by its suffix, else JSON.

    Args:
        forms: what options of the service take, where that is not the usual; a cell takes it as well.

    Raises:
        InputNotFound, Denied, UsageError: it cannot be read, or a line of it is not what it should be.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # spreadsheets put a mark in front
    except FileNotFoundError as error:
        hint = "- alone, without --manifest, reads standard input." if str(path) == "-" else None
        raise InputNotFound(f"There is no manifest at {str(path)!r}.", hint=hint) from error
    except PermissionError as error:
        raise Denied(f"The manifest {path} may not be read.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The manifest {path} cannot be read: {error}.") from error
    if path.suffix.lower() != ".csv":
        return from_json(text, str(path))
    return from_csv(text, str(path), lambda name, cell: cells.read(service, name, cell, forms))


def from_json(text: str, where: str) -> Iterator[Line]:
    """One document (an object, or a list of them), or one object per line."""
    try:
        whole = json.loads(text)
    except ValueError:
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    yield _object(f"line {number}", json.loads(line), where)
                except ValueError as error:
                    raise UsageError(f"{where}, line {number}, is not JSON.") from error
        return
    if isinstance(whole, list):
        yield from (_object(f"item {number}", item, where) for number, item in enumerate(whole, start=1))
    else:
        yield _object("line 1", whole, where)


def _object(place: str, value: Any, where: str) -> Line:
    if not isinstance(value, dict):
        raise UsageError(f"{where}, {place}: a spec is a JSON object, not {json.dumps(value)[:60]}.")
    return place, value


def from_csv(text: str, where: str, value_of: Callable[[str, str], Any] = lambda name, cell: cell) -> Iterator[Line]:
    """A line of names, then one line per job; an empty cell says nothing, `a.b` reaches into a field.

    Args:
        value_of: what a cell says, by the name of its column.
    """
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in next(rows, [])]
        if len(names) != len(set(names)) or not all(names):
            raise UsageError(f"{where}: the first line names the columns, each once.")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            place = f"line {rows.line_num}"
            if len(row) != len(names):
                raise UsageError(f"{where}, {place}: {len(row)} cells under {len(names)} columns.")
            said = {name: cell.strip() for name, cell in zip(names, row, strict=True) if cell.strip()}
            yield place, _nested(said, f"{where}, {place}", value_of)
    except csv.Error as error:
        raise UsageError(f"{where}, line {rows.line_num}, is not CSV: {error}.") from error


def _nested(row: Mapping[str, str], where: str, value_of: Callable[[str, str], Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, cell in row.items():
        *parents, last = name.split(".")
        place = fields
        try:
            for parent in parents:
                place = place.setdefault(parent, {})
                if not isinstance(place, dict):
                    raise UsageError(f"{cell!r} is a part of {parent}, which another column says as a whole.")
            place[last] = value_of(name, cell)
        except UsageError as error:
            raise UsageError(f"{where}, column {name!r}: {error}", hint=error.hint) from error
    return fields


def drafts(asked: Request, lines: Iterator[Line], *, where: str) -> list[Draft]:
    """Check the job of each line.

    Raises:
        UsageError, InputNotFound, InputRejected: names the line.
    """
    found: list[Draft] = []
    for place, line in lines:
        try:
            found.append(replace(_draft(asked, line), where=f"{where}, {place}"))
        except (UsageError, InputNotFound, InputRejected, Denied) as error:
            raise type(error)(f"{where}, {place}: {error}", hint=error.hint) from error
    if not found:
        raise UsageError(f"{where}: there is no job in it.")
    return named_apart(found)


def _draft(asked: Request, line: Mapping[str, Any]) -> Draft:
    line = inline.with_input_told_apart(asked.service, line)
    said = inline.placed(asked.service, {k: v for k, v in line.items() if k not in ("input", "name")})
    fields, words = queueing.split(asked.service, said)
    source = None
    if "input" in line:
        found = sources.find(asked.service, [str(line["input"])])
        if len(found) != 1:
            raise UsageError(f"{line['input']!r} are {len(found)} inputs; a line is one job.")
        source = found[0]
    draft = drafted(asked.service, requests.whole_fields(asked, source, fields), source)
    if "name" in line:
        draft = replace(draft, name=naming.name(str(line["name"]), "name"))
    return replace(draft, queueing={**words, **asked.queueing}) if words else draft
