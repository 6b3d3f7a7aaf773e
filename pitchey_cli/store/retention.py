"""How ended jobs leave the SQLite store, and who still refers to which artifact. What has to go is decided in
domain/retention.py; every call here is a page, so that others get their turn to write.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pitchey_cli.domain.job import JobId, JobState
from pitchey_cli.domain.retention import (
    GOES_FOR_ROOM,
    Ended,
    Excess,
    Holding,
    RetentionPolicy,
    due,
    may_follow,
    states_to_look_at,
    too_many,
    waits_for_batch,
)
from pitchey_cli.domain.whereabouts import Whereabouts
from pitchey_cli.store import rows
from pitchey_cli.store.port import Removed
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.queueing import Queueing
from processors.vocabulary import Service

_AT_ONCE = 250  # jobs that one call removes: about 30 ms of a writer's time
_PAGE = 500


class Retaining(Queueing):
    """The part of a store that lets go of what has ended."""

    def remove_ended(
        self, policy: RetentionPolicy, excess: Excess, *, after_seq: int, now: datetime, dry_run: bool = False
    ) -> Removed:
        """Remove those of one page of ended jobs that have to go; a dry run only says which."""
        with self._db.transaction():
            return self._remove_page(policy, self._left_of(excess, policy), after_seq, now, dry_run)

    def _left_of(self, excess: Excess, policy: RetentionPolicy) -> Excess:
        """What is still too much: another node may have removed some of it since somebody counted."""
        if not (policy.jobs_count and excess.jobs > 0):
            return excess
        return replace(excess, jobs=min(excess.jobs, too_many(policy, self.counts().by_service.values())))

    def _remove_page(
        self, policy: RetentionPolicy, excess: Excess, after_seq: int, now: datetime, dry_run: bool
    ) -> Removed:
        states = states_to_look_at(policy, excess)
        page = self._ended(states, after_seq)
        if not page:
            return Removed()
        last, is_short = page[-1], len(page) < _AT_ONCE
        chosen = due(policy, page, excess, now=now)
        if chosen:
            while needed := self._needed(
                [job.seq for job in chosen], [job.seq for job in chosen if waits_for_batch(policy, job, now=now)]
            ):
                page = [job for job in page if job.seq not in needed]
                chosen = due(policy, page, excess, now=now)  # where so many have to go, others go instead
            if not dry_run:
                gone = self._remove([job.seq for job in chosen])
                chosen = [job for job in chosen if job.seq in gone]
        is_last = is_short or not may_follow(policy, last, excess.without(chosen), now=now)
        return Removed(tuple(chosen), None if is_last else last.seq)

    def _ended(self, states: Sequence[JobState], after_seq: int) -> list[Ended]:
        """The oldest of all these states: each is one search, what they found is merged."""
        question = {"after": after_seq, "limit": _AT_ONCE}
        found = [
            Ended(
                row["seq"],
                JobId(row["id"]),
                state,
                rows.moment(row["created_at"]),
                rows.moment(row["finished_at"]),
            )
            for state in states
            for row in self._db.rows(QUERIES["ended_jobs"], {**question, "state": state.value})
        ]
        return sorted(found, key=lambda job: job.seq)[:_AT_ONCE]

    def _needed(self, seqs: Sequence[int], waiting_for_batch: Sequence[int]) -> set[int]:
        questions = (("needed_jobs", seqs), ("jobs_of_live_batches", waiting_for_batch))
        return {
            row["seq"]
            for name, asked in questions
            for row in self._db.rows(QUERIES[name], {"seqs": rows.encode(asked)})
        }

    def _remove(self, seqs: Sequence[int]) -> set[int]:
        chosen = {"seqs": rows.encode(list(seqs))}
        names = [row["sha256"] for row in self._db.rows(QUERIES["outputs_of_jobs"], chosen)]
        gone = self._db.rows(QUERIES["remove_ended"], chosen)
        moved = Counter((row["organisation"], Service(row["service"]), JobState(row["state"])) for row in gone)
        self._count({key: -jobs for key, jobs in moved.items()})
        if names:
            self._db.run(QUERIES["forget_artifacts"], {"names": rows.encode(names)})
        return {row["seq"] for row in gone}

    def note_artifacts_at(self, place: Whereabouts) -> None:
        """Say where the artifacts of the queue are from now on."""
        self._db.run(QUERIES["note_artifacts_at"], {"place": rows.encode({"id": place.id, "said": place.said})})

    # --- the time

    def known_time(self) -> datetime | None:
        """The last time that was believed; None in a new database."""
        return rows.moment_or_none(self._db.value(QUERIES["known_time"]))

    def note_time(self, *, now: datetime) -> None:
        """Note a time that is believed."""
        self._db.run(QUERIES["note_time"], {"now": str(rows.micros(now))})

    # --- artifacts and logs

    def holdings(self, *, after_seq: int, with_needs: bool = False) -> list[Holding]:
        """Which artifacts the jobs of one page refer to."""
        page = self._db.rows(QUERIES["holdings"], {"after": after_seq, "limit": _PAGE})
        if not page:
            return []
        names: dict[int, list[str]] = {
            row["seq"]: [each["sha256"] for each in json.loads(row["inputs"]) if each.get("sha256")] for row in page
        }
        for row in self._db.rows(QUERIES["outputs_between"], {"after": after_seq, "last": page[-1]["seq"]}):
            if row["job_seq"] in names:
                names[row["job_seq"]].append(row["sha256"])
        # Of a live batch none is counted on, however old: such a one goes for its age.
        stays = self._needed(list(names), list(names)) if with_needs else set()
        return [
            Holding(
                row["seq"],
                JobId(row["id"]),
                tuple(names[row["seq"]]),
                may_go=row["state"] in GOES_FOR_ROOM and row["seq"] not in stays,
            )
            for row in page
        ]

    def artifact_sizes(self, *, after: str = "") -> list[tuple[str, int]]:
        """A page of the artifacts that outputs refer to."""
        found = self._db.rows(QUERIES["artifact_sizes"], {"after": after, "limit": _PAGE})
        return [(row["sha256"], row["size"]) for row in found]

    def known_jobs(self, job_ids: Sequence[str]) -> set[str]:
        """Those of some ids that are a job's."""
        return {row["id"] for row in self._db.rows(QUERIES["known_jobs"], {"ids": rows.encode(list(job_ids))})}
