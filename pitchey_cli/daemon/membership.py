"""This node among the others: its beat, its eye on theirs, and what it takes over from those that are gone.

Everything here goes by this machine's monotonic clock, see domain/nodes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from pitchey_cli.daemon import agreement
from pitchey_cli.daemon.node import Node
from pitchey_cli.domain import neighbours
from pitchey_cli.domain.errors import SchemaTooNew, StoreError
from pitchey_cli.domain.nodes import BEATS_PER_LEASE, Epoch, Health, NodeRecord, NodeState, Room, Watch

_AGAIN_SECONDS = 2.0  # after a beat that the database has not taken


class Membership:
    """A node's place among those that share its database."""

    def __init__(self, node: Node, room: Callable[[], Room], health: Callable[[], Health] = Health) -> None:
        """Begin outside.

        Args:
            room: what the node has for instances now.
            health: how it does, some seconds ago at most.
        """
        self._node = node
        self._room = room
        self._health = health
        self._watch = Watch()
        self._beat_at = 0.0  # when the next one is due
        self._kept_at = 0.0  # the last moment at which the epoch was this node's for sure
        self.is_over = False  #: others have taken over what this node ran
        self._too_many: set[str] = set()  # ids of daemons of this machine that take too much together
        self.outdated: SchemaTooNew | None = None  #: another node has made the database one for newer programs
        self._apart_seconds = 0.0  # by which the clock here is ahead of that of the database's server
        self.is_clock_wrong = False  #: too far to do here what goes by the date
        self.told = Room()  #: what the others know of this node's room: all reckon with the same numbers
        self.others: Sequence[NodeRecord] = ()  #: that are up, as they were at the last beat

    @property
    def takers(self) -> Sequence[NodeRecord]:
        """The others that take jobs off the queue."""
        return [each for each in self.others if each.state is NodeState.UP and not each.facts.is_foreground]

    @property
    def is_first(self) -> bool:
        """Whether what one node is enough for is this one's to do. For a beat or two there may be two such, or none."""
        return all(self._node.identity.id < each.id for each in self.others if not each.facts.is_foreground)

    @property
    def is_outdated(self) -> bool:
        """Whether this program may not go on with the database: what runs here is to end, and then the node."""
        return self.outdated is not None

    async def enter(self, still: Collection[agreement.Still] | None = None) -> None:
        """Begin an epoch.

        Args:
            still: those that did not move when they were asked whether they object to this node; None: nobody was.

        Raises:
            UsageError: somebody who came meanwhile does.
        """
        node = self._node
        began = node.clock.monotonic()
        self.told = self._room()
        node.identity.epoch, said = await node.call(self._enter, still)
        if said:
            node.report(said)
        self.is_over = False
        self._kept_at, self._beat_at = began, began  # the first look at the others is now

    def _enter(self, still: Collection[agreement.Still] | None) -> tuple[Epoch, str]:
        node, said = self._node, ""
        with node.store.transaction():  # of two that come at once, one finds the other there
            if still is not None:
                if (problem := agreement.objection(node, still)) is not None:
                    raise problem
                said = agreement.settle(node)
            epoch = node.store.enter(
                node.identity.id, node.config.facts, self.told, self._health(), now=node.clock.now()
            )
        return epoch, said

    async def leave(self) -> None:
        """End, unless instances are left behind: those are others' when the lease has run out, or the next daemon's."""
        epoch = self._node.identity.epoch
        if epoch is not None and not self.is_over:
            await self._node.call(self._node.store.leave, epoch, now=self._node.clock.now())

    @property
    def is_lapsed(self) -> bool:
        """Whether the lease has run out by this node's own clock: others may be at work at what it runs."""
        return self.lease_left <= 0

    @property
    def lease_left(self) -> float:
        """Seconds; negative when it has run out."""
        return self._kept_at + self._node.config.lease_seconds - self._node.clock.monotonic()

    async def keep(self) -> list[str]:
        """Beat when that is due, and take over from those that do not; what was done.

        Raises:
            StoreError: the database cannot be reached.
        """
        node, lease = self._node, self._node.config.lease_seconds
        now = node.clock.monotonic()
        if self.is_over or now < self._beat_at:
            return []
        self._beat_at = now + min(_AGAIN_SECONDS, lease / BEATS_PER_LEASE)  # should this one fail
        was_outdated = self.is_outdated
        found = await node.call(self._beat)
        self._beat_at = now + lease / BEATS_PER_LEASE
        if found is None:
            self.is_over = True
            return []
        if now - self._kept_at > lease * 2 / BEATS_PER_LEASE:
            self._watch.forget(now)  # it was this node that did not look, or a database that nobody could reach
        self._kept_at = now
        others = [each for each in found if each.id != node.identity.id and each.is_up]
        gone = self._watch.look(others, now)
        self.others = [each for each in others if each not in gone]
        taken = [done for each in gone if (done := await self._take_over(each))]
        return [*self._judge_schema(was_outdated), *self._judge_clock(), *self._look_at_neighbours(found), *taken]

    def _judge_schema(self, was_outdated: bool) -> list[str]:
        """What runs still ends, and until it has this node beats like any other."""
        if self.outdated is None or was_outdated:
            return []
        return [
            f"{self.outdated} {self.outdated.hint} Nothing new is taken, and this daemon ends when what runs has ended"
        ]

    def _judge_clock(self) -> list[str]:
        """What goes by the date changes what is everybody's: jobs that are too late, what is removed for its age."""
        was_wrong, apart = self.is_clock_wrong, self._apart_seconds
        self.is_clock_wrong = abs(apart) > self._node.config.most_apart_seconds
        if self.is_clock_wrong and not was_wrong:
            where = "ahead of" if apart > 0 else "behind"
            return [
                f"the clock of this machine is {abs(apart):,.0f} s {where} that of the database's server: schedules,"
                " deadlines and what is removed for its age are left to other nodes until it is set right"
            ]
        return ["the clock of this machine is right again"] if was_wrong and not self.is_clock_wrong else []

    def _look_at_neighbours(self, found: Sequence[NodeRecord]) -> list[str]:
        """Say once of which other daemons of this machine it takes too much together with this one."""
        before, memory_bytes = self._too_many, self._node.host.memory_bytes
        too_many = neighbours.overbooked(found, self._node.config.facts.host, memory_bytes)
        self._too_many = {each.id for each in too_many}
        if self._too_many <= before:
            return []
        return [f"{neighbours.sentence(too_many, memory_bytes)} {neighbours.WAY_OUT}"]

    def _beat(self) -> Sequence[NodeRecord] | None:
        node = self._node
        if (there := node.store.time_there()) is not None:
            self._apart_seconds = (node.clock.now() - there).total_seconds()
        if self.outdated is None:
            try:
                node.store.check_schema()
            except SchemaTooNew as error:
                self.outdated = error
        assert node.identity.epoch is not None  # it has entered
        self.told = self._room()
        if not node.store.beat(node.identity.epoch, self.told, self._health(), now=node.clock.now()):
            return None
        return node.store.nodes()

    async def _take_over(self, gone: NodeRecord) -> str:
        node = self._node
        silence = f"has not answered for {gone.facts.lease_seconds:g} s"
        why = f"its node {silence}"  # the jobs' organisations read it, and hear of no node's name
        taken = await node.call(node.store.take_over, gone, why=why, now=node.clock.now())
        if taken is None:
            return ""  # somebody was quicker, or it lives
        jobs, instances = len(taken.jobs), len(taken.instances)
        again = "1 job waits again" if jobs == 1 else f"{jobs} jobs wait again"
        are = "1 instance is" if instances == 1 else f"{instances} instances are"
        return f"node {gone.facts.name} {silence}: {again}, {are} out of the books"

    async def what_became(self) -> NodeRecord | None:
        """This node as others have left it, once its epoch is over; None when nobody can say."""
        try:
            return await self._node.call(self._node.store.node, self._node.identity.id)
        except StoreError:
            return None
