"""The hosts of a simulation: equal ones, each with its room, and no instance across two of them."""

from __future__ import annotations

from collections.abc import Sequence

from pitchey_cli.domain.capacity import Size, times_in


class Hosts:
    """Rooms of equal hosts, and how many instances of each pool still fit."""

    def __init__(self, count: int, each: Size, needs: Sequence[Size]) -> None:
        """Make them empty.

        Args:
            needs: what an instance of each pool takes.
        """
        self.rooms = [each] * count
        self._needs = needs
        self._first = [0] * len(needs)  #: no host before that one has room for the pool
        self.fits = [count * times_in(each, need) for need in needs]  #: of each pool, on all hosts together

    def take(self, pool: int) -> int | None:
        """Give an instance of a pool room on the first host that has it."""
        need = self._needs[pool]
        for host in range(self._first[pool], len(self.rooms)):
            if self.rooms[host].holds(need):
                self._first[pool] = host
                self._set(host, self.rooms[host] - need)
                return host
        self._first[pool] = len(self.rooms)
        return None

    def give_back(self, host: int, pool: int) -> None:
        """Take back the room of an instance that has gone."""
        self._set(host, self.rooms[host] + self._needs[pool])
        for each in range(len(self._first)):
            self._first[each] = min(self._first[each], host)

    def _set(self, host: int, room: Size) -> None:
        for pool, need in enumerate(self._needs):
            self.fits[pool] += times_in(room, need) - times_in(self.rooms[host], need)
        self.rooms[host] = room
