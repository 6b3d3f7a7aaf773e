"""Which instance gets a job. Pure: the instances as they are, and the job, go in; a place and its reason come out.

The warm instance that fits best: one that already has what the job needs (its model, its language), then one that
worked for the same organisation, then the least loaded. One that has just failed a job of this kind comes last, and
before it those that the pool would rather do without: they are to fall idle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import field

from pitchey_cli.domain.job import Job
from pitchey_cli.domain.turns import Waiting
from pitchey_cli.values import dataclass


@dataclass
class Candidate:
    """An instance that could take an attempt."""

    instance_id: str
    slots: int
    free_slots: int
    kinds: Collection[str] = ()  #: kinds of jobs for which it has what they need
    failed_kinds: Collection[str] = ()  #: whose last attempt there failed
    organisations: Collection[str] = ()
    is_surplus: bool = False  #: the pool would rather do without it


@dataclass(frozen=True)
class Place:
    """Where a job goes, and why."""

    instance_id: str
    slots: int  #: that it takes there
    why: str


@dataclass
class Places:
    """The free slots of a pool; each place that is given is taken."""

    candidates: list[Candidate] = field(default_factory=list)
    has_refused: bool = False  #: a job found no room, although some slots are free

    @classmethod
    def of(cls, candidates: Iterable[Candidate]) -> Places:
        """Take the instances that have any room."""
        return cls([each for each in candidates if each.free_slots > 0])

    @property
    def free_slots(self) -> int:
        """Slots that are free now."""
        return sum(each.free_slots for each in self.candidates)

    def place(self, job: Waiting) -> Place | None:
        """Give a job a place; None when it has to wait for room.

        A job under which an instance has died gets one for itself: if it kills that one too, nobody else pays.
        """
        fitting = [each for each in self.candidates if each.free_slots >= slots_needed(job, each.slots)]
        if not fitting:
            self.has_refused = True
            return None
        chosen = min(fitting, key=lambda each: _rank(each, job))
        why = self._why(chosen, job, len(fitting))
        needed = slots_needed(job, chosen.slots)
        chosen.free_slots -= needed
        return Place(chosen.instance_id, needed, why)

    def _why(self, chosen: Candidate, job: Waiting, fitting: int) -> str:
        busy = chosen.slots - chosen.free_slots
        words = [f"{busy} of its {chosen.slots} slots taken"]
        if job.kind and job.kind in chosen.kinds:
            words.insert(0, f"it has {job.kind} warm")
        if job.kind in chosen.failed_kinds:
            words.append("although it has just failed such a job")
        if job.crashes:
            words.append("alone, because an instance died under this job")
        return f"{', '.join(words)}; {'the only one' if fitting == 1 else f'the best of {fitting}'} with room"


def kinds_of(models: Iterable[str]) -> set[str]:
    """The kinds of jobs for which an instance is warm that has these models, `name@version`.

    A job that names no version means the one that is pinned. Which that is only the instance knows for sure, and seldom
    are there two: the name alone counts, too.
    """
    return {kind for model in models for kind in (model, model.partition("@")[0])}


def slots_needed(job: Waiting | Job, slots: int) -> int:
    """How many of an instance's slots a job takes: never more than there are."""
    return slots if job.crashes else min(job.slots, slots)


def _rank(each: Candidate, job: Waiting) -> tuple[bool, bool, bool, bool, float, str]:
    return (
        job.kind in each.failed_kinds,
        each.is_surplus,
        job.kind not in each.kinds,
        job.organisation not in each.organisations,
        1 - each.free_slots / each.slots,
        each.instance_id,
    )
