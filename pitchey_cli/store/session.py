"""One session with a PostgreSQL server: its transactions, how it comes back after a break, and one writer at a time.

Knows nothing of jobs. A transaction that may write holds the lock of the one writer from its beginning to its end, see
docs/decisions/007-one-writer.md. Everything that the driver raises leaves here as a StoreError that says what to do,
but for mistakes of ours.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
from psycopg import errors, pq

from pitchey_cli.domain.errors import StoreError
from pitchey_cli.store.connecting import (
    BUSY_SECONDS,
    FIRST_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    SCHEMA,
    connected,
    limits,
    settings,
    unlimited,
)
from pitchey_cli.store.database import Parameters, Row
from pitchey_cli.store.queries import Query
from pitchey_cli.store.refusals import translated
from pitchey_cli.store.rows import encode
from pitchey_cli.store.server import Server
from pitchey_cli.store.statements import one_row, phrased, some_at_once, words

T = TypeVar("T")

WRITER_LOCK = 0x5049544348455931  # "PITCHEY1": of the one writer
MIGRATION_LOCK = 0x5049544348455932  # "PITCHEY2": of whoever makes or changes the schema
_HAS_WRITTEN = "pg_current_xact_id_if_assigned() IS NOT NULL"  # a transaction gets a number when it first writes
#: Takes down under a name that a transaction has written, if it has: the last before its end, with the writer's lock.
NOTED = (
    f"INSERT INTO {SCHEMA}.commits (number, writer) SELECT coalesce(max(number), 0) + 1, ? FROM {SCHEMA}.commits"
    f" HAVING {_HAS_WRITTEN}"
)
_CALL = f"SELECT pg_notify('{SCHEMA}', '') WHERE {_HAS_WRITTEN}"
_OPENING = 2  # orders that begin a transaction


@dataclass(frozen=True, slots=True)
class _Order:
    """A statement that is to be sent."""

    sql: str
    parameters: Parameters = ()
    prepare: bool | None = None  #: None: when it has been asked a few times


class Session:
    """A session whose reads and writes are one statement each, or share a `transaction()`."""

    def __init__(self, server: Server, raw: psycopg.Connection[Row], *, busy_seconds: float, is_heard: bool) -> None:
        self.server = server  #: for messages
        self._raw = raw
        self._busy_seconds = busy_seconds
        self._is_heard = is_heard
        self._name = secrets.token_hex(8)  # by which our commits are told from others'
        self._begun = 0  # transactions
        self._written = 0  # commits of ours
        self._levels: list[str | None] = []  # the savepoints of the open transactions; None: nothing has been asked yet
        self._is_opening = False  # a transaction has begun of which the server does not know yet
        self._refused: StoreError | None = None  # why it has not begun
        self._in_snapshot = False
        self._is_scripted = False
        self._orders: list[_Order] = []  # what goes to the server with the next question
        self._exchanges = 0
        self._pipe: psycopg.Pipeline | None = None
        self._leaving_pipe = ExitStack()

    @classmethod
    def open(cls, server: Server, *, busy_seconds: float = BUSY_SECONDS, is_heard: bool = True) -> Session:
        """Connect; a server that is just starting is waited for.

        Args:
            is_heard: whoever runs jobs is woken by each commit; not for what they do themselves.

        Raises:
            StoreError: there is no such server or database, it does not let us in, or has no room.
        """
        raw = connected(server, busy_seconds=busy_seconds, lock_seconds=busy_seconds)
        return cls(server, raw, busy_seconds=busy_seconds, is_heard=is_heard)

    # --- statements

    def words(self, query: Query) -> str:
        """What a query is called here: its SQL."""
        return words()[query.name]

    def rows(self, query: Query | str, parameters: Parameters = ()) -> list[Row]:
        """Every row of a statement: of a named one, or of PostgreSQL's own."""
        text, sql, is_write = phrased(query)
        if not parameters:
            sql = text
        if self._levels or self._in_snapshot:
            return self._asked(sql, parameters)
        if is_write:
            with self.transaction():
                return self._asked(sql, parameters)
        return self._patiently(lambda: self._asked(sql, parameters))

    def row(self, query: Query | str, parameters: Parameters = ()) -> Row | None:
        """The only row of a statement, if it has one."""
        found = self.rows(query, parameters)
        return found[0] if found else None

    def value(self, query: Query | str, parameters: Parameters = ()) -> Any:
        """The first column of the only row; None when there is no row."""
        found = self.rows(query, parameters)
        return found[0][0] if found else None

    def run(self, query: Query | str, parameters: Parameters = ()) -> None:
        """A statement whose rows do not matter. In a transaction it goes to the server with what has to be answered."""
        text, sql, _ = phrased(query)
        if not self._levels:
            self.rows(query, parameters)
        elif self._is_scripted or (not parameters and ";" in text):  # several statements are no order
            self._establish()
            self._exchange()
            self._tell(sql if parameters else text, parameters)
        else:
            self._establish()
            self._orders.append(_Order(sql if parameters else text, parameters))

    def run_many(self, query: Query | str, parameters: Iterable[Parameters]) -> None:
        """One statement for each set of parameters, or for many where rows are added; call it inside a transaction."""
        adding = None if self._is_scripted else one_row(phrased(query)[1])
        if adding is None:
            for each in parameters:
                self.run(query, each)
            return
        into, values = adding
        self._establish()
        for some in some_at_once(list(parameters)):
            sql = f"{into} {', '.join([values] * len(some))}"
            self._orders.append(_Order(sql, [value for each in some for value in each]))

    def run_list(self, queries: Sequence[Query], values: Sequence[Mapping[str, Any]]) -> None:
        """Each statement once, for all of a list."""
        text = encode(values)
        for query in queries:
            self.run(query, {"list": text})

    def _asked(self, sql: str, parameters: Parameters) -> list[Row]:
        self._establish()
        self._orders.append(_Order(sql, parameters))
        cursor = self._exchange()[-1]
        return cursor.fetchall() if cursor.description else []

    def _exchange(self) -> list[psycopg.Cursor[Row]]:
        """Send what is to be sent, in one go, and wait for the answers.

        The beginning of a transaction goes with the first question in it. If the connection is lost with them, nothing
        has happened, and both are sent again.
        Everything that is sent ends with a sync, and the pipe is not left before the transaction is: of a session that
        hangs after anything else, the server does not know that it is idle with the lock, and does not end it.
        """
        orders, self._orders = self._orders, []
        self._exchanges += 1
        if not self._is_opening:
            return self._sent(orders)
        self._is_opening = False
        try:
            return self._patiently(lambda: self._sent(orders))
        except StoreError as error:
            self._refused = error
            raise

    def _sent(self, orders: Sequence[_Order]) -> list[psycopg.Cursor[Row]]:
        try:
            if self._pipe is None and len(orders) > 1:
                self._pipe = self._leaving_pipe.enter_context(self._raw.pipeline())
            answers = [
                self._raw.execute(order.sql.encode(), order.parameters or None, prepare=order.prepare)
                for order in orders
            ]
            if self._pipe is not None:
                self._pipe.sync()
        except psycopg.Error as error:
            if isinstance(error, errors.FeatureNotSupported):  # a plan from before a migration of another node
                self._raw.close()
            raise translated(error, self.server) from error
        return answers

    def _leave_pipe(self) -> None:
        self._pipe = None
        with suppress(psycopg.Error):  # what went wrong in it has been told
            self._leaving_pipe.close()

    def _told(self, script: str, parameters: Parameters = ()) -> Row | None:
        """Several statements in one go; the first row of the last of them that has any."""
        self._leave_pipe()
        cursor = self._raw.execute(script.encode(), parameters or None, prepare=False)
        found: Row | None = None
        while True:
            if cursor.description:
                found = cursor.fetchone()
            if not cursor.nextset():
                return found

    # --- transactions

    @contextmanager
    def transaction(self, *, is_lasting: bool = True) -> Iterator[None]:
        """All or nothing, and on disk when it ends. A nested one is a savepoint.

        All of them last: whatever a server does not sync, it tells nobody when it does.
        A savepoint is made when something is asked in it, and one serves all that begin at the same place.
        """
        if not self._levels:
            with self._outermost():
                yield
            return
        self._require_transaction()
        level, place, exchanges = len(self._levels), len(self._orders), self._exchanges
        before = [*self._levels]
        self._levels.append(None)
        try:
            yield
            self._require_transaction()
            if self._levels[level] == _savepoint(level):
                is_all_answered = not self._orders
                self._orders.append(_Order(f"RELEASE {_savepoint(level)}", prepare=False))
                if not is_all_answered:  # an error of its own is nobody else's
                    self._exchange()
        except BaseException:
            if self._exchanges == exchanges:  # nothing was sent yet
                del self._orders[place:]
                self._levels[:] = before
            elif (name := self._levels[level]) is not None and self._is_alive():
                self._orders.clear()
                with suppress(StoreError):  # where it was never made, the level above has failed
                    self._tell(f"ROLLBACK TO {name}" + (f"; RELEASE {name}" * (name == _savepoint(level))))
            raise
        finally:
            del self._levels[level:]

    @contextmanager
    def _outermost(self) -> Iterator[None]:
        lock = f"SELECT pg_advisory_xact_lock({WRITER_LOCK})"
        self._orders = [_Order("BEGIN", prepare=False), _Order(lock)]
        self._is_opening, self._refused = True, None
        self._begun += 1
        self._levels.append("")
        try:
            yield
            if self._is_opening and len(self._orders) == _OPENING:
                return  # nothing has been asked in it
            self._require_transaction()
            self._commit()
        except BaseException:
            self._leave_pipe()
            if self._is_alive() and self._raw.info.transaction_status != pq.TransactionStatus.IDLE:
                with suppress(StoreError):  # the server forgets what is not committed, whether it is told or not
                    self._tell("ROLLBACK")
            raise
        finally:
            self._is_opening = False
            self._orders.clear()  # or the next question would begin what nobody ends
            self._levels.clear()

    def _commit(self) -> None:
        """End the transaction. One that has changed nothing leaves no trace: nobody has to look, no disk to turn."""
        if self._is_opening:  # what is lost with a commit is not simply sent again: it may have happened
            self._exchange()
        self._require_transaction()
        if self._is_heard:
            self.run(_CALL)
        self.run(NOTED, (self._commit_name,))
        self._orders.append(_Order("COMMIT", prepare=False))
        try:
            *_, noted, ended = self._exchange()
            self._leave_pipe()
        except StoreError as error:
            if self._is_alive():
                raise
            self._settle(error)
            self._written += 1
        else:
            if ended.statusmessage != "COMMIT":
                raise self._rolled_back()
            self._written += noted.rowcount

    @property
    def _commit_name(self) -> str:
        return f"{self._name}.{self._begun}"

    def _settle(self, lost: StoreError) -> None:
        """The connection was lost in a commit: find out whether it is one. Whoever has the lock sees how it ended."""
        try:
            self._patiently(self._renew)
            question = f"SELECT true FROM {SCHEMA}.commits WHERE writer = '{self._commit_name}'"
            found = self._told(f"BEGIN; SELECT pg_advisory_xact_lock({WRITER_LOCK}); {question}")
            self._told("COMMIT")
        except (psycopg.Error, StoreError) as silence:
            text = f"{self.server} has gone away in the middle of a commit, and whether it was one is not known."
            raise StoreError(text, hint="Look whether it has happened before you try again.") from silence
        if found is None:
            raise lost

    @contextmanager
    def scripted(self, lock: int) -> Iterator[None]:
        """A transaction in which whole scripts are run, one such at a time; for what is no work of the store's."""
        self._patiently(lambda: self._tell(f"BEGIN; SELECT pg_advisory_xact_lock({lock})"))
        self._levels.append("")
        self._is_scripted = True
        try:
            yield
            self._tell("COMMIT")
        except BaseException:
            if self._is_alive():
                self._tell("ROLLBACK")
            raise
        finally:
            self._is_scripted = False
            self._levels.clear()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read all of one moment. Takes no lock; inside a transaction nobody else writes."""
        if self._levels or self._in_snapshot:
            yield
            return
        self._patiently(lambda: self._tell("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        self._in_snapshot = True
        try:
            yield
        finally:
            self._in_snapshot = False
            if self._is_alive():
                self._tell("COMMIT")

    def _establish(self) -> None:
        """Make the savepoint that is due before something is asked: one for all levels that begin here."""
        if not self._levels or self._levels[-1] is not None:
            return
        owner = next(level for level, name in enumerate(self._levels) if name is None)
        self._orders.append(_Order(f"SAVEPOINT {_savepoint(owner)}", prepare=False))
        self._levels[owner:] = [_savepoint(owner)] * (len(self._levels) - owner)

    def _require_transaction(self) -> None:
        if self._is_opening:
            return
        if not self._is_alive() or self._raw.info.transaction_status != pq.TransactionStatus.INTRANS:
            raise self._rolled_back()

    def _rolled_back(self) -> StoreError:
        if self._refused is not None:  # it has never begun
            return self._refused
        return StoreError(f"The transaction on {self.server} was rolled back after an earlier error.")

    def _tell(self, script: str, parameters: Parameters = ()) -> None:
        try:
            self._told(script, parameters)
        except psycopg.Error as error:
            raise translated(error, self.server) from error

    # --- breaks

    def _is_alive(self) -> bool:
        return not self._raw.closed

    def _patiently(self, act: Callable[[], T]) -> T:
        """Do something that can be done again, with another connection if this one is lost."""
        deadline = time.monotonic() + self._busy_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                if not self._is_alive():
                    self._renew()
                return act()
            except StoreError:
                if self._is_alive() or time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    def _renew(self) -> None:
        if not self._is_alive():
            self._leave_pipe()
            self._raw = connected(self.server, busy_seconds=0, lock_seconds=self._busy_seconds)

    # --- the database itself

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        newest = self.value(f"SELECT number FROM {SCHEMA}.commits ORDER BY number DESC LIMIT 1")
        return int(newest or 0) - self._written

    def schema_version(self) -> int:
        """Which migration the database is at; 0 before the first."""
        return int(self.value(f"SELECT value FROM {SCHEMA}.meta WHERE name = 'schema_version'") or 0)

    def version(self) -> str:
        """What the server is."""
        return f"PostgreSQL {self.value('SHOW server_version')}"

    def damage(self) -> list[str]:
        """PostgreSQL checks its pages itself, where it was told to, and refuses what it cannot read."""
        for row in self.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
            self.run(f"SELECT count(*) FROM {row[0]} AS each WHERE each IS NULL")  # reads every row
        return []

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let what reads everything take as long as it takes."""
        self._tell(unlimited(self._raw))
        try:
            yield
        finally:
            if self._is_alive():
                self._tell(settings(limits(self._raw)))

    def tidy(self) -> None:
        """Forget the commits of others and ours that nobody asks about any more."""
        self.run(
            f"DELETE FROM {SCHEMA}.commits WHERE at < now() - interval '1 hour'"
            f" AND number < (SELECT max(number) FROM {SCHEMA}.commits)"
        )

    def close(self) -> None:
        """End the session."""
        self._raw.close()


def _savepoint(level: int) -> str:
    return f"level_{level}"
