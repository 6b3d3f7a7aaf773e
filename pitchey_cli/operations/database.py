"""What an operator does with the database as a whole: see that nothing is missing, and write its rows into files."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from pitchey_cli.artifacts.port import Artifacts
from pitchey_cli.domain.errors import Denied, StoreError, UsageError
from pitchey_cli.store.export import Table
from pitchey_cli.store.port import Store
from pitchey_cli.values import dataclass

ReadProgress = Callable[[int, int], None]  #: bytes done, bytes in all


@dataclass(frozen=True)
class Checked:
    """What a check looked at, and what is wrong."""

    artifacts: int  #: that the database names
    problems: tuple[str, ...]


def check(store: Store, artifacts: Artifacts, *, is_deep: bool, progress: ReadProgress | None = None) -> Checked:
    """Look for what is wrong with the database, and for artifacts that it names and that are not there.

    Args:
        is_deep: also read every artifact, and compare its content with its name.
    """
    problems = store.integrity()
    there = {each.sha256: each.size for each in artifacts.kept()}
    problems += _cut(store, there)
    names: set[str] = set()
    missing: dict[str, str] = {}
    after = 0
    while page := store.holdings(after_seq=after):
        after = page[-1].seq
        for holding in page:
            for name in holding.names:
                names.add(name)
                # It may have come since: then it is read. Those are few.
                if name not in there and not artifacts.is_whole(name):
                    missing.setdefault(name, holding.job_id)
    # A job may have been removed since its row was read, and its artifacts with it.
    known = store.known_jobs(sorted(set(missing.values())))
    problems += [f"artifact {name}: missing, job {job} refers to it" for name, job in missing.items() if job in known]
    if is_deep:
        problems += _altered(artifacts, there, progress)
    return Checked(len(names), tuple(problems))


def _cut(store: Store, there: Mapping[str, int]) -> Iterator[str]:
    """Those of the results: their sizes are known.

    Args:
        there: the sizes of what is kept.
    """
    after = ""
    while page := store.artifact_sizes(after=after):
        after = page[-1][0]
        for name, size in page:
            if (found := there.get(name, size)) != size:
                yield f"artifact {name}: has {found:,} bytes, not {size:,}"


def _altered(artifacts: Artifacts, there: Mapping[str, int], progress: ReadProgress | None) -> Iterator[str]:
    total, done = sum(there.values()), 0
    for name, size in there.items():

        def tell(read: int, _: int | None, before: int = done) -> None:
            if progress is not None:
                progress(before + read, total)

        if not artifacts.is_whole(name, progress=tell) and not artifacts.refresh([name]):  # not removed since
            yield f"artifact {name}: its content is another"
        done += size


class ExportFormat(StrEnum):
    """What rows are written as."""

    JSON = "json"  #: one object per line
    CSV = "csv"


_SUFFIXES = {ExportFormat.JSON: ".ndjson", ExportFormat.CSV: ".csv"}


def format_named(text: str) -> ExportFormat:
    """The format of a name."""
    try:
        return ExportFormat(text.strip().lower())
    except ValueError:
        formats = ", ".join(ExportFormat)
        raise UsageError(f"There is no format {text!r}.", hint=f"There are {formats}.") from None


def write(tables: Iterable[Table], target: TextIO, chosen: ExportFormat) -> None:
    """Write rows as they come; JSON lines name their table."""
    for table in tables:
        _write_one(table, target, chosen, {"table": table.name})


def write_files(
    tables: Iterable[Table], directory: Path, chosen: ExportFormat, *, overwrite: bool
) -> Iterator[tuple[Path, int]]:
    """Write each table into a file of its own; each file and its number of rows, when it is whole."""
    for table in tables:
        target = directory / f"{table.name}{_SUFFIXES[chosen]}"
        if target.exists() and not overwrite:
            raise UsageError(f"{target} exists.", hint="--overwrite replaces it.")
        with _whole_or_absent(target) as file:
            rows = _write_one(table, file, chosen, {})
        yield target, rows


def _write_one(table: Table, target: TextIO, chosen: ExportFormat, head: dict[str, str]) -> int:
    count = 0
    if chosen is ExportFormat.CSV:
        writer = csv.DictWriter(target, table.columns, lineterminator="\n")
        writer.writeheader()
        for count, row in enumerate(table.rows, start=1):  # noqa: B007
            writer.writerow(row)
    else:
        encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
        for count, row in enumerate(table.rows, start=1):  # noqa: B007
            target.write(encode({**head, **row}) + "\n")
    return count


@contextmanager
def _whole_or_absent(target: Path) -> Iterator[TextIO]:
    temporary = target.with_name(f".{target.name}.part")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            yield file
        temporary.replace(target)
    except PermissionError as error:
        raise Denied(f"{target.parent} may not be written.") from error
    except OSError as error:
        raise StoreError(
            f"{target} could not be written: {error.strerror}.", hint="Make room and try again."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def refuse_several(tables: Sequence[str], chosen: ExportFormat) -> None:
    """Raise UsageError for what cannot stand in one stream: the columns of several tables."""
    if chosen is ExportFormat.CSV and len(tables) != 1:
        hint = "Name one table, or a directory with --output."
        raise UsageError("CSV on standard output is one table's.", hint=hint)
