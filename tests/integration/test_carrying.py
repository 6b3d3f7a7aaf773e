"""A whole store in another database: every row as it was, and one that goes on from there."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitchey_cli.domain.access import AuditEntry
from pitchey_cli.domain.cost import TICKS_PER_HOUR
from pitchey_cli.domain.errors import PitcheyError, StoreError, UsageError
from pitchey_cli.domain.job import InstanceState, JobState, Outcome
from pitchey_cli.domain.nodes import NodeFacts, NodeState, Room
from pitchey_cli.store import queries
from pitchey_cli.store.carrying import Place, copy_store, place_named
from pitchey_cli.store.port import Store
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.server import Server
from pitchey_cli.store.sqlite import SqliteStore
from pitchey_cli.store.steps import newest
from processors.protocol import Reason, Service
from tests.resources.books import INSTANCE, wrong_books
from tests.resources.whole_store import ACME, NOON, claim, end, fill, new
from tests.servers.postgres import PostgresServer

FACTS = NodeFacts("here", "1.0", 1, "process", (Service.VIDEO,))
Rows = Mapping[str, list[tuple[Any, ...]]]


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    path = tmp_path / "filled.db"
    with closing(SqliteStore.open(path)) as store:
        fill(store)
        assert store.integrity() == []
    return path


@pytest.fixture(params=["postgres", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A new database of each kind."""
    if request.param == "sqlite":
        return tmp_path / "new.db"
    return Server.parse(request.getfixturevalue("postgres_url"))


@pytest.fixture
def opened() -> Iterator[Callable[[Place], Store]]:
    """Opens the store of a place."""
    stores: list[Store] = []

    def open_(place: Place) -> Store:
        found = SqliteStore.open(place) if isinstance(place, Path) else PostgresStore.open(place.url)
        stores.append(found)
        return found

    yield open_
    for each in stores:
        each.close()


def rows_in(path: Path) -> Rows:
    """All rows of a SQLite file as they stand, with the numbers that SQLite gives them, and those it remembers."""
    with closing(sqlite3.connect(path)) as raw:
        found = {}
        for name, sql in raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").fetchall():
            number = "" if "WITHOUT ROWID" in (sql or "") else "rowid, "
            number = "" if name == "sqlite_sequence" else number
            found[name] = sorted(raw.execute(f"SELECT {number}* FROM {name}").fetchall(), key=repr)
        return found


def schema_of(path: Path) -> list[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as raw:
        return sorted(raw.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall())


# --- what is copied


def test_everything_comes_back_from_postgresql_as_it_went_there(
    filled: Path, postgres_url: str, tmp_path: Path
) -> None:
    before = rows_in(filled)
    assert [name for name, rows in before.items() if not rows] == []  # every table is tried
    there, back = Server.parse(postgres_url), tmp_path / "back.db"
    went, came = copy_store(filled, there), copy_store(there, back)
    assert rows_in(back) == before == rows_in(filled)
    assert schema_of(back) == schema_of(filled)  # the triggers among it
    assert went.tables == came.tables and went.rows == came.rows > 100
    copied = {each.name: each.rows for each in went.tables}
    own = {"meta": len(before["meta"]) - 1}  # who may read it is the database's own
    assert copied == {name: len(rows) for name, rows in before.items() if name != "sqlite_sequence"} | own


def test_both_dialects_have_the_same_tables_and_a_copy_knows_all_of_them(
    tmp_path: Path, postgres_store_url: str, postgres_server: PostgresServer
) -> None:
    SqliteStore.open(tmp_path / "a.db").close()
    sqlite = set(rows_in(tmp_path / "a.db")) - {"sqlite_sequence"}
    database = postgres_store_url.partition("@/")[2].partition("?")[0]
    found = postgres_server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'pitchey'", database=database)
    postgres = {str(row[0]) for row in found} - {"commits"}  # which says who has written into that database
    copied = copy_store(tmp_path / "a.db", Server.parse(postgres_store_url))
    assert sqlite == postgres == {each.name for each in copied.tables}


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
floats = st.floats(min_value=0, allow_nan=False, allow_infinity=False)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hints=st.dictionaries(texts, texts, min_size=1, max_size=40),
    seconds=st.lists(floats | st.just(float("inf")) | st.just(-0.0), min_size=1, max_size=40),
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
)
def test_any_text_and_number_survives(
    tmp_path: Path,
    postgres_server: PostgresServer,
    postgres_template: str,
    hints: dict[str, str],
    seconds: list[float],
    numbers: list[int],
) -> None:
    for path in (here := tmp_path / "here.db", back := tmp_path / "back.db"):
        path.unlink(missing_ok=True)
    SqliteStore.open(here).close()
    with closing(sqlite3.connect(here)) as raw, raw:
        raw.executemany("INSERT INTO size_hints VALUES ('video', ?, ?)", hints.items())
        insert = "INSERT INTO container_metrics (at, service, size, organisation, name, seconds, count) "
        raw.executemany(insert + "VALUES (?, '', '', '', 'start', ?, 1)", zip(numbers * 40, seconds, strict=False))
    name = postgres_server.create()
    try:
        copy_store(here, there := Server.parse(postgres_server.url(name)))
        copy_store(there, back)
    finally:
        postgres_server.drop(name)
    assert rows_in(back) == rows_in(here)


