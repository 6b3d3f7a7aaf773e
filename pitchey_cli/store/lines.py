"""What all moves of jobs in the store share: lines, counts, events, and ends of jobs that never ran."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pitchey_cli.domain.job import WAITING, JobError, JobId, JobState
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.secrecy import WITH_SECRETS, masked
from pitchey_cli.store import rows
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.reading import Reader
from processors.vocabulary import Reason, Service


class Lines(Reader):
    """Moves jobs between states, keeps lines and counts in step, and says so in an event."""

    def _queue(self, row: rows.Row, before: JobState) -> None:
        """Put a job that does not run into its line."""
        self._db.run(QUERIES["queue_job"], {"seq": row["seq"], "flow": self._join_line(row, row["size"])})
        self._move(row, before, JobState.QUEUED)

    def _join_line(self, row: rows.Row, size: str) -> int:
        pool = rows.pool_values(PoolKey.of(Service(row["service"]), size, row["organisation"]))
        line = (*pool, row["is_foreground"], row["organisation"], row["batch"], row["priority"])
        wishes = (row["key"], row["is_off_peak"], row["is_spot_ok"], row["on_node"])
        due_at = row["created_at"] if row["run_at"] is None else row["run_at"]
        return int(self._db.value(QUERIES["join_flow"], (*line, *wishes, 1, due_at)))

    def _leave_line(self, seq: int) -> None:
        self._db.run(QUERIES["leave_flow"], {"seq": seq})

    def _move(self, row: rows.Row, before: JobState, after: JobState) -> None:
        """Keep the counts: a job, of which the row says whose it is, went from one state to another."""
        whose, service = row["organisation"], Service(row["service"])
        self._count({(whose, service, before): -1, (whose, service, after): 1})

    def _count(self, changes: Mapping[tuple[str, Service, JobState], int]) -> None:
        values = [
            (organisation, service.value, state.value, jobs)
            for (organisation, service, state), jobs in changes.items()
            if state is not JobState.QUEUED  # those are counted by their lines
        ]
        self._db.run_many(QUERIES["count_jobs"], values)

    def _event(self, seq: int, at: int, kind: str, data: dict[str, Any]) -> None:
        self._db.run(QUERIES["insert_event"], (seq, at, kind, rows.encode(data)))

    def _forget_secrets(self, seq: int, service: Service, state: JobState, text: str) -> None:
        """A job has ended for good: what only its work needed goes. A dead letter keeps it, and may be redriven."""
        if state in (JobState.SUCCEEDED, JobState.CANCELLED) and service in WITH_SECRETS:
            spec = json.loads(text)
            if (kept := masked(service, spec)) != spec:
                self._db.run(QUERIES["set_spec"], {"seq": seq, "spec": rows.encode(kept)})

    def _end_one(
        self, seq: int, state: JobState, reason: Reason, error: JobError | None, at: int, kind: str,
        *, why: str = "", cancel_requested_at: int | None = None,
    ) -> JobId | None:  # fmt: skip
        """End a job, if it waits now: settling others may have moved it since it was read."""
        row = self._db.row(QUERIES["job_by_seq"], {"seq": seq})
        if row is None or JobState(row["state"]) not in WAITING:
            return None
        before = JobState(row["state"])
        if before is JobState.QUEUED:
            self._leave_line(seq)
        ended = {"seq": seq, "state": state.value, "reason": reason.value, "error": rows.encode_error(error)}
        self._db.run(QUERIES["end_waiting"], {**ended, "now": at, "cancel_requested_at": cancel_requested_at})
        if error is None:  # else a dead letter has taken it down, and may bring it back
            self._forget_secrets(seq, Service(row["service"]), state, row["spec"])
        self._move(row, before, state)
        data: dict[str, Any] = {"reason": reason.value} | ({"why": why} if why else {})
        if error is not None:
            data["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
        self._event(seq, at, kind, data)
        return JobId(row["id"])
