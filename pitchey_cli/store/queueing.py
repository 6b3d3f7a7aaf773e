"""How jobs get into the queue of the store and out of it: lines, claims, dependencies, expiry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from pitchey_cli.domain.budget import AsOf, caps
from pitchey_cli.domain.errors import InputNotFound, UsageError
from pitchey_cli.domain.job import Claimed, Job, JobError, JobId, JobState, NewJob, OnFailure
from pitchey_cli.domain.nodes import Epoch, asked
from pitchey_cli.domain.placement import Place, Places
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.domain.secrecy import masked
from pitchey_cli.domain.turns import QueuePolicy, Turns
from pitchey_cli.store import rows
from pitchey_cli.store.dependencies import Dependencies
from pitchey_cli.store.membership import Members
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Reason, Service

_AT_ONCE = 500  # jobs that one call releases or lets expire: others must get their turn to write
_LINE_KEPT = timedelta(hours=1)  # an empty line, for the sake of whoever comes back to it soon


class Queueing(Dependencies, Members):
    """The queueing half of a store's writing."""

    # --- in

    def enqueue(self, jobs: Sequence[NewJob], *, now: datetime) -> list[JobId]:
        """Add jobs; all or none.

        Returns:
            Their ids; of one whose idempotency key is known, the id of the job that came first.
        """
        with self._db.transaction():
            ids: list[JobId] = []
            new: list[NewJob] = []
            here: dict[tuple[str, str], JobId] = {}  # keys of this very submission
            for job in jobs:
                earlier = self._earlier(job)
                known = None if earlier is None else earlier.id
                if known is None and job.idempotency_key is not None:
                    known = here.get((job.organisation, job.idempotency_key))
                    here.setdefault((job.organisation, job.idempotency_key), job.id)
                ids.append(job.id if known is None else known)
                if known is None:
                    new.append(job)
            if new:
                self._insert(new, now=now)
        return ids

    def _earlier(self, job: NewJob) -> Job | None:
        if job.idempotency_key is None:
            return None
        earlier = self.keyed_job(job.idempotency_key, job.organisation)
        if earlier is None:
            return None
        is_same = (earlier.service, earlier.inputs) == (job.service, job.inputs)
        if not is_same or masked(earlier.service, earlier.spec) != masked(job.service, job.spec):
            raise UsageError(
                f"The idempotency key {job.idempotency_key!r} belongs to job {earlier.id}, which is another.",
                hint="Use another key for another job.",
            )
        return earlier

    def _insert(self, jobs: Sequence[NewJob], *, now: datetime) -> None:
        at = rows.micros(now)
        edges = [self._edges(job.after) if job.after else [] for job in jobs]
        states = [rows.first_state(job, now=now, is_held=bool(needs)) for job, needs in zip(jobs, edges, strict=True)]
        lines = [
            rows.flow_of(job) if state is JobState.QUEUED else None for job, state in zip(jobs, states, strict=True)
        ]
        flows: dict[tuple[Any, ...] | None, int | None] = {None: None}
        for line, length in Counter(lines).items():
            if line is not None:
                flows[line] = self._db.value(QUERIES["join_flow"], (*line, length, at))
        values = [
            rows.job_values(job, state, flows[line], at) for job, state, line in zip(jobs, states, lines, strict=True)
        ]
        self._db.run_many(QUERIES["insert_job"], values)
        told = [rows.encode({"service": job.service.value, "name": job.name}) for job in jobs]
        places = range(len(jobs) - 1, -1, -1)  # from the last one back
        self._db.run_many(
            QUERIES["insert_submitted"], [(place, at, data) for place, data in zip(places, told, strict=True)]
        )
        self._count(Counter((job.organisation, job.service, state) for job, state in zip(jobs, states, strict=True)))
        if not any(edges) and all(job.cached_from is None for job in jobs):
            return
        first = self._db.value(QUERIES["last_seq"]) - len(jobs) + 1
        for seq, job, state, needs in zip(count(first), jobs, states, edges, strict=False):
            if needs:
                self._hold(seq, needs, at)
            if job.cached_from is not None:
                self._succeed_from_cache(seq, job, state, at)

    def _hold(self, seq: int, needs: Sequence[tuple[int, OnFailure, bool]], at: int) -> None:
        edges = [(seq, needed, on_failure.value, int(is_source)) for needed, on_failure, is_source in needs]
        self._db.run_many(QUERIES["insert_dependency"], edges)
        if not self._has_unmet(seq):  # it works on what is there already
            row = self._db.rows(QUERIES["job_by_seq"], {"seq": seq})[0]
            self._release_held(row, at)

    def _succeed_from_cache(self, seq: int, job: NewJob, state: JobState, at: int) -> None:
        if self._db.row(QUERIES["job"], {"job_id": job.cached_from}) is None:
            return  # removed since it was looked up: the work is done again
        if state is JobState.QUEUED:
            self._leave_line(seq)
        self._db.run(QUERIES["succeed_from_cache"], {"seq": seq, "from_id": job.cached_from, "now": at})
        self._db.run(QUERIES["copy_outputs"], {"seq": seq, "from_id": job.cached_from})
        whose, service = job.organisation, job.service
        self._count({(whose, service, state): -1, (whose, service, JobState.SUCCEEDED): 1})
        self._event(seq, at, "succeeded", {"reason": Reason.COMPLETED.value, "cachedFrom": job.cached_from})

    # --- claim

    def claim(
        self,
        pool: PoolKey,
        *,
        places: Places,
        policy: QueuePolicy,
        now: datetime,
        lease_until: datetime,
        tick: int,
        foreground_only: bool = False,
        under: Epoch | None = None,
        as_of: AsOf | None = None,
    ) -> list[Claimed]:
        """Take queued jobs, in the order of their turns, for as long as there are places; start an attempt for each."""
        question, service = self._about(pool, foreground_only), pool.service
        if not places.free_slots or not self._db.value(QUERIES["is_anybody_waiting"], question):
            return []  # the usual case takes no write lock
        at = rows.micros(now)
        with self._db.transaction():
            if under is not None and not self.may_take(under):
                return []
            if as_of is not None and self.budgets():
                policy = replace(policy, capped=caps(self.standings(as_of)))
            queue = self.queue(pool, foreground_only=foreground_only)
            turns = Turns(queue, policy, now=now)
            chosen = self._give_places(turns, places, at)
            if not chosen:
                return []
            seqs = rows.encode(list(chosen))
            taken = self._db.rows(QUERIES["claim"], {"seqs": seqs, "now": at, "lease_until": rows.micros(lease_until)})
            by_seq = {row["seq"]: rows.job_from(row) for row in taken}
            jobs = [by_seq[seq] for seq in chosen]
            self._db.run_many(
                QUERIES["insert_attempt"],
                [
                    (job.seq, job.attempt, place.instance_id, at, tick, place.slots)
                    for job, place in ((job, chosen[job.seq]) for job in jobs)
                ],
            )
            self._db.run_many(
                QUERIES["insert_event"],
                [(job.seq, at, "claimed", _claimed(job, chosen[job.seq], under)) for job in jobs],
            )
            served = Counter(row["flow"] for row in taken)
            self._db.run_many(
                QUERIES["serve_flow"],
                # Within a microsecond of each other, so that the order in which lines were served is kept.
                [(count, at + place, flow) for place, (flow, count) in enumerate(served.items())],
            )
            if len(turns.served) > 1:  # an organisation that is alone takes nothing from anybody
                shares = [(service.value, name, turns.served[name]) for name in {job.organisation for job in jobs}]
                self._db.run_many(QUERIES["set_share"], shares)
            if rates := [(key, rows.micros(start)) for key, start in turns.rates().items() if start > now]:
                self._db.run_many(QUERIES["set_key_rate"], rates)
            self._count(Counter((job.organisation, service, JobState.RUNNING) for job in jobs))
        return [Claimed(job, chosen[job.seq].instance_id) for job in jobs]

    def _give_places(self, turns: Turns, places: Places, at: int) -> dict[int, Place]:
        """Whose turn it is gets the best place; who does not fit keeps the free slots waiting, and starves nobody."""
        chosen: dict[int, Place] = {}
        heads: dict[int, list[Any]] = {}
        while places.free_slots and (flow := turns.next()) is not None:
            if flow.id not in heads:
                question = {"flow": flow.id, "limit": places.free_slots, "now": at}
                heads[flow.id] = [rows.waiting_from(row) for row in self._db.rows(QUERIES["heads"], question)][::-1]
            if not heads[flow.id]:
                turns.pass_over(flow)
                continue
            job = heads[flow.id][-1]
            place = places.place(job)
            if place is None:
                break
            heads[flow.id].pop()
            turns.serve(flow, job.slots)
            chosen[job.seq] = place
        return chosen

    # --- out of waiting

    def release_due(self, *, now: datetime) -> int:
        """Queue scheduled jobs whose time has come; how many there were. A long list takes several calls."""
        due = self.next_due()
        if due is None or due > now:
            return 0
        at = rows.micros(now)
        with self._db.transaction():
            released = self._db.rows(QUERIES["due_jobs"], {"now": at, "limit": _AT_ONCE})
            for row in released:
                self._queue(row, JobState.SCHEDULED)
                self._event(row["seq"], at, "released", {})
        return len(released)

    def call_last(self, *, now: datetime) -> int:
        """Let the queued jobs run at any price that can wait for off-peak hours no longer; how many there were."""
        first, at = self._db.value(QUERIES["next_last_call"]), rows.micros(now)
        if first is None or first > at:
            return 0
        with self._db.transaction():
            called = self._db.rows(QUERIES["last_calls"], {"now": at, "limit": _AT_ONCE})
            for row in called:
                self._leave_line(row["seq"])
                due_at = max(row["run_at"] or 0, row["last_call_at"])
                line = self._join_line({**dict(row), "is_off_peak": 0, "run_at": due_at}, row["size"])
                self._db.run(QUERIES["call_last"], {"seq": row["seq"], "flow": line, "due_at": due_at})
                self._event(row["seq"], at, "last_call", {"why": "its deadline: it runs at any price from now on"})
        return len(called)

    def bring_retries_forward(self, *, now: datetime, latest: datetime) -> None:
        """Make the retries due now that are due after `latest`: the clock was ahead when they got their time."""
        last = rows.moment_or_none(self._db.value(QUERIES["last_retry"]))
        if last is not None and last > latest:  # the usual case takes no write lock
            dates = {"now": rows.micros(now), "latest": rows.micros(latest)}
            self._db.run(QUERIES["bring_retries_forward"], dates)

    def expire(self, *, now: datetime) -> int:
        """Give up the waiting jobs that it is too late for; how many there were. A long list takes several calls."""
        first = self._db.value(QUERIES["next_expiry"])
        at = rows.micros(now)
        if first is None or first > at:
            return 0
        with self._db.transaction():
            expired = self._db.rows(QUERIES["expired_jobs"], {"now": at, "limit": _AT_ONCE})
            for row in expired:
                due = f"{rows.moment(row['expires_at']):%Y-%m-%d %H:%M:%S} UTC"
                text = f"It was not started in time: it had to be by {due}."
                hint = None
                if (last := rows.job_from(row).error) is not None:
                    text, hint = f"{text} Its last attempt: {last.message}", last.hint
                hint = hint or "Give it a later deadline or a longer --ttl, or a higher priority."
                error = JobError("expired", text, hint)
                self._end_waiting(row["seq"], JobState.DEAD, Reason.TIMEOUT, error, at, "dead")
        return len(expired)

    def redrive(self, job_id: JobId, *, now: datetime) -> bool:
        """Queue a dead letter again, with all its attempts before it; False when it is none."""
        at = rows.micros(now)
        with self._db.transaction():
            row = self._db.row(QUERIES["job"], {"job_id": job_id})
            if row is None:
                raise InputNotFound(f"There is no job {job_id}.", hint="`pitchey jobs` lists them.")
            if row["state"] != JobState.DEAD.value:
                return False
            if failed := self._db.row(QUERIES["failed_need"], {"seq": row["seq"]}):
                hint = f"`pitchey dlq retry {failed['id']}` first, or submit it again without --after."
                raise UsageError(f"Job {job_id} waits for {failed['id']}, which is {failed['state']}.", hint=hint)
            self._db.run(QUERIES["renew_attempts"], {"seq": row["seq"]})
            self._db.run(QUERIES["hold_dead"], {"seq": row["seq"]})
            self._move(row, JobState.DEAD, JobState.HELD)
            if (wishes := asked(row["on_node"])) != row["on_node"]:
                self._db.run(QUERIES["set_wishes"], {"seq": row["seq"], "on_node": wishes})
            self._event(row["seq"], at, "redriven", {"attempts": row["attempt"]})
            self._hold_again(row["seq"], at)
            if not self._has_unmet(row["seq"]):
                held = self._db.rows(QUERIES["job_by_seq"], {"seq": row["seq"]})[0]
                for ended in self._release_held(held, at):
                    self._settle_dependents(*ended, at)
        return True

    def purge(self, job_id: JobId) -> bool:
        """Remove a dead letter and all that is known of it; False when it is none."""
        with self._db.transaction():
            if waiting := self._db.row(QUERIES["held_for"], {"job_id": job_id}):
                hint = f"`pitchey cancel {waiting['id']}` ends that one, `pitchey dlq retry {job_id}` this one's wait."
                raise UsageError(f"Job {waiting['id']} waits for {job_id}.", hint=hint)
            row = self._db.row(QUERIES["purge_dead"], {"job_id": job_id})
            if row is not None:
                self._count({(row["organisation"], Service(row["service"]), JobState.DEAD): -1})
        return row is not None

    def set_size_hint(self, service: Service, input_kind: str, size: str) -> None:
        """Remember that this kind of input needs an instance type."""
        self._db.run(QUERIES["set_size_hint"], (service.value, input_kind, size))

    def tidy_queue(self, *, now: datetime) -> None:
        """Forget lines in which nobody has stood for long, and rates that limit nothing any more."""
        with self._db.transaction():
            self._db.run(QUERIES["forget_empty_flows"], {"before": rows.micros(now - _LINE_KEPT)})
            self._db.run(QUERIES["forget_key_rates"], {"before": rows.micros(now)})


def _claimed(job: Job, place: Place, under: Epoch | None) -> str:
    node = {} if under is None else {"node": under.node_id}
    return rows.encode({"attempt": job.attempt, "instanceId": place.instance_id, **node, "why": place.why})