# --- the copy goes on


def test_a_copy_goes_on_where_the_store_was(filled: Path, place: Place, opened: Callable[[Place], Store]) -> None:
    copy_store(filled, place)
    was, store = opened(filled), opened(place)
    assert store.state_id() == was.state_id()  # by which an engine knows whose instances are
    assert store.integrity() == []
    days = {"since": NOON - timedelta(days=1), "until": NOON + timedelta(days=2)}
    assert store.counts() == was.counts()
    assert store.costs(**days) == was.costs(**days) and store.cost_totals() == was.cost_totals()
    last = store.last_event_id()
    pending = store.webhooks()[0].pending
    assert pending == was.webhooks()[0].pending > 0

    store.add_instance(replace(INSTANCE, id="i-3"))
    store.set_instance("i-3", InstanceState.READY, now=NOON, tick=0)
    store.enqueue([new("fresh", priority=5, inputs=())], now=NOON)
    job = claim(store, instance_id="i-3", tick=1)
    end(store, job, Outcome(Reason.COMPLETED), tick=TICKS_PER_HOUR)
    store.set_instance("i-3", InstanceState.STOPPED, now=NOON, tick=TICKS_PER_HOUR)
    assert store.job(job.id).state is JobState.SUCCEEDED
    events = store.events(after=0, limit=1000)
    assert [each.id for each in events] == sorted({each.id for each in events})
    given_out = dict(row for row in rows_in(filled)["sqlite_sequence"])["job_events"]
    assert given_out > last and min(each.id for each in events if each.id > last) == given_out + 1
    assert store.webhooks()[0].pending > pending  # somebody is still told
    assert store.instances(active_only=False)[-1].id == "i-3"  # in the order in which they were asked for
    assert wrong_books(store) == [] and store.integrity() == []
    store.note_action(AuditEntry(NOON, "ada", ACME, "token.revoke", "t2"))
    assert [each.target for each in store.audit_log()] == ["t2", "t1"]


