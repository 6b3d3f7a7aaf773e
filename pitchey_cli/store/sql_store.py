"""The store in SQL: every method of port.py is one or a few of the named blocks in sql/<dialect>/queries.sql.

What differs between the databases is behind the connection and in the blocks; sqlite.py and postgres.py open one. One
thread at a time uses a store. Within a process the writer (writer.py) owns one; other processes, such as
`pitchey submit`, open their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.domain.job import (
    WAITING,
    InstanceState,
    Job,
    JobError,
    JobId,
    JobState,
    Outcome,
    Token,
)
from pitchey_cli.domain.nodes import NodeRecord
from pitchey_cli.domain.states import after_attempt
from pitchey_cli.store import rows
from pitchey_cli.store.alerting import Alerting
from pitchey_cli.store.finishing import Finishing
from pitchey_cli.store.nodes import TakenOver
from pitchey_cli.store.outbox import Outbox
from pitchey_cli.store.port import CancelResult
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.recurring import Recurring
from pitchey_cli.store.retention import Retaining
from processors.vocabulary import Reason


class SqlStore(Finishing, Retaining, Recurring, Alerting, Outbox):
    """A Store in a database."""

    def transaction(self, *, is_lasting: bool = True) -> AbstractContextManager[None]:
        """Group calls: all of them happen, durably, or none does. A nested one is a savepoint."""
        return self._db.transaction(is_lasting=is_lasting)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # --- jobs: the live attempt

    def accepted(self, token: Token, *, now: datetime) -> None:
        """The worker has taken the attempt. A stale token changes nothing."""
        job_id, number = _parts(token)
        at = rows.micros(now)
        with self.transaction():
            guard = {"job_id": job_id, "token": token, "number": number, "now": at}
            seq = self._db.value(QUERIES["accept_attempt"], guard)
            if seq is not None:
                self._db.run(QUERIES["end_ttl"], {"seq": seq})
                self._event(seq, at, "accepted", {"attempt": number})

    def progress(
        self, token: Token, *, fraction: float | None, stage: str, eta_seconds: float | None, now: datetime
    ) -> None:
        """Note how far the live attempt is. A stale token changes nothing."""
        job_id, number = _parts(token)
        facts = {"fraction": fraction, "stage": stage, "eta_seconds": eta_seconds}
        with self.transaction():
            seq = self._db.value(QUERIES["note_progress"], {"job_id": job_id, "token": token, **facts})
            if seq is not None:
                data = {"attempt": number, "fraction": fraction, "stage": stage, "etaSeconds": eta_seconds}
                self._event(seq, rows.micros(now), "progress", data)

    def renew(self, tokens: Sequence[Token], *, lease_until: datetime) -> None:
        """Extend the leases of live attempts."""
        until = rows.micros(lease_until)
        with self.transaction():
            values = [{"job_id": _parts(token)[0], "token": token, "lease_until": until} for token in tokens]
            self._db.run_many(QUERIES["renew_lease"], values)

    # --- jobs: cancellation

    def cancel(self, job_id: JobId, *, why: str, now: datetime) -> CancelResult:
        """End a waiting job, or ask for the end of a running one."""
        at = rows.micros(now)
        with self.transaction():
            job = self._db.row(QUERIES["job"], {"job_id": job_id})
            if job is None:
                raise InputNotFound(f"There is no job {job_id}.", hint="`pitchey jobs` lists them.")
            if JobState(job["state"]) in WAITING:
                self._end_waiting(
                    job["seq"], JobState.CANCELLED, Reason.CANCELLED, None, at, "cancelled",
                    why=why, cancel_requested_at=at,
                )  # fmt: skip
                return CancelResult.CANCELLED
            row = self._db.row(QUERIES["request_cancel"], {"job_id": job_id, "now": at})
            if row is not None:
                self._event(row["seq"], at, "cancel_requested", {"attempt": row["attempt"], "why": why})
                return CancelResult.REQUESTED
        # It runs and has been asked to end before, or it has ended.
        return CancelResult.REQUESTED if job["state"] == JobState.RUNNING else CancelResult.FINISHED

    # --- nodes that are gone

    def take_over(self, gone: NodeRecord, *, why: str, now: datetime) -> TakenOver | None:
        """End a node's epoch, if it is still as it was seen."""
        seen = {"id": gone.id, "epoch": gone.epoch, "beat": gone.beat, "now": rows.micros(now)}
        with self._db.transaction():
            if (ended := self._db.row(QUERIES["end_epoch"], seen)) is None:
                return None
            taken = self._take_all(gone.id, why, now)
            self._tell(gone.id, ended["name"], "node_lost", {"why": why, **_taken(taken)}, now)
        return taken

    def remove_node(self, node_id: str, *, now: datetime) -> TakenOver | None:
        """Forget a node, alive or not, and take over what it runs."""
        with self._db.transaction():
            if (removed := self._db.row(QUERIES["remove_node"], {"id": node_id})) is None:
                return None
            self._db.run(QUERIES["forget_decisions_of"], {"node": node_id})
            taken = self._take_all(node_id, "its node was removed", now)
            self._tell(node_id, removed["name"], "node_removed", _taken(taken), now)
        return taken

    def _take_all(self, node_id: str, why: str, now: datetime) -> TakenOver:
        """End what a node ran at the last signs of life of its instances: after them nobody is to pay for it."""
        jobs, instances = self.running(node=node_id), self.instances(node=node_id)
        for job in jobs:
            self._interrupt(job, why, now)
        for instance in instances:
            self.set_instance(instance.id, InstanceState.LOST, now=now, tick=None, note=why)
        return TakenOver(tuple(job.id for job in jobs), tuple(each.id for each in instances))

    def _interrupt(self, job: Job, why: str, now: datetime) -> None:
        assert job.token is not None  # it runs
        outcome = Outcome(Reason.INTERRUPTED, JobError("node_lost", f"It was interrupted: {why}."))
        transition = after_attempt(job, outcome, now=now, dice=0.0)  # nothing is thrown: it waits again at once
        bill = self._db.row(QUERIES["bill"], {"job_seq": job.seq, "number": job.attempt})
        assert bill is not None  # it was found by its instance
        self.finish(job.id, job.token, outcome, transition, now=now, tick=bill["seen_tick"])


def _parts(token: Token) -> tuple[str, int]:
    """The job and the number that a token is made of."""
    job_id, _, number = token.rpartition(".")
    return job_id, int(number)


def _taken(taken: TakenOver) -> dict[str, object]:
    return {"jobs": len(taken.jobs), "instances": len(taken.instances)}
