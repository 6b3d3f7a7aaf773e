"""What the time that a claimed job has waited says of a pool: how soon a warm instance takes it, or a cold one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from pitchey_cli.daemon.instance import PooledInstance
from pitchey_cli.domain.clock import Clock
from pitchey_cli.domain.held import Line, line_of
from pitchey_cli.domain.job import Job, due_at
from pitchey_cli.domain.observation import Measure


class Pickups:
    """Those of one pool. Knows when it has had room, and which lines of its queue might not go."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._room_since: datetime | None = None
        self._held: dict[Line, datetime] = {}  # lines that were held, and when they were last

    def note_room(self, *, has_room: bool) -> None:
        """After a dispatch: whether the next job would find a free slot."""
        if not has_room:
            self._room_since = None
        elif self._room_since is None:
            self._room_since = self._clock.now()

    def note_held(self, lines: Mapping[Line, bool]) -> None:
        """After a look at the queue: which of its lines might not go, whatever room there was."""
        if lines or self._held:
            now = self._clock.now()
            held = {line: now for line, is_held in lines.items() if is_held}
            self._held = {line: at for line, at in self._held.items() if line in lines} | held

    def measure_of(self, job: Job, instance: PooledInstance, instances: Iterable[PooledInstance]) -> Measure | None:
        """What a claimed job measures: one that stood in a queue, or was held, nothing.

        Args:
            instance: that takes it.
            instances: all of the pool.
        """
        due = due_at(job)
        if job.attempt > 1 or (job.last_call_at is not None and not job.is_off_peak):
            return None  # the second had waited for off-peak hours, until its last call
        held_at = self._held.get(line_of(job))
        if held_at is not None and due <= held_at:
            return None
        if self._room_since is not None and self._room_since <= due:
            return Measure.WARM_PICKUP
        since = instance.available_since
        # Those that were started behind it found a queue: it is the first that the pool had.
        others = [each.available_since for each in instances if each.available_since is not None]
        is_cold = since is not None and due < since <= min(others, default=since)
        return Measure.COLD_PICKUP if is_cold and instance.attempts == 0 else None
