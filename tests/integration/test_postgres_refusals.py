"""What a PostgreSQL server can refuse, and what is said of it: one error with the way out, and no password in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from pitchey_cli.domain.errors import ExitCode, StoreError, UsageError
from pitchey_cli.domain.urls import masked
from pitchey_cli.store import queries
from pitchey_cli.store.postgres import PostgresStore
from pitchey_cli.store.postgres_export import export
from pitchey_cli.store.server import Server
from pitchey_cli.store.steps import newest
from processors.vocabulary import Service
from tests.conftest import Pitchey
from tests.resources.old_postgres import old_postgres
from tests.resources.releases import release
from tests.servers.postgres import OWNER, PostgresServer


@pytest.fixture
def database(postgres_store_url: str) -> str:
    """The name of a database with our schema."""
    return re.findall(r"/(test_\w+)\?", postgres_store_url)[0]


@pytest.fixture
def empty(postgres_url: str) -> str:
    """The name of one with nothing in it."""
    return re.findall(r"/(test_\w+)\?", postgres_url)[0]


@pytest.fixture
def guest(postgres_server: PostgresServer, database: str) -> Iterator[str]:
    """A role that may come in, and nothing else."""
    postgres_server.run("CREATE ROLE guest LOGIN PASSWORD 'guest'")
    yield "guest"
    postgres_server.run("DROP OWNED BY guest", database=database)
    postgres_server.run("DROP ROLE guest")


def refused(url: str, *, create: bool = True) -> StoreError:
    with pytest.raises(StoreError) as caught:
        PostgresStore.open(url, create=create, busy_seconds=0.1).close()
    assert caught.value.exit_code == ExitCode.STORE
    assert caught.value.hint, f"no way out of: {caught.value}"
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    return caught.value


WRONG: dict[str, tuple[Callable[[PostgresServer, str], str], str]] = {
    "password": (lambda server, name: server.tcp_url(name, password="secret"), "does not take the password"),
    "no password": (lambda server, name: server.tcp_url(name, password=None), "asks for a password"),
    "host": (lambda server, name: f"postgresql://{OWNER}:secret@no.such.host.invalid/{name}", "There is no host"),
    "port": (lambda server, name: f"postgresql://{OWNER}:secret@127.0.0.1:1/{name}", "Nobody answers"),
    "socket": (lambda server, name: f"postgresql:///{name}?host=/nowhere", "Nobody answers"),
    "database": (lambda server, _: server.url("nowhere"), "no such database"),
    "role": (lambda server, name: server.url(name, user="nobody"), "no such role"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_a_url_that_leads_nowhere_says_what_of_it_is_wrong(
    postgres_server: PostgresServer, database: str, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    make, said = WRONG[what]
    assert said in str(refused(make(postgres_server, database)))


@pytest.mark.parametrize(("version", "said"), [("13.4", "13.4"), ("9.6.24", "9.6.24")])
def test_a_server_that_is_too_old_is_named_with_what_is_needed(version: str, said: str) -> None:
    with old_postgres(version) as url:
        error = refused(url)
    assert f"is PostgreSQL {said}; Pitchey needs 14 or newer." in str(error)


def test_the_password_may_come_from_the_environment_or_from_a_file(
    postgres_server: PostgresServer, database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = postgres_server.tcp_url(database, password=None)
    monkeypatch.setenv("PGPASSWORD", "correct horse")
    PostgresStore.open(url).close()
    monkeypatch.delenv("PGPASSWORD")
    kept = tmp_path / "pgpass"
    kept.write_text(f"127.0.0.1:*:*:{OWNER}:correct horse\n")
    kept.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    PostgresStore.open(url).close()


def test_a_server_that_is_full_says_so(postgres_server: PostgresServer, database: str) -> None:
    postgres_server.run("CREATE ROLE lonely LOGIN CONNECTION LIMIT 1")
    try:
        with psycopg.connect(postgres_server.url(database, user="lonely")):
            assert "no connection left" in str(refused(postgres_server.url(database, user="lonely")))
    finally:
        postgres_server.run("DROP ROLE lonely")


def test_a_database_without_the_schema_gets_it_or_is_refused(postgres_server: PostgresServer, empty: str) -> None:
    url = postgres_server.url(empty)
    assert "has no tables of Pitchey" in str(refused(url, create=False))
    with closing(PostgresStore.open(url)) as store:
        assert store.schema_version() == 1 and store.integrity() == []


def test_what_is_read_for_other_programs_is_refused_as_all_else_is(postgres_server: PostgresServer, empty: str) -> None:
    with pytest.raises(StoreError, match="has no tables of Pitchey"):
        list(export(Server(postgres_server.url(empty))))
    with pytest.raises(UsageError, match="no parameter 'ssl_mode'"):
        list(export(Server(f"{postgres_server.url(empty)}&ssl_mode=require")))


def test_a_check_of_a_large_database_takes_as_long_as_it_takes(postgres_server: PostgresServer, database: str) -> None:
    with closing(PostgresStore.open(postgres_server.url(database))) as store:
        postgres_server.run(
            "INSERT INTO pitchey.job_events (job_seq, at, type, data)"
            " SELECT NULL, 1, 'x', '{}' FROM generate_series(1, 100000)",
            database=database,
        )
        store._db.run("SET statement_timeout = '3ms'")
        assert store.integrity() == []
        assert store._db.value("SHOW statement_timeout") == "1min"


def test_a_role_that_may_not_make_the_schema_is_told_so(
    postgres_server: PostgresServer, empty: str, guest: str
) -> None:
    url = postgres_server.url(empty, user=guest)
    error = refused(url)
    assert "has no tables of Pitchey, and the role may not make them" in str(error)
    assert f"GRANT CREATE ON DATABASE {empty} TO guest." in error.hint
    postgres_server.run(f"GRANT CREATE ON DATABASE {empty} TO guest")
    PostgresStore.open(url).close()
    postgres_server.run("DROP OWNED BY guest", database=empty)


def test_a_schema_that_somebody_has_made_for_us_is_used(
    postgres_server: PostgresServer, empty: str, guest: str
) -> None:
    url = postgres_server.url(empty, user=guest)
    postgres_server.run("CREATE SCHEMA pitchey", database=empty)
    assert "GRANT CREATE ON SCHEMA pitchey TO guest." in refused(url).hint
    postgres_server.run("GRANT USAGE, CREATE ON SCHEMA pitchey TO guest", database=empty)
    with closing(PostgresStore.open(url)) as store:
        assert store.job_ids("") == []
    postgres_server.run("DROP OWNED BY guest", database=empty)


def test_a_role_that_may_not_change_the_schema_is_told_who_may(
    postgres_server: PostgresServer, database: str, guest: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for grant in ("USAGE ON SCHEMA pitchey", "ALL ON ALL TABLES IN SCHEMA pitchey"):
        postgres_server.run(f"GRANT {grant} TO {guest}", database=database)
    known = newest()
    later = release(tmp_path, "0.2.0", known) / "pitchey_cli" / "store" / "sql"
    monkeypatch.setattr(queries, "SQL", later)
    error = refused(postgres_server.url(database, user=guest))
    assert f"has schema version {known}, this Pitchey has {known + 1}, and guest may not change it" in str(error)
    assert f"once as {OWNER}, who owns the tables" in error.hint
    with closing(PostgresStore.open(postgres_server.url(database))) as store:
        assert store.schema_version() == known + 1


def test_a_role_that_may_only_read_can_read_and_is_told_when_it_writes(
    postgres_server: PostgresServer, database: str, guest: str
) -> None:
    for grant in ("USAGE ON SCHEMA pitchey", "SELECT ON ALL TABLES IN SCHEMA pitchey"):
        postgres_server.run(f"GRANT {grant} TO {guest}", database=database)
    with closing(PostgresStore.open(postgres_server.url(database, user=guest))) as store:
        assert store.job_ids("") == []
        with pytest.raises(StoreError, match="may not do that") as caught:
            store.set_size_hint(Service.VIDEO, "a", "b")
    assert "GRANT" in caught.value.hint


def test_a_database_that_may_only_be_read_says_so(postgres_server: PostgresServer, database: str) -> None:
    postgres_server.run(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    with (
        closing(PostgresStore.open(postgres_server.url(database))) as store,
        pytest.raises(StoreError, match="may only be read"),
    ):
        store.set_size_hint(Service.VIDEO, "a", "b")


def test_a_newer_schema_is_left_alone(postgres_server: PostgresServer, database: str) -> None:
    newer = "UPDATE pitchey.meta SET value = '99' WHERE name IN ('schema_version', 'readable_by')"
    postgres_server.run(newer, database=database)
    error = refused(postgres_server.url(database))
    assert "schema version 99" in str(error) and "upgrade" in error.hint


@pytest.mark.parametrize("table", ["customers (id int)", "meta (name text, value text)", "meta (id int)"])
def test_a_schema_of_somebody_else_is_left_alone(postgres_server: PostgresServer, empty: str, table: str) -> None:
    postgres_server.run("CREATE SCHEMA pitchey", database=empty)
    postgres_server.run(f"CREATE TABLE pitchey.{table}", database=empty)
    assert "is not ours" in str(refused(postgres_server.url(empty)))
    tables = postgres_server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'pitchey'", database=empty)
    assert len(tables) == 1


def test_tables_of_others_beside_ours_disturb_nobody(postgres_server: PostgresServer, empty: str) -> None:
    postgres_server.run("CREATE TABLE container_jobs (theirs text)", database=empty)
    with closing(PostgresStore.open(postgres_server.url(empty))) as store:
        assert store.job_ids("") == []


@pytest.mark.parametrize(
    "url", ["mysql://host/db", "postgresql:/host", "postgresql://host:port/db", "host/db", "postgresql://h:99999/db"]
)
def test_what_is_no_url_of_postgresql_is_a_mistake_of_the_setting(url: str) -> None:
    with pytest.raises(UsageError, match="is no URL of a PostgreSQL database"):
        PostgresStore.open(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@host/db", "postgresql://ada:***@host/db"),
        (
            "postgresql://ada@host/db?password=secret&sslmode=require",
            "postgresql://ada@host/db?password=***&sslmode=require",
        ),
        ("postgresql://ada:sec@ret:x@host:5/db", "postgresql://ada:***@host:5/db"),
        ("postgresql:///db?host=/run/x&sslpassword=secret", "postgresql:///db?host=/run/x&sslpassword=***"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_the_command_line_says_it_once_and_no_password(pitchey: Pitchey, postgres_server: PostgresServer) -> None:
    url = postgres_server.tcp_url("nowhere", password="secret")
    for verb in (("status",), ("jobs",), ("submit", "video", "a.mp4"), ("--store", url, "status")):
        answer = pitchey(*verb, **({} if "--store" in verb else {"PITCHEY_STORE_URL": url}))
        assert answer.code == (ExitCode.NOT_FOUND if "submit" in verb else ExitCode.STORE), answer.err
        assert answer.err.count("error:") == 1 and "Traceback" not in answer.err
        assert "secret" not in answer.out + answer.err
    shown = pitchey.ok("config", "show", "store.url", PITCHEY_STORE_URL=url)
    assert "***" in shown.out and "secret" not in shown.out
    examined = pitchey("doctor", PITCHEY_STORE_URL=url)
    assert examined.out.count("does not take the password") == 1 and "secret" not in examined.out
    assert pitchey("status", PITCHEY_STORE_URL="mysql://x/y").code == ExitCode.USAGE
