"""The part of the store's port that is about instances and what they cost. `port.py` has the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pitchey_cli.domain.cost import Entry, Line, LiveAttempt
from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel
from pitchey_cli.domain.nodes import Epoch
from pitchey_cli.values import dataclass
from processors.vocabulary import Service


@dataclass(frozen=True)
class Costs:
    """What has been booked in some hours, and what lives now: all as of one moment."""

    booked: Sequence[Entry]
    instances: Sequence[Instance]
    attempts: Sequence[LiveAttempt]


@dataclass(frozen=True)
class Total:
    """All that was ever booked on a line."""

    service: Service
    line: Line
    nanodollars: int
    attempts: int


class Accounts(Protocol):
    """Instances, and the ledger. Ticks are those of domain/cost.py."""

    def add_instance(self, instance: Instance, *, under: Epoch | None = None, at_most: int | None = None) -> None:
        """Record an instance before it is asked of the engine.

        Args:
            under: of the node that starts it; None: nobody asks.
            at_most: of its pool, on all nodes together; None: any number.

        Raises:
            EpochOver: others have taken over what the node ran.
            PoolFull: there are as many already.
        """

    def set_instance(
        self, instance_id: str, state: InstanceState, *, now: datetime, tick: int | None, note: str | None = None
    ) -> None:
        """Record a change; READY and STOPPED or LOST note their time, and the latter two book what it cost.

        An instance that has ended stays as it is.

        Args:
            tick: None when nobody knows: of an end, it is when the instance was last seen.
        """

    def set_models(self, instance_id: str, models: Sequence[LoadedModel]) -> None:
        """Note which models an instance has loaded now. One that has ended has none, and stays so."""

    def note_seen(self, *, boot: str, tick: int, gone: Sequence[str] = (), node: str = "") -> None:
        """Note that the instances of a node and of this boot are there, but those that are known to be gone."""

    def pause_instance(self, instance_id: str, *, tick: int) -> None:
        """Note that an instance is paused from now on; one that is already stays so."""

    def unpause_instance(self, instance_id: str, *, tick: int) -> None:
        """Book the pause that an instance was in, if it was. One that ends while it is paused needs no such call."""

    def instances(
        self,
        *,
        active_only: bool = True,
        organisation: str | None = None,
        node: str | None = None,
        limit: int | None = None,
    ) -> list[Instance]:
        """Instances, the oldest first; active ones are starting, ready or draining.

        Args:
            organisation: those that work for it alone; None: all.
            node: those that it has started; None: those of all nodes.
            limit: no more than so many, the newest.
        """

    def costs(
        self, *, since: datetime, until: datetime, organisation: str | None = None, limit: int | None = None
    ) -> Costs:
        """What was booked in the hours that begin in a span, and what lives.

        Args:
            organisation: only what was booked to it; None: all.
            limit: no more than so many entries, whichever they are.
        """

    def spent(self, *, organisation: str | None, service: Service | None, since: datetime) -> int:
        """Nanodollars that have been booked since the hour of a moment; what lives is not among them.

        Args:
            organisation: what its attempts cost; None: what the instances cost, the idle ones too.
            service: of one service; None: of all.
        """

    def first_booked(self, *, organisation: str | None, service: Service | None) -> datetime | None:
        """The first hour in which anything was booked of these, meant as for `spent`; None: nothing ever was."""

    def cost_totals(self) -> list[Total]:
        """All that was ever booked, by service and line. It only grows."""
