"""The schema on PostgreSQL and its versions: the steps of steps.py, applied in order by whoever comes first.

It is a schema of our own, `pitchey`: the tables of others may be beside it. A foreign one of that name, or one of a
newer Pitchey, is recognised before anything in it is touched.
"""

from __future__ import annotations

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connecting import SCHEMA
from pitchey_cli.store.session import MIGRATION_LOCK, WRITER_LOCK, Session
from pitchey_cli.store.steps import READABLE_BY, check, newest, readable_by, steps

_DIALECT, _VERSION = "postgres", "schema_version"
_OUR_TABLES = "'meta', 'container_jobs', 'commits'"  # nobody else has all of them
_HAS_SCHEMA = f"SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}')"
_IS_OURS = f"SELECT count(*) = 3 FROM pg_tables WHERE schemaname = '{SCHEMA}' AND tablename IN ({_OUR_TABLES})"
_MAY_MAKE_SCHEMA = "SELECT has_database_privilege(current_database(), 'CREATE')"
_MAY_FILL_SCHEMA = f"SELECT has_schema_privilege('{SCHEMA}', 'CREATE')"
_ROLE, _DATABASE = "SELECT quote_ident(current_user)", "SELECT quote_ident(current_database())"
_OWNER = f"SELECT quote_ident(tableowner) FROM pg_tables WHERE schemaname = '{SCHEMA}' AND tablename = 'container_jobs'"
_IS_OWNER = f"SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = '{SCHEMA}.container_jobs'::regclass"
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
    """Take all steps after one, inside a scripted transaction.

    Raises:
        StoreError: the role may not.
    """
    every = steps(_DIALECT)
    if found:
        _require_owner(session, found)
    else:
        _make_schema(session)
    for step in every:
        if step.number > found:
            session.run(step.script)
            _note(session, _VERSION, step.number)
            _note(session, READABLE_BY, readable_by(every, step.number))


def _make_schema(session: Session) -> None:
    """Make the schema, unless somebody has made an empty one for us."""
    has_schema = session.value(_HAS_SCHEMA)
    if not session.value(_MAY_FILL_SCHEMA if has_schema else _MAY_MAKE_SCHEMA):
        where = f"SCHEMA {SCHEMA}" if has_schema else f"DATABASE {session.value(_DATABASE)}"
        text = f"{session.server} has no tables of Pitchey, and the role may not make them."
        raise StoreError(text, hint=f"Its owner allows it: GRANT CREATE ON {where} TO {session.value(_ROLE)}.")
    if not has_schema:  # `IF NOT EXISTS` asks for the right to make one in any case
        session.run(f"CREATE SCHEMA {SCHEMA}")


def _require_owner(session: Session, found: int) -> None:
    if not session.value(_IS_OWNER):
        owner, role = session.value(_OWNER), session.value(_ROLE)
        text = f"{session.server} has schema version {found}, this Pitchey has {newest(_DIALECT)}"
        hint = f"Run `pitchey db status` of this version once as {owner}, who owns the tables."
        raise StoreError(f"{text}, and {role} may not change it.", hint=hint)


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
