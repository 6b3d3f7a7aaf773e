"""What can be asked of the store without changing it; sql_store.py adds what changes it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pitchey_cli.domain.arrivals import Arrival
from pitchey_cli.domain.errors import InputNotFound, StoreError
from pitchey_cli.domain.estimate import Past
from pitchey_cli.domain.job import Attempt, Job, JobEvent, JobId, JobState, Need, OnFailure, Output, Token
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.program import OK
from pitchey_cli.domain.turns import KeyUse, Queue
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.store import rows
from pitchey_cli.store.database import Database
from pitchey_cli.store.port import Counts, JobFilter
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Service

_COUNT_LIMIT = 10_000  # of ahead_of: beyond it nobody cares, and counting would cost
_END_OF_TIME = 2**63 - 1
_PAGE = 500
_ARRIVALS_PAGE = 10_000  # of numbers only
_COMPLETED_AMONG = 100_000  # jobs of all services: where others were many, those of one are looked for no further


class Reader:
    """The reading half of a store."""

    def __init__(self, connection: Database) -> None:
        self._db = connection

    def state_id(self) -> str:
        """A random id, made with the database."""
        return str(self._db.value(QUERIES["state_id"]))

    def artifacts_at(self) -> Whereabouts | None:
        """Where the artifacts of the queue are, once a daemon has said so."""
        said = self._db.value(QUERIES["artifacts_at"])
        return None if said is None else Whereabouts(**json.loads(said))

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return self._db.data_version()

    # --- what there is to do

    def queue(self, pool: PoolKey, *, foreground_only: bool = False) -> Queue:
        """What waits for one pool, and what counts in whose turn it is."""
        question = self._about(pool, foreground_only)
        flows = tuple(rows.flow_from(row) for row in self._db.rows(QUERIES["waiting_flows"], question))
        if not flows:
            return Queue()
        is_shared = len({flow.organisation for flow in flows}) > 1
        shares = self._db.rows(QUERIES["shares"], question) if is_shared else []
        served = {row["organisation"]: row["served"] for row in shares}
        keys = self._keys_in_use() if any(flow.key for flow in flows) else {}
        return Queue(flows, served, keys, pool.service, self._room_of_organisations())

    def _room_of_organisations(self) -> dict[str, int]:
        quotas = self._db.rows(QUERIES["running_quotas"])
        return {row["name"]: max(0, row["most_running"] - row["running"]) for row in quotas}

    @staticmethod
    def _about(pool: PoolKey, foreground_only: bool) -> dict[str, Any]:
        service, size, organisation = rows.pool_values(pool)
        is_bounded = int(foreground_only)
        return {"service": service, "size": size, "organisation": organisation, "foreground_only": is_bounded}

    def _keys_in_use(self) -> dict[str, KeyUse]:
        rates = {row["key"]: rows.moment(row["next_start_at"]) for row in self._db.rows(QUERIES["key_rates"])}
        running = {row["key"]: row["running"] for row in self._db.rows(QUERIES["keys_running"])}
        return {key: KeyUse(running.get(key, 0), rates.get(key)) for key in rates.keys() | running.keys()}

    def waiting_pools(self, service: Service, *, foreground_only: bool = False) -> list[PoolKey]:
        """The pools of a service that queued jobs wait for."""
        question = {"service": service.value, "foreground_only": int(foreground_only)}
        found = self._db.rows(QUERIES["waiting_pools"], question)
        return [PoolKey(service, row["size"], row["pool"]) for row in found]

    def size_hint(self, service: Service, input_kind: str) -> str:
        """The instance type on which this kind of input has succeeded; empty when nothing is known."""
        return self._db.value(QUERIES["size_hint"], {"service": service.value, "input": input_kind}) or ""

    def cached_job(self, cache_key: str, organisation: str) -> Job | None:
        """The newest job of an organisation that succeeded with a cache key."""
        row = self._db.row(QUERIES["cached_job"], {"cache_key": cache_key, "organisation": organisation})
        return None if row is None else rows.job_from(row)

    def keyed_job(self, key: str, organisation: str) -> Job | None:
        """The job of an organisation that has an idempotency key."""
        row = self._db.row(QUERIES["job_by_idempotency_key"], {"organisation": organisation, "key": key})
        return None if row is None else rows.job_from(row)

    def dependencies(self, job_id: JobId) -> list[Need]:
        """The jobs that a job waits for, or waited for."""
        found = self._db.rows(QUERIES["dependencies"], {"job_id": job_id})
        return [
            Need(row["id"], JobState(row["state"]), OnFailure(row["on_failure"]), bool(row["is_source"]))
            for row in found
        ]

    # --- batches

    def batches(self, *, organisation: str | None = None) -> list[str]:
        """The names of all batches, or of those of one organisation."""
        of = {"organisation": organisation}
        found = self._db.rows(QUERIES["batches"]) if organisation is None else self._db.rows(QUERIES["batches_of"], of)
        return [row["batch"] for row in found]

    def batch_counts(self, batch: str, *, organisation: str | None = None) -> dict[JobState, int]:
        """How many jobs of a batch stand where."""
        question = {"batch": batch, "organisation": organisation}
        return {JobState(row["state"]): row["jobs"] for row in self._db.rows(QUERIES["batch_counts"], question)}

    def batch_jobs(
        self, batch: str, states: Iterable[JobState] = JobState, *, organisation: str | None = None
    ) -> Iterator[Job]:
        """The jobs of a batch, state by state."""
        for state in states:
            after = 0
            question = {"batch": batch, "state": state.value, "organisation": organisation, "limit": _PAGE}
            while page := self._db.rows(QUERIES["batch_jobs"], {**question, "after_seq": after}):
                after = page[-1]["seq"]
                yield from (rows.job_from(row) for row in page)

    def next_due(self) -> datetime | None:
        """When the next scheduled job is due."""
        return rows.moment_or_none(self._db.value(QUERIES["next_due"]))

    def cancel_requested(self) -> list[Token]:
        """Live attempts of jobs that somebody wants cancelled."""
        return [row["token"] for row in self._db.rows(QUERIES["cancel_requested"])]

    # --- reading jobs

    def running(self, *, node: str | None = None) -> list[Job]:
        """Every job that is running; on one node, or on all."""
        if node is None:
            return [rows.job_from(row) for row in self._db.rows(QUERIES["running_jobs"])]
        return [rows.job_from(row) for row in self._db.rows(QUERIES["running_on_node"], {"node": node})]

    def job(self, job_id: JobId) -> Job:
        """One job; InputNotFound when there is none."""
        row = self._db.row(QUERIES["job"], {"job_id": job_id})
        if row is None:
            raise InputNotFound(f"There is no job {job_id}.", hint="`pitchey jobs` and GET /v1/jobs list them.")
        return rows.job_from(row)

    def jobs(self, wanted: JobFilter) -> list[Job]:
        """Jobs, the newest first. Each state, or verdict, is one search; what they found is merged."""
        question = {
            "before_seq": _END_OF_TIME if wanted.before_seq is None else wanted.before_seq,
            "services": rows.encode(wanted.services) if wanted.services else None,
            "organisation": wanted.organisation,
            "batch": wanted.batch,
            "since": 0 if wanted.created_since is None else rows.micros(wanted.created_since),
            "until": _END_OF_TIME if wanted.created_until is None else rows.micros(wanted.created_until),
            "limit": wanted.limit,
        }
        if wanted.verdicts:
            found = self._jobs_of_verdicts(wanted, question)
        elif wanted.states:
            found = [
                row
                for state in dict.fromkeys(wanted.states)
                for row in self._db.rows(QUERIES["list_jobs_in_state"], {**question, "state": state.value})
            ]
        else:
            return [rows.job_from(row) for row in self._db.rows(QUERIES["list_jobs"], question)]
        found.sort(key=lambda row: -row["seq"])
        return [rows.job_from(row) for row in found[: wanted.limit]]

    def _jobs_of_verdicts(self, wanted: JobFilter, question: Mapping[str, Any]) -> list[rows.Row]:
        if wanted.states and JobState.SUCCEEDED not in wanted.states:
            return []  # no other job has one
        found: list[rows.Row] = []
        for verdict in dict.fromkeys(wanted.verdicts):
            block = QUERIES["list_jobs_that_were_ok"] if verdict == OK else QUERIES["list_jobs_of_verdict"]
            found += self._db.rows(block, {**question, "verdict": verdict})
        return found

    def oldest_jobs(self, state: JobState, *, limit: int) -> list[Job]:
        """The jobs of a state that were submitted first, in that order."""
        question = {"state": state.value, "limit": limit}
        return [rows.job_from(row) for row in self._db.rows(QUERIES["oldest_jobs"], question)]

    def job_ids(self, prefix: str, *, limit: int = 10, organisation: str | None = None) -> list[JobId]:
        """Ids that begin so, for abbreviation."""
        question = {"prefix": prefix, "limit": limit, "organisation": organisation}
        return [row["id"] for row in self._db.rows(QUERIES["job_ids"], question)]

    def counts(self, *, organisation: str | None = None) -> Counts:
        """How many jobs stand where."""
        by_service: dict[Service, dict[JobState, int]] = {}
        of = {"organisation": organisation}
        for row in (
            self._db.rows(QUERIES["counts"]) if organisation is None else self._db.rows(QUERIES["counts_of"], of)
        ):
            by_service.setdefault(Service(row["service"]), {})[JobState(row["state"])] = row["jobs"]
        return Counts(by_service)

    def ahead_of(self, job: Job) -> int:
        """How many jobs are before this one in its own line, counted up to 10,000."""
        flow = self._db.value(QUERIES["flow_of"], {"job_id": job.id})
        place = {"flow": flow, "seq": job.seq, "limit": _COUNT_LIMIT}
        return int(self._db.value(QUERIES["place_in_flow"], place))

    def attempts(self, job_id: JobId) -> list[Attempt]:
        """The attempts of a job, in order."""
        return [rows.attempt_from(row) for row in self._db.rows(QUERIES["attempts"], {"job_id": job_id})]

    def last_nodes(self, job_ids: Sequence[JobId]) -> Mapping[JobId, str]:
        """The names of the nodes on which the last attempts of jobs were made."""
        found = self._db.rows(QUERIES["last_nodes"], {"job_ids": rows.encode(list(job_ids))}) if job_ids else []
        return {row["id"]: row["name"] for row in found}

    def arrivals(self, *, since: datetime, limit: int | None = None) -> list[Arrival]:
        """The jobs submitted since then that have run, by when they could first have started."""
        found: list[Arrival] = []
        oldest, before_seq = rows.micros(since), _END_OF_TIME
        while page := self._db.rows(QUERIES["arrivals"], {"before_seq": before_seq, "limit": _ARRIVALS_PAGE}):
            before_seq = page[-1]["seq"]
            found += [rows.arrival_from(row) for row in page if row["created_at"] >= oldest]
            if page[-1]["created_at"] < oldest or (limit is not None and len(found) >= limit):
                break
        return sorted(found)

    def completed(self, service: Service, *, limit: int) -> list[Past]:
        """The newest jobs of a service that have completed, among the last hundred thousand of all services."""
        question = {"service": service.value, "lately": _COMPLETED_AMONG, "limit": limit}
        return [rows.past_from(row) for row in self._db.rows(QUERIES["completed"], question)]

    def outputs(self, job_id: JobId) -> list[Output]:
        """The outputs of a job that succeeded, in the order the worker gave them."""
        return [rows.output_from(row) for row in self._db.rows(QUERIES["outputs"], {"job_id": job_id})]

    def details(self, job_id: JobId) -> dict[str, Any]:
        """What the worker said of a succeeded job as a whole."""
        return rows.details_from(self._db.value(QUERIES["details"], {"job_id": job_id}))

    def length_of_result(self, job_id: JobId) -> int:
        """About how many characters `outputs` and `details` have together."""
        return int(self._db.value(QUERIES["length_of_result"], {"job_id": job_id}) or 0)

    # --- events

    def events(
        self, *, after: int, job_ids: Sequence[JobId] = (), limit: int = 500, organisation: str | None = None
    ) -> list[JobEvent]:
        """Events with an id above `after`, in order; of some jobs, of an organisation's, or of all."""
        question: dict[str, Any] = {"after": after, "limit": limit}
        match job_ids:
            case [] if organisation is not None:
                found = self._db.rows(QUERIES["events_of_organisation"], {**question, "organisation": organisation})
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

    # --- maintenance

    def database_version(self) -> str:
        """What the database is."""
        return self._db.version()

    def schema_version(self) -> int:
        """Which migration the database is at."""
        return self._db.schema_version()

    def integrity(self) -> list[str]:
        """What is wrong with the database; empty when nothing is. Reads everything."""
        try:
            found = self._db.damage()
            found += [
                f"job_counts: wrong for {row[0]} {row[1]} of {row[2]}" for row in self._db.rows(QUERIES["miscounted"])
            ]
            found += [f"job_flows: wrong for {row[0]}" for row in self._db.rows(QUERIES["misplaced"])]
        except StoreError as error:
            return [str(error)]
        return found
