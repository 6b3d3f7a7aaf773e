"""What the errors of PostgreSQL and its driver mean to the user."""

from __future__ import annotations

import psycopg
from psycopg import errors

from pitchey_cli.domain.errors import NotKept, StoreError
from pitchey_cli.store.server import Server

_AWAY = "It is tried again by itself; `pitchey doctor` shows when it answers."
_ROLE = "GRANT the role what it needs, or name another role in store.url."

#: By what the server has said, for as long as there was no connection: the driver has no codes for that.
_REFUSED = (
    ("could not translate host name", "There is no host as in {server}.", "Check store.url."),
    ("failed to resolve host", "There is no host as in {server}.", "Check store.url."),
    ("password authentication failed", "{server} does not take the password.",
     "It comes from store.url, PGPASSWORD or ~/.pgpass."),
    ("no password supplied", "{server} asks for a password.", "Set PGPASSWORD, or write it into ~/.pgpass."),
    ("no pg_hba.conf entry", "{server} lets nobody in from here.", "Whoever runs the server allows it in pg_hba.conf."),
    ("too many clients", "{server} has no connection left.", "Raise its max_connections, or end other programs."),
    ("remaining connection slots", "{server} has no connection left.",
     "Raise its max_connections, or end other programs."),
    ("too many connections", "{server} has no connection left for this role or database.",
     "Raise its CONNECTION LIMIT, or end other programs."),
    ("database \"", "There is no such database as in {server}.", "`createdb` makes one; or check store.url."),
    ("role \"", "There is no such role as in {server}.", "Check the user in store.url."),
    ("Connection refused", "Nobody answers at {server}.", "Start the server, or check host and port in store.url."),
    ("No such file or directory", "Nobody answers at {server}.", "Start the server, or check the host in store.url."),
    ("timeout expired", "{server} does not answer.", "Check the network between here and there, and store.url."),
    ("starting up", "{server} is starting.", "Try again in a moment."),
    ("shutting down", "{server} is ending.", "Try again when it is back."),
    ("SSL", "{server} and we agree on no encryption: {detail}.", "`?sslmode=` in store.url chooses one."),
)  # fmt: skip

_MEANINGS: tuple[tuple[type[psycopg.Error], str, str], ...] = (
    (errors.ReadOnlySqlTransaction, "{server} may only be read.", "It is a standby: name the primary in store.url."),
    (errors.InsufficientPrivilege, "The role in {server} may not do that: {detail}.", _ROLE),
    (errors.LockNotAvailable, "{server} has been locked by another writer for too long.",
     "Look for a client that hangs in a transaction (pg_stat_activity), and try again."),
    (errors.DiskFull, "The disk of {server} is full.",
     "Nothing that was acknowledged is lost. Make room and try again."),
    (errors.DeadlockDetected, "{server} has ended a deadlock.", "Nothing has been written: try again."),
    (errors.SerializationFailure, "Somebody else was quicker on {server}.", "Nothing has been written: try again."),
    (errors.QueryCanceled, "{server} took too long.", "Nothing has been written: try again, and look at its load."),
    (errors.UndefinedTable, "{server} does not have our tables: {detail}.",
     "Somebody has removed them, or changed the schema `pitchey`."),
    (errors.UndefinedFunction, "{server} does not have our functions: {detail}.",
     "Somebody has removed them, or changed the schema `pitchey`."),
    (errors.InvalidSchemaName, "{server} does not have the schema `pitchey`.", "Somebody has removed it."),
    (errors.DataCorrupted, "{server} is damaged: {detail}.", "Restore a backup of the server."),
    (errors.IndexCorrupted, "{server} is damaged: {detail}.", "REINDEX mends an index; else restore a backup."),
)  # fmt: skip


def translated(error: psycopg.Error, server: Server) -> Exception:
    """What a foreign error means to the user; our own mistakes are returned as they are."""
    if isinstance(error, psycopg.ProgrammingError) and error.sqlstate is None:
        return error
    detail = _detail(error)
    for kind, sentence, hint in _MEANINGS:
        if isinstance(error, kind):
            return StoreError(sentence.format(server=server, detail=detail), hint=hint)
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return NotKept("A text has a NUL character in it, which PostgreSQL cannot keep.", hint="Leave it out.")
    if isinstance(error, psycopg.OperationalError):
        return _lost(error, server, detail)
    return StoreError(f"{server} refused: {detail}.", hint="")


def _lost(error: psycopg.OperationalError, server: Server, detail: str) -> StoreError:
    said = str(error)
    if error.sqlstate is None or error.sqlstate.startswith(("57P", "53", "28", "3D")):
        for words, sentence, hint in _REFUSED:
            if words in said:
                return StoreError(sentence.format(server=server, detail=detail), hint=hint)
    return StoreError(f"The connection to {server} was lost: {detail}.", hint=_AWAY)


def _detail(error: psycopg.Error) -> str:
    said = error.diag.message_primary or str(error).strip() or type(error).__name__
    return said.splitlines()[0].strip().removesuffix(".").removeprefix("FATAL:").strip()
