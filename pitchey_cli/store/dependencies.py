"""Jobs that wait for others in the store: held until those have ended, fed with what they gave, or given up.

All of it happens in the transaction that ends the job which was waited for, so nothing can be lost in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pitchey_cli.domain.errors import InputNotFound, InputRejected, UsageError
from pitchey_cli.domain.feeding import Fed, fanned_id, feed
from pitchey_cli.domain.job import Dependency, JobError, JobId, JobState, OnFailure, Output
from pitchey_cli.domain.program import has_ended_well
from pitchey_cli.store import rows
from pitchey_cli.store.lines import Lines
from pitchey_cli.store.queries import QUERIES
from processors.vocabulary import Reason, Service

_Ended = tuple[int, JobId, JobState]
_Edge = tuple[int, OnFailure, bool]  #: the job that is needed, what its failure means, whether its outputs are taken


def _ended_as(state: JobState, verdict: str | None) -> JobState:
    """How a job has ended for those that wait for it: a program that did not end well has failed, and its job not.

    has_unmet says the same in SQL.
    """
    return JobState.DEAD if state is JobState.SUCCEEDED and not has_ended_well(verdict) else state


def _is_met(state: JobState, on_failure: OnFailure) -> bool:
    """Whether a job has ended as one that waits for it wants; has_unmet says the same in SQL."""
    has_failed = state in (JobState.DEAD, JobState.CANCELLED)
    return state is JobState.SUCCEEDED or (has_failed and on_failure is OnFailure.RUN)


def _is_hopeless(state: JobState, on_failure: OnFailure) -> bool:
    """Whether waiting has no sense any more. A dead letter may be redriven, what was cancelled stays so."""
    if state is JobState.CANCELLED:
        return on_failure is not OnFailure.RUN
    return state is JobState.DEAD and on_failure is OnFailure.CANCEL


def _word(state: JobState, verdict: str | None) -> str:
    return str(state) if has_ended_well(verdict) else f"a program that ended with {verdict}"


class Dependencies(Lines):
    """Holds jobs, and lets them go."""

    def _edges(self, needs: Sequence[Dependency]) -> list[_Edge]:
        """What a new job waits for: the jobs that have not ended as it wants, and those that it works on.

        Of a job that is named twice, the last word counts. One that became several by a fan-out stands for all of them.
        """
        found: list[_Edge] = []
        for need in {need.job_id: need for need in needs}.values():
            row = self._db.row(QUERIES["job"], {"job_id": need.job_id})
            if row is None:
                hint = "`pitchey jobs` lists those that there are."
                raise InputNotFound(f"There is no job {need.job_id} to wait for.", hint=hint)
            for each in (row, *self._db.rows(QUERIES["copies"], {"seq": row["seq"]})):
                state = _ended_as(JobState(each["state"]), each["verdict"])
                if _is_hopeless(state, need.on_failure):
                    text = f"Job {need.job_id}, which is to be waited for, is {_word(state, each['verdict'])}."
                    raise UsageError(text, hint="Leave it out, or have it done again first.")
                if need.is_source or not _is_met(state, need.on_failure):
                    found.append((each["seq"], need.on_failure, need.is_source))
        return found

    def _end_waiting(
        self, seq: int, state: JobState, reason: Reason, error: JobError | None, at: int, kind: str,
        *, why: str = "", cancel_requested_at: int | None = None,
    ) -> None:  # fmt: skip
        """End a job that waits, and settle those that wait for it."""
        job_id = self._end_one(seq, state, reason, error, at, kind, why=why, cancel_requested_at=cancel_requested_at)
        if job_id is not None:
            self._settle_dependents(seq, job_id, state, at)

    def _settle_dependents(self, seq: int, job_id: JobId, state: JobState, at: int, verdict: str | None = None) -> None:
        """A job has ended: queue those that waited for it alone, or give them up, and those that wait for them."""
        if self._db.value(QUERIES["is_waited_for"], {"seq": seq}) is None:
            return
        first, word, state = seq, _word(state, verdict), _ended_as(state, verdict)
        ended: deque[_Ended] = deque([(seq, job_id, state)])
        while ended:
            seq, job_id, state = ended.popleft()
            word = word if seq == first else str(state)
            for row in self._db.rows(QUERIES["dependents"], {"seq": seq}):
                on_failure = OnFailure(row["on_failure"])
                if _is_hopeless(state, on_failure):
                    text = f"Job {job_id}, which it waited for, is {word}."
                    error = JobError("dependency_failed", text, "That job says why; submit this one again after it.")
                    self._end_one(row["seq"], JobState.CANCELLED, Reason.CANCELLED, error, at, "cancelled")
                    ended.append((row["seq"], row["id"], JobState.CANCELLED))
                elif not self._has_unmet(row["seq"]):
                    ended += self._release_held(row, at)

    def _release_held(self, row: rows.Row, at: int) -> list[_Ended]:
        """Let a held job go, fed with what it waited for; it and its kind that have ended by that."""
        inputs = rows.inputs_from(row)
        if all(each.output is None for each in inputs):
            self._let_go(row, at)
            return []
        try:
            fed = feed(inputs, self._given(row["seq"]))
        except InputRejected as error:
            failure = JobError(
                "no_such_output", str(error), "The steps before it gave something else than was expected."
            )
            self._end_one(row["seq"], JobState.DEAD, Reason.REJECTED, failure, at, "dead")
            return [(row["seq"], row["id"], JobState.DEAD)]
        if not fed:
            self._end_one(row["seq"], JobState.SUCCEEDED, Reason.COMPLETED, None, at, "succeeded", why="nothing to do")
            return [(row["seq"], row["id"], JobState.SUCCEEDED)]
        for each in self._fan_out(row, fed, at):
            self._let_go(each, at)
        return []

    def _given(self, seq: int) -> dict[int, list[Output]]:
        given: dict[int, list[Output]] = {}
        for row in self._db.rows(QUERIES["source_outputs"], {"seq": seq}):
            given.setdefault(row["job_seq"], []).append(rows.output_from(row))
        return given

    def _fan_out(self, row: rows.Row, fed: Sequence[Fed], at: int) -> list[rows.Row]:
        """Give a job its inputs. Where there are several sets of them, others like it stand beside it from now on."""
        service = Service(row["service"])
        names = [row["name"]] if len(fed) == 1 else [f"{row['name']}-{number}" for number in range(1, len(fed) + 1)]
        first = {"seq": row["seq"], "name": names[0], "inputs": rows.encode(fed[0].inputs)}
        found: list[rows.Row] = [*self._db.rows(QUERIES["feed_job"], first)]
        for number, (name, each) in enumerate(zip(names[1:], fed[1:], strict=True), start=2):
            copy = {"id": fanned_id(row["id"], number), "name": name, "inputs": rows.encode(each.inputs), "now": at}
            found += self._db.rows(QUERIES["copy_job"], {**copy, "seq": row["seq"]})
            edge = {"seq": row["seq"], "copy_seq": found[-1]["seq"]}
            for source in each.sources:
                self._db.run(QUERIES["copy_need"], {**edge, "needs_seq": source})
            self._db.run(QUERIES["copy_dependents"], edge)
            told = {"service": service.value, "name": name, "fannedOutFrom": row["id"]}
            self._event(found[-1]["seq"], at, "submitted", told)
        if len(fed) > 1:
            self._count({(row["organisation"], service, JobState.HELD): len(fed) - 1})
        return found

    def _let_go(self, row: rows.Row, at: int) -> None:
        self._db.run(QUERIES["start_ttl"], {"seq": row["seq"], "now": at})
        if row["run_at"] is not None and row["run_at"] > at:
            self._db.run(QUERIES["reschedule_job"], {"seq": row["seq"]})
            self._move(row, JobState.HELD, JobState.SCHEDULED)
        else:
            self._queue(row, JobState.HELD)
        self._event(row["seq"], at, "released", {})

    def _hold_again(self, seq: int, at: int) -> None:
        """A dead letter is held again: bring back what its failure had taken down, where nothing else keeps it down."""
        again = deque([seq])
        while again:
            for row in self._db.rows(QUERIES["cancelled_with"], {"seq": again.popleft()}):
                if self._db.row(QUERIES["failed_need"], {"seq": row["seq"]}) is None:
                    self._db.run(QUERIES["hold_cancelled"], {"seq": row["seq"]})
                    self._move(row, JobState.CANCELLED, JobState.HELD)
                    self._event(row["seq"], at, "held", {"why": "what it waits for is tried again"})
                    again.append(row["seq"])

    def _has_unmet(self, seq: int) -> bool:
        return bool(self._db.value(QUERIES["has_unmet"], {"seq": seq}))
