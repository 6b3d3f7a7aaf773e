"""A whole store carried from one database into another, whichever they are: every row, compared, or nothing.

What is copied is said by the catalogues of the two, so that no table can be forgotten; that both have the same is
asked before anything is written. The rows that say who works on a database are history when nobody does, and nobody
does: so the nodes are copied with their epochs, and no lease is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from graphlib import TopologicalSorter
from hashlib import blake2b
from pathlib import Path

from pitchey_cli.domain.errors import StoreError, UsageError
from pitchey_cli.store import sqlite_end
from pitchey_cli.store.ends import Source, Table, Target, Values
from pitchey_cli.store.server import Server
from pitchey_cli.store.steps import newest

Place = Server | Path  #: where a store is
CarryProgress = Callable[[str, int, int], None]  #: what is done, rows done, rows in all

_TOLD_ROWS = 2000  # between two words to whoever looks at the progress
_HASH_BYTES = 32
#: What stands in a table about the database itself, and not about the store.
_OF_THE_STORE: Mapping[str, str] = {"meta": "name NOT IN ('schema_version', 'readable_by', 'artifacts_at')"}
#: Tables in which every new store has rows.
_FROM_THE_BEGINNING = frozenset({"meta", "organisations", "webhook_types"})
_STATE_ID = "SELECT value FROM meta WHERE name = 'state_id'"
_STOP = "`pitchey daemon stop` ends a daemon; `pitchey nodes remove NAME --force` says that one is gone for good."


@dataclass(frozen=True, slots=True)
class Carried:
    """A table that has been copied."""

    name: str
    rows: int
    digest: str  #: of all its rows, in whatever order they stand


@dataclass(frozen=True, slots=True)
class Copied:
    """A store that has been copied."""

    source: str
    target: str
    schema_version: int
    tables: tuple[Carried, ...]

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(each.rows for each in self.tables)


def place_named(text: str) -> Place:
    """The database of a URL, a path, or `sqlite:PATH`.

    Raises:
        UsageError: it names none.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "sqlite":
        text = rest
    elif "://" in text:
        return Server.parse(text)
    if not text:
        raise UsageError("No database is named.", hint="It is postgresql://USER@HOST/DATABASE, or the path of a file.")
    path = Path(text).expanduser()
    if path.is_dir():
        raise UsageError(f"{path} is a folder.", hint="Name a file in it.")
    return path


def copy_store(source: Place, target: Place, *, progress: CarryProgress | None = None) -> Copied:
    """Copy all that is in a store into another one, in which there is nothing yet.

    All of it is there when this returns, and nothing of it when it raises. Nobody may run jobs on either; the source
    is only read.

    Raises:
        StoreError: somebody works on one of them, the target is not empty, they are of different versions, somebody has
            written into the source meanwhile, or a row did not arrive as it was.
        UsageError: both are the same.
    """
    if isinstance(source, Path) and isinstance(target, Path) and _is_same_file(source, target):
        raise _same(str(source), str(target))
    with _reading(source) as read, _writing(target) as written:
        _check(read, written)
        return _carry(read, written, progress or (lambda what, done, total: None))


def _reading(place: Place) -> AbstractContextManager[Source]:
    if isinstance(place, Path):
        return sqlite_end.reading(place)
    from pitchey_cli.store import postgres_end  # late: the driver is for those who have a server

    return postgres_end.reading(place)


def _writing(place: Place) -> AbstractContextManager[Target]:
    if isinstance(place, Path):
        return sqlite_end.writing(place)
    from pitchey_cli.store import postgres_end

    return postgres_end.writing(place)


def _is_same_file(one: Path, other: Path) -> bool:
    return one.exists() and other.exists() and one.samefile(other)


def _same(source: str, target: str) -> UsageError:
    return UsageError(f"{target} is {source} itself, or a copy of it.", hint="Name another database.")


# --- what is refused


def _check(source: Source, target: Target) -> None:
    if source.asked(_STATE_ID) == target.asked(_STATE_ID):
        raise _same(source.where, target.where)
    known = newest()
    for end in (source, target):
        if (found := end.schema_version()) != known:
            what = "A newer Pitchey has written it: upgrade this one." if found > known else _UPGRADE
            text = f"{end.where} has schema version {found}, and this Pitchey copies version {known}."
            raise StoreError(text, hint=what)
        _require_rest(end)
    tables = target.tables()
    if _columns_of(source.tables()) != _columns_of(tables):
        raise StoreError(f"{source.where} and {target.where} do not have the same tables.", hint=_CHANGED)
    _require_new(target, tables)


_UPGRADE = "Any verb that works with it brings it up to date, as `pitchey db status`."
_CHANGED = "Somebody has changed the schema of one: `pitchey doctor` and `pitchey db check` look closer."


