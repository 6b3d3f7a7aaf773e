"""Instances and what they cost in the store. What is booked is decided in domain/cost.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pitchey_cli.domain.cost import (
    Entry,
    Life,
    Line,
    instance_entries,
    pause_entries,
    summed,
    total,
)
from pitchey_cli.domain.errors import EpochOver, InputNotFound, PoolFull
from pitchey_cli.domain.job import Instance, InstanceState, LoadedModel
from pitchey_cli.domain.nodes import Epoch
from pitchey_cli.domain.pools import PoolKey
from pitchey_cli.store import instance_rows, rows
from pitchey_cli.store.accounts import Costs, Total
from pitchey_cli.store.database import Database
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.reading import Reader
from processors.vocabulary import Service

_LIVES_KEPT = 256  # for as long as attempts end on them


class Ledger(Reader):
    """The accounts of a store."""

    def __init__(self, connection: Database) -> None:
        super().__init__(connection)
        self._lives: dict[str, Life] = {}

    # --- instances

    def add_instance(self, instance: Instance, *, under: Epoch | None = None, at_most: int | None = None) -> None:
        """Record an instance before it is asked of the engine."""
        with self._db.transaction():
            if under is not None and self._db.row(QUERIES["may_act"], rows.epoch_values(under)) is None:
                raise EpochOver("Others have taken over what this node ran: it starts nothing.")
            if at_most is not None and self._count_pool(instance.pool) >= at_most:
                raise PoolFull(f"All nodes together have {at_most} instances of {instance.pool}, and may have no more.")
            self._db.run(QUERIES["insert_instance"], instance_rows.instance_values(instance))

    def _count_pool(self, pool: PoolKey) -> int:
        """How many instances of a pool all nodes have together."""
        service, size, organisation = rows.pool_values(pool)
        question = {"service": service, "size": size, "organisation": organisation}
        return int(self._db.value(QUERIES["count_pool"], question))

    def set_instance(
        self, instance_id: str, state: InstanceState, *, now: datetime, tick: int | None, note: str | None = None
    ) -> None:
        """Record a change; READY and STOPPED or LOST note their time, and the latter two book what it cost."""
        change = {
            "instance_id": instance_id,
            "state": state.value,
            "now": rows.micros(now),
            "tick": tick,
            "note": note,
        }
        with self._db.transaction():
            row = self._db.row(QUERIES["set_instance"], change)
            if row is None:
                self._instance(instance_id)  # it has ended before, or there is none
                return
            instance = instance_rows.instance_from(row)
            if instance.stopped_tick is not None:
                self._settle(instance, instance.stopped_tick)

    def _settle(self, instance: Instance, end: int) -> None:
        booked = instance_entries(instance, end)
        self._book(booked)
        self._db.run(QUERIES["end_pause"], {"instance_id": instance.id, "tick": end})
        cost = {"instance_id": instance.id, "cost_nanodollars": total(booked, Line.INSTANCE)}
        self._db.run(QUERIES["set_instance_cost"], cost)

    def _instance(self, instance_id: str) -> Instance:
        row = self._db.row(QUERIES["instance"], {"instance_id": instance_id})
        if row is None:
            raise InputNotFound(f"There is no instance {instance_id}.")
        return instance_rows.instance_from(row)

    def set_models(self, instance_id: str, models: Sequence[LoadedModel]) -> None:
        """Note which models an instance has loaded now."""
        self._db.run(QUERIES["set_models"], {"instance_id": instance_id, "models": instance_rows.models_value(models)})

    def note_seen(self, *, boot: str, tick: int, gone: Sequence[str] = (), node: str = "") -> None:
        """Note that the instances of a node and of this boot are there, but those that are known to be gone."""
        self._db.run(QUERIES["note_seen"], {"node": node, "boot": boot, "tick": tick, "gone": rows.encode(list(gone))})

    def pause_instance(self, instance_id: str, *, tick: int) -> None:
        """Note that an instance is paused from now on; one that is already stays so."""
        self._db.run(QUERIES["pause_instance"], {"instance_id": instance_id, "tick": tick})

    def unpause_instance(self, instance_id: str, *, tick: int) -> None:
        """Book the pause that an instance was in, if it was."""
        with self._db.transaction():
            instance = self._instance(instance_id)
            if instance.paused_tick is not None:
                self._book(pause_entries(instance, tick))
                self._db.run(
                    QUERIES["end_pause"], {"instance_id": instance_id, "tick": max(tick, instance.paused_tick)}
                )

    def instances(
        self,
        *,
        active_only: bool = True,
        organisation: str | None = None,
        node: str | None = None,
        limit: int | None = None,
    ) -> list[Instance]:
        """Instances, the oldest first; active ones are starting, ready or draining."""
        whose = {"organisation": organisation, "node": node}
        if active_only:  # of which there are few
            found = self._db.rows(QUERIES["active_instances"], whose)[-(limit or 0) :]
        else:
            found = self._db.rows(QUERIES["all_instances"], {**whose, "limit": limit})
        return [instance_rows.instance_from(row) for row in found]

    # --- the ledger

    def _life(self, instance_id: str) -> Life:
        if instance_id not in self._lives:  # nothing of it ever changes
            if len(self._lives) >= _LIVES_KEPT:
                self._lives.clear()
            self._lives[instance_id] = instance_rows.life_from(
                self._db.rows(QUERIES["life"], {"instance_id": instance_id})[0]
            )
        return self._lives[instance_id]

    def _book(self, booked: Iterable[Entry]) -> None:
        self._db.run_many(QUERIES["book"], [instance_rows.entry_values(each) for each in summed(booked)])

    def costs(
        self, *, since: datetime, until: datetime, organisation: str | None = None, limit: int | None = None
    ) -> Costs:
        """What was booked in the hours that begin in a span, and what lives."""
        span = {"since": rows.micros(since), "until": rows.micros(until), "limit": limit}
        with self._db.snapshot():
            found = (
                self._db.rows(QUERIES["ledger"], span)
                if organisation is None
                else self._db.rows(QUERIES["ledger_of"], {**span, "organisation": organisation})
            )
            booked = [instance_rows.entry_from(row) for row in found]
            attempts = [instance_rows.live_attempt_from(row) for row in self._db.rows(QUERIES["live_attempts"])]
            return Costs(booked, self.instances(), attempts)

    def spent(self, *, organisation: str | None, service: Service | None, since: datetime) -> int:
        """Nanodollars that have been booked since the hour of a moment; what lives is not among them."""
        question = {
            "organisation": organisation,
            "service": None if service is None else service.value,
            "since": rows.micros(since.replace(minute=0, second=0, microsecond=0)),
        }
        name = "spent_on_instances" if organisation is None else "spent_by_organisation"
        return int(self._db.value(QUERIES[name], question))

    def first_booked(self, *, organisation: str | None, service: Service | None) -> datetime | None:
        """The first hour in which anything was booked; None: nothing ever was."""
        question = {"organisation": organisation, "service": None if service is None else service.value}
        name = "first_booked_of_instances" if organisation is None else "first_booked_of_organisation"
        row = self._db.row(QUERIES[name], question)
        return None if row is None else rows.moment(row["hour"])

    def cost_totals(self) -> list[Total]:
        """All that was ever booked, by service and line. It only grows."""
        return [
            Total(Service(row["service"]), Line(row["line"]), row["nanodollars"], row["attempts"])
            for row in self._db.rows(QUERIES["cost_totals"])
        ]
