"""The schema on PostgreSQL and its versions: the steps of steps.py, applied in order by whoever comes first.

It is a schema of our own, `pitchey`: the tables of others may be beside it. A foreign one of that name, or one of a
newer Pitchey, is recognised before anything in it is touched.
"""

from __future__ import annotations

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.session import MIGRATION_LOCK, SCHEMA, WRITER_LOCK, Session
from pitchey_cli.store.steps import READABLE_BY, check, newest, readable_by, steps

_DIALECT, _VERSION = "postgres", "schema_version"
_OUR_TABLES = "'meta', 'container_jobs', 'commits'"  # nobody else has all of them
_HAS_SCHEMA = f"SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}')"
_IS_OURS = f"SELECT count(*) = 3 FROM pg_tables WHERE schemaname = '{SCHEMA}' AND tablename IN ({_OUR_TABLES})"
_IS_EMPTY = f"SELECT NOT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('{SCHEMA}'))"


def make_sure(session: Session, *, create: bool) -> None:
    """Bring the schema up to the newest step that this program knows.

    Raises:
        StoreError: there is none and `create` is false, the role may not make it, it is somebody else's, or newer.
    """
    found = recognised(session)
    every = steps(_DIALECT)
    if found >= every[-1].number:
        return
    if not found and not create:
        raise StoreError(f"{session.server} has no tables of Pitchey.", hint="`pitchey submit` or a daemon makes them.")
    with session.scripted(MIGRATION_LOCK):
        found = recognised(session)  # another may have been quicker
        # Nodes of a version before may be writing: whoever changes several tables in another order would meet them.
        session.run(f"SELECT pg_advisory_xact_lock({WRITER_LOCK})")
        session.run("SET LOCAL statement_timeout = 0")  # an index over millions of rows takes its time
        take_steps(session, found)


def take_steps(session: Session, found: int) -> None:
    """Take all steps after one, inside a scripted transaction."""
    every = steps(_DIALECT)
    session.run(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    for step in every:
        if step.number > found:
            session.run(step.script)
            _note(session, _VERSION, step.number)
            _note(session, READABLE_BY, readable_by(every, step.number))


def _note(session: Session, name: str, number: int) -> None:
    noted = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    session.run(noted, (name, str(number)))


def recognised(session: Session) -> int:
    """Which step the schema is at; 0 where there is none."""
    if not session.value(_IS_OURS):
        if session.value(_HAS_SCHEMA) and not session.value(_IS_EMPTY):
            raise _foreign(session)
        return 0
    version = session.schema_version()
    if version == 0:
        raise _foreign(session)
    if version > (known := newest(_DIALECT)):
        said = session.value(f"SELECT value FROM {SCHEMA}.meta WHERE name = ?", (READABLE_BY,))
        check(session.server, found=version, known=known, readable_by=None if said is None else int(said))
    return version


def _foreign(session: Session) -> StoreError:
    text = f"{session.server} has a schema `{SCHEMA}` that is not ours."
    return StoreError(text, hint="It has been left as it is. Name another database in store.url.")
