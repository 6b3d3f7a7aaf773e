"""What can be asked of the SQLite store without changing it; sqlite.py adds what changes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pitchey_cli.domain.errors import InputNotFound, StoreError
from pitchey_cli.domain.job import Attempt, Instance, Job, JobEvent, JobId, JobState, Output, Token
from pitchey_cli.store import rows
from pitchey_cli.store.connection import Connection
from pitchey_cli.store.migrate import schema_version
from pitchey_cli.store.port import Counts, JobFilter
from pitchey_cli.store.queries import load
from processors.vocabulary import Service

QUERIES = load("sqlite")
_COUNT_LIMIT = 10_000  # of ahead_of: beyond it nobody cares, and counting would cost
_END_OF_TIME = 2**63 - 1


class SqliteReader:
    """The reading half of a SqliteStore."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def state_id(self) -> str:
        """A random id, made with the database."""
        return str(self._db.value(QUERIES["state_id"]))

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return int(self._db.value("PRAGMA data_version"))

    # --- what there is to do

    def is_work_waiting(self, service: Service, *, foreground_only: bool = False) -> bool:
        """Whether at least one job of the service is queued."""
        question = "is_foreground_work_waiting" if foreground_only else "is_work_waiting"
        return bool(self._db.value(QUERIES[question], {"service": service.value}))

    def next_due(self) -> datetime | None:
        """When the next scheduled job is due."""
        return rows.moment_or_none(self._db.value(QUERIES["next_due"]))

    def cancel_requested(self) -> list[Token]:
        """Live attempts of jobs that somebody wants cancelled."""
        return [row["token"] for row in self._db.rows(QUERIES["cancel_requested"])]

    # --- reading jobs

    def running(self) -> list[Job]:
        """Every job that is running."""
        return [rows.job_from(row) for row in self._db.rows(QUERIES["running_jobs"])]

    def job(self, job_id: JobId) -> Job:
        """One job; InputNotFound when there is none."""
        row = self._db.row(QUERIES["job"], {"job_id": job_id})
        if row is None:
            raise InputNotFound(f"There is no job {job_id}.")
        return rows.job_from(row)

    def jobs(self, wanted: JobFilter) -> list[Job]:
        """Jobs, the newest first. Each state is one search; what they found is merged."""
        question = {
            "before_seq": _END_OF_TIME if wanted.before_seq is None else wanted.before_seq,
            "services": rows.encode(wanted.services) if wanted.services else None,
            "organisation": wanted.organisation,
            "since": 0 if wanted.created_since is None else rows.micros(wanted.created_since),
            "until": _END_OF_TIME if wanted.created_until is None else rows.micros(wanted.created_until),
            "limit": wanted.limit,
        }
        if not wanted.states:
            return [rows.job_from(row) for row in self._db.rows(QUERIES["list_jobs"], question)]
        found = [
            row
            for state in dict.fromkeys(wanted.states)
            for row in self._db.rows(QUERIES["list_jobs_in_state"], {**question, "state": state.value})
        ]
        found.sort(key=lambda row: -row["seq"])
        return [rows.job_from(row) for row in found[: wanted.limit]]

    def job_ids(self, prefix: str, *, limit: int = 10) -> list[JobId]:
        """Ids that begin so, for abbreviation."""
        return [row["id"] for row in self._db.rows(QUERIES["job_ids"], {"prefix": prefix, "limit": limit})]

    def counts(self) -> Counts:
        """How many jobs stand where."""
        by_service: dict[Service, dict[JobState, int]] = {}
        for row in self._db.rows(QUERIES["counts"]):
            by_service.setdefault(Service(row["service"]), {})[JobState(row["state"])] = row["jobs"]
        return Counts(by_service)

    def ahead_of(self, job: Job) -> int:
        """How many queued jobs of the service will be claimed before this one, counted up to 10,000."""
        place = {"service": job.service.value, "priority": job.priority, "seq": job.seq, "limit": _COUNT_LIMIT}
        return min(_COUNT_LIMIT, int(self._db.value(QUERIES["ahead_of"], place)))

    def attempts(self, job_id: JobId) -> list[Attempt]:
        """The attempts of a job, in order."""
        return [rows.attempt_from(row) for row in self._db.rows(QUERIES["attempts"], {"job_id": job_id})]

    def outputs(self, job_id: JobId) -> list[Output]:
        """The outputs of a job that succeeded, in the order the worker gave them."""
        return [rows.output_from(row) for row in self._db.rows(QUERIES["outputs"], {"job_id": job_id})]

    def details(self, job_id: JobId) -> dict[str, Any]:
        """What the worker said of a succeeded job as a whole."""
        return rows.details_from(self._db.value(QUERIES["details"], {"job_id": job_id}))

    # --- events

    def events(self, *, after: int, job_ids: Sequence[JobId] = (), limit: int = 500) -> list[JobEvent]:
        """Events with an id above `after`, in order; of some jobs, or of all."""
        question: dict[str, Any] = {"after": after, "limit": limit}
        match job_ids:
            case []:
                found = self._db.rows(QUERIES["events"], question)
            case [job_id]:
                found = self._db.rows(QUERIES["events_of_job"], {**question, "job_id": job_id})
            case _:
                wanted = rows.encode(list(dict.fromkeys(job_ids)))
                found = self._db.rows(QUERIES["events_of_jobs"], {**question, "job_ids": wanted})
        return [rows.event_from(row) for row in found]

    def last_event_id(self) -> int:
        """The id of the newest event; 0 when there is none."""
        return int(self._db.value(QUERIES["last_event_id"]))

    # --- instances

    def instances(self, *, active_only: bool = True) -> list[Instance]:
        """Instances, the oldest first; active ones are starting, ready or draining."""
        question = "active_instances" if active_only else "all_instances"
        return [rows.instance_from(row) for row in self._db.rows(QUERIES[question])]

    # --- maintenance

    def schema_version(self) -> int:
        """Which migration the database is at."""
        return schema_version(self._db)

    def integrity(self) -> list[str]:
        """What is wrong with the database; empty when nothing is. Reads the whole file."""
        try:
            found = [str(row[0]) for row in self._db.rows("PRAGMA integrity_check")]
            found += [f"{row[0]}: row without its {row[2]}" for row in self._db.rows("PRAGMA foreign_key_check")]
            found += [f"job_counts: wrong for {row[0]} {row[1]}" for row in self._db.rows(QUERIES["miscounted"])]
        except StoreError as error:
            return [str(error)]
        return [line for line in found if line != "ok"]
