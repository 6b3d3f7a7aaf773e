"""How attempts end in the store: those that end together are one question, and from there on only writes.

All that has to be known is asked before anything is written, so no answer is waited for between one end and the next.
What each end changes of a sum (costs, counts, until when an instance was used) is added up and written once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pitchey_cli.domain.cost import Account, Entry, Line, attempt_entries, total
from pitchey_cli.domain.errors import StaleToken
from pitchey_cli.domain.job import TERMINAL, Job, JobId, JobState, Outcome, Output, Token
from pitchey_cli.domain.program import verdict_of
from pitchey_cli.domain.states import Transition
from pitchey_cli.store import rows
from pitchey_cli.store.database import Row
from pitchey_cli.store.dependencies import Dependencies
from pitchey_cli.store.ledger import Ledger
from pitchey_cli.store.port import Ending
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Reason, Service

_Written = dict[str, Any]  #: what `finish_jobs` and `finish_attempts` take of each
_Event = tuple[int, int, str, str]


@dataclass
class _Ends:
    """What several ends change."""

    written: list[tuple[_Written, _Event]] = field(default_factory=list)
    batches: list[tuple[str, str]] = field(default_factory=list)  # whose each of them is
    booked: list[Entry] = field(default_factory=list)
    counts: Counter[tuple[str, Service, JobState]] = field(default_factory=Counter)
    used: dict[str, int] = field(default_factory=dict)  # the last tick of an instance in which somebody has used it

    def parts(self) -> list[list[tuple[_Written, _Event]]]:
        """What may be written at once. An event is told to webhooks by what jobs are then, and with the last job of a
        batch the batch has finished: of each batch only one may come as the last.
        """
        last = {batch: place for place, batch in enumerate(self.batches) if batch[1]}
        final = set(last.values())
        parts: tuple[list[tuple[_Written, _Event]], ...] = ([], [])
        for place, each in enumerate(self.written):
            parts[place in final].append(each)
        return [part for part in parts if part]


class Finishing(Dependencies, Ledger):
    """Ends live attempts."""

    def finish(
        self, job_id: JobId, token: Token, outcome: Outcome, transition: Transition, *, now: datetime, tick: int
    ) -> None:
        """End the live attempt: job, attempt, its cost, outputs and event in one transaction.

        Raises:
            StaleToken: another attempt has taken over; the caller must throw its result away.
        """
        (found,) = self.finish_all([Ending(job_id, token, outcome, lambda _: transition, now, tick)])
        if isinstance(found, StaleToken):
            raise found

    def finish_all(self, endings: Sequence[Ending]) -> list[Job | StaleToken]:
        """End several live attempts in one transaction; the jobs as they were before."""
        with self._db.transaction():
            ids = rows.encode([each.job_id for each in endings])
            held = {row["token"]: row for row in self._db.rows(QUERIES["held_by"], {"job_ids": ids})}
            ends, found, waited_for = _Ends(), list[Job | StaleToken](), list[tuple[Row, JobState, Ending]]()
            for each in endings:
                row = held.pop(each.token, None)  # one that is told twice is stale the second time
                if row is None:
                    text = f"Attempt {each.token} does not hold job {each.job_id} any more; its result is dropped."
                    found.append(StaleToken(text))
                    continue
                job = rows.job_from(row)
                state = self._end(row, job, each, ends)
                found.append(job)
                if row["is_waited_for"] and state in TERMINAL:
                    waited_for.append((row, state, each))
            self._write(ends)
            for row, state, each in waited_for:
                verdict = _verdict(Service(row["service"]), state, each.outcome)
                self._settle_dependents(row["seq"], each.job_id, state, rows.micros(each.now), verdict)
        return found

    def _write(self, ends: _Ends) -> None:
        for part in ends.parts():  # jobs before events: who is told of an event looks at its job
            ended = [written for written, _ in part]
            self._db.run_list([QUERIES["finish_jobs"], QUERIES["finish_attempts"]], ended)
            self._db.run_many(QUERIES["insert_event"], [event for _, event in part])
        self._book(ends.booked)
        self._count({key: change for key, change in ends.counts.items() if change})
        used = [{"instance_id": instance_id, "tick": tick} for instance_id, tick in ends.used.items()]
        self._db.run_many(QUERIES["note_used"], used)

    def _end(self, row: Row, job: Job, ending: Ending, ends: _Ends) -> JobState:
        """What one end changes; what it shares with no other is written at once."""
        outcome, transition, at = ending.outcome, ending.decide(job), rows.micros(ending.now)
        state, seq = transition.state, row["seq"]
        has_succeeded = state is JobState.SUCCEEDED
        size = job.size if transition.size is None else transition.size
        wishes = job.on_node if transition.on_node is None else transition.on_node
        cost, end = self._charge(row, ending, ends)
        written = {
            "job_seq": seq,
            "token": ending.token,
            "state": state.value,
            "attempts_used": transition.attempts_used,
            "crashes": transition.crashes,
            "reason": outcome.reason.value,
            "error": rows.encode_error(outcome.error),
            "details": rows.encode(outcome.details) if has_succeeded else None,
            "verdict": _verdict(job.service, state, outcome),
            "run_at": rows.micros_or_none(transition.run_at),
            "size": transition.size,
            "on_node": transition.on_node,
            # An interrupted one goes back to its line at once.
            "flow": self._join_line({**dict(row), "on_node": wishes}, size) if state is JobState.QUEUED else None,
            "finished_at": at if state in TERMINAL else None,
            "progress": 1.0 if has_succeeded else None,
            "number": job.attempt,
            "at": at,
            "finished_tick": end,
            "usage": rows.encode_usage(outcome.usage),
            "cost_nanodollars": cost,
        }
        kind, data = rows.ending_event(outcome, transition, cost)
        ends.written.append((written, (seq, at, kind, rows.encode({"attempt": job.attempt, **data}))))
        ends.batches.append((job.organisation, job.batch))
        ends.counts[job.organisation, job.service, JobState.RUNNING] -= 1
        ends.counts[job.organisation, job.service, state] += 1
        self._forget_secrets(seq, job.service, state, row["spec"])
        if has_succeeded and outcome.outputs:
            self._keep_outputs(seq, outcome.outputs, at)
        return state

    def _charge(self, row: Row, ending: Ending, ends: _Ends) -> tuple[int | None, int]:
        """What an attempt has cost that ends, and the tick of its end.

        Without a record of its instance nothing can be said of its price.
        """
        begin, stopped, seen, instance_id = (
            row["started_tick"], row["stopped_tick"], row["seen_tick"], row["instance_id"]
        )  # fmt: skip
        if seen is None:
            return None, ending.tick
        end = max(begin, ending.tick if stopped is None else min(ending.tick, stopped))
        if stopped is None and end > ends.used.get(instance_id, seen):
            ends.used[instance_id] = end
        account, is_completed = Account(row["organisation"], row["batch"]), ending.outcome.reason is Reason.COMPLETED
        life = self._life(instance_id)
        booked = attempt_entries(life, account, begin, end, slots=row["taken"], is_completed=is_completed)
        ends.booked += booked
        return total(booked, Line.WORK, Line.FAILED), end

    def _keep_outputs(self, seq: int, outputs: Sequence[Output], at: int) -> None:
        self._db.run_many(QUERIES["insert_artifact"], [(each.sha256, each.size, at) for each in outputs])
        self._db.run_many(
            QUERIES["insert_output"],
            [
                (seq, position, each.path, each.role, each.media_type, each.sha256, rows.encode(each.details))
                for position, each in enumerate(outputs)
            ],
        )


def _verdict(service: Service, state: JobState, outcome: Outcome) -> str | None:
    """How the program of a job has ended that is one and has succeeded."""
    return verdict_of(outcome.details) if state is JobState.SUCCEEDED and service is Service.CODE else None