def _columns_of(tables: Mapping[str, Table]) -> dict[str, frozenset[str]]:
    return {name: frozenset(table.columns) for name, table in tables.items()}


def _require_rest(end: Source) -> None:
    names = [row[0] for row in end.asked("SELECT name FROM nodes WHERE state = 'up' ORDER BY name")]
    if names:
        many = "The nodes" if len(names) > 1 else "The node"
        text = f"{many} {', '.join(names)} {'work' if len(names) > 1 else 'works'} on {end.where}."
        raise StoreError(text, hint=_STOP)
    ((running,),) = end.asked("SELECT count(*) FROM container_jobs WHERE state = 'running'")
    if running:
        text = f"{running:,} jobs run on {end.where}."
        raise StoreError(text, hint="Start the daemon, and stop it when they have ended: then nothing is left behind.")


def _require_new(target: Target, tables: Mapping[str, Table]) -> None:
    for name in ("container_jobs", *sorted(tables)):
        ((rows,),) = target.asked(f"SELECT count(*) FROM {name}")
        if name == "organisations":
            rows -= 1  # the one that everybody has
        elif name in _FROM_THE_BEGINNING:
            continue
        if rows:
            what = "jobs" if name == "container_jobs" else f"rows in {name}"
            text = f"{target.where} is not empty: it has {rows:,} {what}."
            raise StoreError(text, hint="A store is copied into a new database: name another, or make one.")


# --- the copy


def _carry(source: Source, target: Target, progress: CarryProgress) -> Copied:
    tables = _in_order(source.tables())
    totals = {table.name: source.asked(_question("count(*)", table))[0][0] for table in tables}
    numbers = source.last_numbers()
    read: dict[str, _Seen] = {}
    with target.without_triggers():
        for table in reversed(tables):
            if table.name in _FROM_THE_BEGINNING:
                target.forget(table, _condition(table))
        for table in tables:
            seen = _Seen(table.name, totals[table.name], progress)
            with closing(source.rows(table, _condition(table))) as rows:
                target.write(table, seen.passing(rows))
            read[table.name] = seen
        for name, last in numbers.items():
            target.follow_on(name, last)
    target.listen()
    for table in tables:
        back = _Seen(f"checking {table.name}", totals[table.name], progress)
        with closing(target.rows(table, _condition(table))) as rows:
            for _ in back.passing(rows):
                pass
        _compare(table, read[table.name], back, target)
    if source.has_changed():
        text = f"Somebody has written into {source.where} while it was copied."
        raise StoreError(text, hint="Nothing has been copied. Try again when nobody submits.")
    carried = [Carried(name, seen.rows, seen.digest) for name, seen in sorted(read.items())]
    return Copied(source.where, target.where, target.schema_version(), tuple(carried))


def _in_order(tables: Mapping[str, Table]) -> list[Table]:
    """Tables after those that they refer to."""
    needs = {name: sorted(tables[name].needs) for name in sorted(tables)}
    return [tables[name] for name in TopologicalSorter(needs).static_order()]


def _condition(table: Table) -> str:
    return _OF_THE_STORE.get(table.name, "TRUE")


def _question(what: str, table: Table) -> str:
    return f"SELECT {what} FROM {table.name} WHERE {_condition(table)}"


def _compare(table: Table, read: _Seen, back: _Seen, target: Target) -> None:
    if read.rows != back.rows:
        text = f"Of {read.rows:,} rows of {table.name} there are {back.rows:,} in {target.where}."
        raise StoreError(text, hint="Nothing has been copied. Please report it.")
    if read.digest != back.digest:
        text = f"Rows of {table.name} are others in {target.where}."
        raise StoreError(text, hint="Nothing has been copied. Please report it.")


class _Seen:
    """Counts rows that pass, and adds up their hashes: the sum does not know in which order they came."""

    def __init__(self, what: str, total: int, progress: CarryProgress) -> None:
        self.rows = 0
        self._sum = 0
        self._what = what
        self._total = total
        self._progress = progress

    @property
    def digest(self) -> str:
        return f"{self._sum % 256**_HASH_BYTES:0{2 * _HASH_BYTES}x}"

    def passing(self, rows: Iterable[Values]) -> Iterator[Values]:
        for row in rows:
            # As Python writes it, which tells 1 from 1.0 and '1', and has every digit of a float.
            hashed = blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES)
            self._sum += int.from_bytes(hashed.digest(), "big")
            self.rows += 1
            if self.rows % _TOLD_ROWS == 0:
                self._progress(self._what, self.rows, self._total)
            yield row
        if self._total:
            self._progress(self._what, self.rows, self._total)