def test_what_the_database_itself_refuses_it_refuses_in_the_copy(
    filled: Path, postgres_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    copy_store(filled, Server.parse(postgres_url))
    database = postgres_url.partition("@/")[2].partition("?")[0]
    with pytest.raises(Exception, match="only added to"):
        postgres_server.run("DELETE FROM pitchey.audit_log", database=database)
    copy_store(filled, tmp_path / "b.db")
    with closing(sqlite3.connect(tmp_path / "b.db")) as raw, pytest.raises(sqlite3.Error, match="only added to"):
        raw.execute("DELETE FROM audit_log")


def test_an_empty_store_of_either_kind_takes_a_copy(
    filled: Path, place: Place, opened: Callable[[Place], Store]
) -> None:
    empty = opened(place)
    empty.close()
    copy_store(filled, place)
    assert opened(place).counts() == opened(filled).counts()


# --- what is refused


def test_a_target_that_has_anything_is_left_alone(filled: Path, place: Place, opened: Callable[[Place], Store]) -> None:
    other = opened(place)
    other.set_size_hint(Service.VIDEO, "mp4", "lite")
    with pytest.raises(StoreError, match=r"not empty: it has 1 rows in size_hints"):
        copy_store(filled, place)
    other.enqueue([new("mine")], now=NOON)
    with pytest.raises(StoreError, match=r"not empty: it has 1 jobs") as refused:
        copy_store(filled, place)
    assert "another" in refused.value.hint
    assert other.job_ids("") == ["mine"] and other.state_id() != opened(filled).state_id()


def test_nothing_is_copied_twice_or_onto_itself(filled: Path, place: Place) -> None:
    copy_store(filled, place)
    with pytest.raises(UsageError, match=r"itself, or a copy of it"):
        copy_store(filled, place)
    with pytest.raises(UsageError, match=r"itself, or a copy of it"):
        copy_store(place, place)
    link = filled.with_name("link.db")
    link.symlink_to(filled)
    with pytest.raises(UsageError, match=r"itself, or a copy of it"):
        copy_store(filled, link)


@pytest.mark.parametrize("is_source", [True, False])
def test_nothing_is_copied_while_a_node_works_on_either(
    filled: Path, place: Place, opened: Callable[[Place], Store], tmp_path: Path, is_source: bool
) -> None:
    store = opened(place)
    under = store.enter("n9", FACTS, Room(), now=NOON)
    ends = (place, tmp_path / "target.db") if is_source else (filled, place)
    with pytest.raises(StoreError, match=r"The node here works on ") as refused:
        copy_store(*ends)
    assert "daemon stop" in refused.value.hint and "nodes remove" in refused.value.hint
    assert not (tmp_path / "target.db").exists()
    assert store.leave(under, now=NOON)
    if is_source:
        copy_store(*ends)
        assert [each.state for each in opened(ends[1]).nodes()] == [NodeState.DOWN]


def test_nothing_is_copied_while_jobs_run(place: Place, opened: Callable[[Place], Store], tmp_path: Path) -> None:
    store = opened(place)
    store.add_instance(INSTANCE)
    store.enqueue([new("runs")], now=NOON)
    claim(store)
    with pytest.raises(StoreError, match=r"1 jobs run on ") as refused:
        copy_store(place, tmp_path / "target.db")
    assert "Start the daemon, and stop it" in refused.value.hint


def test_a_store_of_a_newer_version_is_refused(filled: Path, place: Place) -> None:
    with closing(sqlite3.connect(filled)) as raw, raw:
        raw.execute(f"PRAGMA user_version = {newest() + 1}")  # readable by this program, it says
    with pytest.raises(StoreError, match=rf"schema version {newest() + 1}, and this Pitchey copies") as refused:
        copy_store(filled, place)
    assert "upgrade this one" in refused.value.hint


@pytest.mark.parametrize("is_source", [True, False])
def test_a_store_of_an_older_version_is_refused_until_it_is_brought_up_to_date(
    filled: Path,
    place: Place,
    opened: Callable[[Place], Store],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_source: bool,
) -> None:
    if not is_source:
        opened(place).close()
    shutil.copytree(queries.SQL, newer := tmp_path / "newer")
    number = newest() + 1
    for dialect in ("postgres", "sqlite"):
        step = newer / dialect / "migrations" / f"{number:04}_colours.sql"
        step.write_text("ALTER TABLE nodes ADD COLUMN colour TEXT;\n")
    monkeypatch.setattr(queries, "SQL", newer)
    if not is_source:
        opened(filled).close()
    with pytest.raises(StoreError, match=rf"schema version {number - 1}, and this Pitchey copies") as refused:
        copy_store(filled, place)
    assert "brings it up to date" in refused.value.hint
    opened(filled if is_source else place).close()
    copy_store(filled, place)
    assert opened(place).schema_version() == number


def test_a_table_that_only_one_of_them_has_is_refused(filled: Path, place: Place) -> None:
    with closing(sqlite3.connect(filled)) as raw, raw:
        raw.execute("CREATE TABLE notes (text TEXT)")
    with pytest.raises(StoreError, match="do not have the same tables"):
        copy_store(filled, place)


def test_a_text_that_postgresql_cannot_keep_is_named(filled: Path, postgres_url: str) -> None:
    with closing(sqlite3.connect(filled)) as raw, raw:
        raw.execute("UPDATE container_jobs SET name = 'a' || char(0) || 'b' WHERE id = 'waits'")
    with pytest.raises(StoreError, match=r"A text in container_jobs has a NUL character"):
        copy_store(filled, Server.parse(postgres_url))
    with pytest.raises(StoreError, match="has no tables of Pitchey"):
        copy_store(Server.parse(postgres_url), filled.with_name("x.db"))


def test_what_is_written_into_the_source_meanwhile_undoes_the_copy(
    place: Place, opened: Callable[[Place], Store], tmp_path: Path
) -> None:
    source = opened(place)
    source.enqueue([new("first")], now=NOON)
    told: list[str] = []

    def submit(what: str, done: int, total: int) -> None:
        if not told:
            source.enqueue([new("late")], now=NOON)  # who writes is not kept waiting
        told.append(what)

    with pytest.raises(StoreError, match=r"Somebody has written into .* while it was copied"):
        copy_store(place, tmp_path / "target.db", progress=submit)
    assert [path.name for path in tmp_path.iterdir() if "target" in path.name] == []
    assert {"container_jobs", "checking container_jobs"} <= set(told)
    copied = copy_store(place, tmp_path / "target.db")
    assert {each.name: each.rows for each in copied.tables}["container_jobs"] == 2


@pytest.mark.parametrize("at", ["container_jobs", "webhook_deliveries", "checking job_events"])
@pytest.mark.parametrize("is_there", [True, False])
def test_an_interrupt_leaves_the_target_as_it_was(
    filled: Path, place: Place, opened: Callable[[Place], Store], at: str, is_there: bool
) -> None:
    state_id = ""
    if is_there:
        store = opened(place)
        state_id = store.state_id()
        store.close()

    def interrupt(what: str, done: int, total: int) -> None:
        if what == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(filled, place, progress=interrupt)
    if is_there:
        store = opened(place)
        assert store.state_id() == state_id and store.job_ids("") == [] and store.audit_log() == []
        store.set_size_hint(Service.VIDEO, "x", "y")  # nobody has left a lock
    elif isinstance(place, Path):
        assert [path.name for path in place.parent.iterdir() if "new.db" in path.name] == []
    else:
        with pytest.raises(StoreError, match="has no tables of Pitchey"):
            PostgresStore.open(place.url, create=False)


def test_what_a_database_left_behind_that_was_moved_is_not_read_into_the_copy(
    filled: Path, tmp_path: Path, opened: Callable[[Place], Store]
) -> None:
    opened(filled).set_size_hint(Service.VIDEO, "new", "lite")  # it is open: what is new is in its WAL
    place = tmp_path / "new.db"
    shutil.copy(f"{filled}-wal", wal := tmp_path / "new.db-wal")
    before = wal.read_bytes()
    with pytest.raises(StoreError, match=r"belongs to a database that was moved from there") as refused:
        copy_store(filled, place)
    assert "OTHER-wal" in refused.value.hint
    assert not place.exists() and wal.read_bytes() == before


# --- names of databases


def test_databases_are_named_by_url_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert place_named("sqlite:a/b.db") == place_named("a/b.db") == Path("a/b.db")
    assert place_named("sqlite:///a/b.db") == Path("/a/b.db")
    assert place_named("sqlite:~/b.db") == tmp_path / "b.db"
    assert place_named("postgresql://ada@db/q") == Server("postgresql://ada@db/q")
    for wrong in ("", "sqlite:", "mysql://a/b", str(tmp_path)):
        with pytest.raises(PitcheyError):
            place_named(wrong)
