"""The schema on PostgreSQL and its versions: numbered SQL files, applied in order by whoever comes first.

It is a schema of our own, `pitchey`: the tables of others may be beside it. A foreign one of that name, or one of a
newer Pitchey, is recognised before anything in it is touched.
"""

from __future__ import annotations

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.queries import SQL
from pitchey_cli.store.session import MIGRATION_LOCK, SCHEMA, Session

_HAS_SCHEMA = f"SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = '{SCHEMA}')"
_HAS_META = f"SELECT to_regclass('{SCHEMA}.meta') IS NOT NULL"
_IS_EMPTY = f"SELECT NOT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('{SCHEMA}'))"


def steps() -> list[tuple[int, str]]:
    """Every step this program knows: its number and its script, in order."""
    files = sorted((SQL / "postgres" / "migrations").glob("[0-9]*.sql"))
    return [(int(file.name.partition("_")[0]), file.read_text(encoding="utf-8")) for file in files]


def newest() -> int:
    """The last step this program knows."""
    return max(int(file.name.partition("_")[0]) for file in (SQL / "postgres" / "migrations").glob("[0-9]*.sql"))


def make_sure(session: Session, *, create: bool) -> None:
    """Bring the schema up to the newest step.

    Raises:
        StoreError: there is none and `create` is false, the role may not make it, it is somebody else's, or newer.
    """
    found = _recognised(session)
    if found == newest():
        return
    if not found and not create:
        raise StoreError(f"{session.server} has no tables of Pitchey.", hint="`pitchey submit` or a daemon makes them.")
    with session.scripted(MIGRATION_LOCK):
        found = _recognised(session)  # another may have been quicker
        session.run(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        for number, script in steps():
            if number > found:
                session.run(script)
                session.run(
                    "INSERT INTO meta (name, value) VALUES ('schema_version', ?)"
                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                    (str(number),),
                )


def _recognised(session: Session) -> int:
    """Which step the schema is at; 0 where there is none."""
    if not session.value(_HAS_META):
        if session.value(_HAS_SCHEMA) and not session.value(_IS_EMPTY):
            raise _foreign(session)
        return 0
    version = session.schema_version()
    if version == 0:
        raise _foreign(session)
    if version > newest():
        raise StoreError(
            f"{session.server} has schema version {version}; this Pitchey knows versions up to {newest()}.",
            hint="A newer Pitchey has written it: upgrade this one.",
        )
    return version


def _foreign(session: Session) -> StoreError:
    text = f"{session.server} has a schema `{SCHEMA}` that is not ours."
    return StoreError(text, hint="It has been left as it is. Name another database in store.url.")
