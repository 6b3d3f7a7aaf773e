"""Webhooks in the store. What is to be told is written by a trigger, which is there while somebody listens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from pitchey_cli.domain.errors import NameTaken, QuotaReached
from pitchey_cli.store import rows
from pitchey_cli.store.queries import QUERIES
from pitchey_cli.store.tenancy import Tenancy
from processors.vocabulary import Service

if TYPE_CHECKING:  # what `pitchey status` does not need is loaded when it is called
    from pitchey_cli.domain.webhooks import Delivery, DeliveryState, Verdict, Webhook

_END = 2**63 - 1
_AT_ONCE = 500  # deliveries that one call gives up or forgets: others must get their turn to write


class Outbox(Tenancy):
    """The webhooks of a store."""

    def add_webhook(self, webhook: Webhook) -> None:
        """Keep an endpoint with its secret; one more is not too many."""
        from pitchey_cli.domain.webhooks import MOST_WEBHOOKS

        with self._db.transaction():
            if webhook.organisation:
                self.organisation(webhook.organisation)
            if len(self.webhooks(organisation=webhook.organisation)) >= MOST_WEBHOOKS:
                who = webhook.organisation or "The installation"
                hint = "`pitchey webhooks remove` makes room. One endpoint can be told everything, and tell others."
                raise QuotaReached(f"{who} has {MOST_WEBHOOKS} webhooks, which is as many as there may be.", hint=hint)
            wanted = (_joined(webhook.types), _joined([each.value for each in webhook.services]))
            made = self._db.row(
                QUERIES["insert_webhook"],
                (webhook.id, webhook.name, webhook.organisation, webhook.url, *wanted, webhook.secret,
                 rows.micros(webhook.created_at)),
            )  # fmt: skip
            if made is None:
                who = webhook.organisation or "The installation"
                hint = "Choose another name, or `pitchey webhooks remove` that one first."
                raise NameTaken(f"{who} has a webhook {webhook.name!r} already.", hint=hint)
            self._listen()

    def _listen(self) -> None:
        """Have the trigger while somebody wants to be told, and no longer."""
        is_wanted = self.is_anybody_told()
        if self._is_told_as_now() if is_wanted else self._how_it_is_told() is None:
            return
        self._db.run(QUERIES["tell_no_webhooks"])
        if is_wanted:
            self._db.run(QUERIES["tell_webhooks"])

    def _how_it_is_told(self) -> str | None:
        """The words of the trigger, as the database has them; None where there is none."""
        found: str | None = self._db.value(QUERIES["how_webhooks_are_told"])
        return found

    def _is_told_as_now(self) -> bool:
        """Whether there is the trigger of this program; PostgreSQL keeps only the body of it."""
        told = self._how_it_is_told()
        return told is not None and told in self._db.words(QUERIES["tell_webhooks"])

    def _listen_as_now(self) -> None:
        """After an upgrade, have the trigger of this program."""
        if self._how_it_is_told() is not None and not self._is_told_as_now():
            with self._db.transaction():
                self._listen()

    def webhooks(self, *, organisation: str | None = None) -> Sequence[Webhook]:
        """Endpoints, the oldest first, without their secrets."""
        found = self._db.rows(QUERIES["webhooks"], {"organisation": organisation})
        return [replace(_webhook(row), secret="", old_secret=None) for row in found]

    def rotate_webhook(self, webhook_id: str, secret: str, *, until: datetime, now: datetime) -> bool:
        """Give an endpoint another secret; the one before counts as well until then."""
        change = {"id": webhook_id, "secret": secret, "until": rows.micros(until), "now": rows.micros(now)}
        return self._db.row(QUERIES["rotate_webhook"], change) is not None

    def enable_webhook(self, webhook_id: str) -> bool:
        """Tell an endpoint again what happens from now on; False when it is not disabled."""
        with self._db.transaction():
            has_changed = self._db.row(QUERIES["enable_webhook"], {"id": webhook_id}) is not None
            if has_changed:
                self._listen()
        return has_changed

    def disable_webhook(self, webhook_id: str, why: str, *, now: datetime) -> bool:
        """Tell an endpoint nothing any more; False when it is so already."""
        with self._db.transaction():
            change = {"id": webhook_id, "why": why, "now": rows.micros(now)}
            has_changed = self._db.row(QUERIES["disable_webhook"], change) is not None
            if has_changed:
                self._listen()
        return has_changed

    def remove_webhook(self, webhook_id: str) -> bool:
        """Forget an endpoint and its deliveries; False when there is none."""
        with self._db.transaction():
            has_changed = self._db.row(QUERIES["remove_webhook"], {"id": webhook_id}) is not None
            if has_changed:
                self._listen()
        return has_changed

    def remove_organisation(self, name: str, *, now: datetime) -> bool:
        """Forget an organisation, and its endpoints with it."""
        with self._db.transaction():
            if not super().remove_organisation(name, now=now):
                return False
            self._db.run(QUERIES["remove_webhooks_of"], {"organisation": name})
            self._listen()
        return True

    def add_delivery(self, delivery: Delivery) -> Delivery:
        """Send something that a person has asked for."""
        what = (delivery.webhook_id, delivery.message_id, delivery.type, delivery.subject, delivery.data)
        when = (delivery.at, delivery.until, delivery.next_at)
        with self._db.transaction():
            self._db.run(QUERIES["wake_webhook"], {"id": delivery.webhook_id})
            row = self._db.row(QUERIES["insert_delivery"], (*what, *map(rows.micros_or_none, when)))
            if row is None:  # the schema leaves out what would be too much
                hint = "`pitchey webhooks deliveries` shows them, and what was answered to those that were tried."
                raise QuotaReached("Too many messages wait for this webhook already.", hint=hint)
            return _delivery(row)

    def deliveries(
        self, webhook_id: str, *, state: DeliveryState | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """The deliveries to an endpoint, the newest first."""
        question = {"id": webhook_id, "before_id": _END if before_id is None else before_id, "limit": limit}
        if state is None:
            return [_delivery(row) for row in self._db.rows(QUERIES["deliveries"], question)]
        found = self._db.rows(QUERIES["deliveries_in_state"], {**question, "state": state.value})
        return [_delivery(row) for row in found]

    def delivery(self, webhook_id: str, message_id: str) -> Delivery | None:
        """One delivery."""
        row = self._db.row(QUERIES["delivery"], {"id": webhook_id, "message_id": message_id})
        return None if row is None else _delivery(row)

    def replay(self, webhook_id: str, message_id: str, *, until: datetime, now: datetime) -> bool:
        """Send a message once more, under its own id; False when it is still pending, or there is none."""
        change = {"id": webhook_id, "message_id": message_id, "until": rows.micros(until)}
        with self._db.transaction():
            self._db.run(QUERIES["wake_webhook"], {"id": webhook_id})
            if (row := self._db.row(QUERIES["replay_delivery"], change)) is None:
                return False
            self._go_on({(webhook_id, row["subject"])}, rows.micros(now))
            return True

    def replay_failed(self, webhook_id: str, *, until: datetime, now: datetime) -> int:
        """Send once more all that has been given up; how many there were."""
        at = rows.micros(now)
        with self._db.transaction():
            self._db.run(QUERIES["wake_webhook"], {"id": webhook_id})
            found = self._db.rows(QUERIES["replay_failed"], {"id": webhook_id, "until": rows.micros(until)})
            self._go_on({(webhook_id, row["subject"]) for row in found}, at)
        return len(found)

    # --- for whoever delivers

    def is_anybody_told(self) -> bool:
        """Whether there is an endpoint that is not disabled."""
        return bool(self._db.value(QUERIES["is_anybody_told"]))

    def due_webhooks(self, *, now: datetime) -> Sequence[str]:
        """The endpoints that may be asked now, and for which there is something."""
        return [row["id"] for row in self._db.rows(QUERIES["due_webhooks"], {"now": rows.micros(now)})]

    def due_deliveries(self, webhook_id: str, *, now: datetime, most: int) -> tuple[Webhook, Sequence[Delivery]] | None:
        """What is to be sent to an endpoint now, with its secrets; None when nothing is."""
        with self._db.snapshot():
            row = self._db.row(QUERIES["webhook"], {"id": webhook_id})
            if row is None or row["disabled_at"] is not None or (row["rests_until"] or 0) > rows.micros(now):
                return None
            limit = 1 if row["failures"] else most
            question = {"id": webhook_id, "now": rows.micros(now), "limit": limit}
            found = [_delivery(each) for each in self._db.rows(QUERIES["due_deliveries"], question)]
        return (_webhook(row), found) if found else None

    def note_try(self, delivery: Delivery, verdict: Verdict, *, now: datetime) -> None:
        """Note what became of a try, of the delivery and of its endpoint."""
        at = rows.micros(now)
        noted = {
            "id": delivery.id,
            "state": verdict.state.value,
            "next_at": rows.micros_or_none(verdict.next_at),
            "now": at,
            "status": verdict.status,
            "note": verdict.note,
        }
        with self._db.transaction():
            if self._db.row(QUERIES["note_try"], noted) is None:
                return
            if verdict.state != "pending":
                self._go_on({(delivery.webhook_id, delivery.subject)}, at)
            if verdict.state == "delivered":
                self._db.run(QUERIES["note_success"], {"id": delivery.webhook_id})
                return
            rest = rows.micros_or_none(verdict.rests_until)
            failed = {"id": delivery.webhook_id, "rests_until": rest, "failures": verdict.failures}
            self._db.run(QUERIES["note_failure"], failed)
            if verdict.disabled_because is not None:
                self.disable_webhook(delivery.webhook_id, verdict.disabled_because, now=now)

    def _go_on(self, subjects: set[tuple[str, str]], at: int) -> None:
        """Let the next message about each thing go, if none is on its way."""
        for webhook_id, subject in subjects:
            self._db.run(QUERIES["next_of_subject"], {"webhook_id": webhook_id, "subject": subject, "now": at})

    def bring_deliveries_forward(self, *, now: datetime, latest: datetime) -> None:
        """Make due now what is due after `latest`, and let nobody rest for longer."""
        change = {"latest": rows.micros(latest)}
        with self._db.transaction():
            self._db.run(QUERIES["bring_deliveries_forward"], {**change, "now": rows.micros(now)})
            self._db.run(QUERIES["end_long_rests"], change)

    def give_up_deliveries(self, *, now: datetime) -> int:
        """Give up those that it is too late for; how many there were."""
        at = rows.micros(now)
        with self._db.transaction():
            found = self._db.rows(QUERIES["late_deliveries"], {"now": at, "limit": _AT_ONCE})
            self._go_on({(row["webhook_id"], row["subject"]) for row in found}, at)
        return len(found)

    def forget_deliveries(self, *, before: datetime) -> int:
        """Forget what had ended before a time; how many there were."""
        question = {"before": rows.micros(before), "limit": _AT_ONCE}
        return len(self._db.rows(QUERIES["forget_deliveries"], question))


def _joined(names: Sequence[str]) -> str:
    return f" {' '.join(names)} " if names else ""


def _webhook(row: rows.Row) -> Webhook:
    from pitchey_cli.domain.webhooks import Webhook

    return Webhook(
        id=row["id"],
        name=row["name"],
        organisation=row["organisation"],
        url=row["url"],
        types=tuple(row["types"].split()),
        services=tuple(map(Service, row["services"].split())),
        created_at=rows.moment(row["created_at"]),
        secret=row["secret"],
        old_secret=row["old_secret"],
        old_secret_until=rows.moment_or_none(row["old_secret_until"]),
        disabled_at=rows.moment_or_none(row["disabled_at"]),
        disabled_because=row["disabled_because"],
        failures=row["failures"],
        rests_until=rows.moment_or_none(row["rests_until"]),
        pending=row["pending"],
        missed=row["missed"],
    )


def _delivery(row: rows.Row) -> Delivery:
    from pitchey_cli.domain.webhooks import Delivery, DeliveryState

    return Delivery(
        id=row["id"],
        webhook_id=row["webhook_id"],
        message_id=row["message_id"],
        type=row["type"],
        subject=row["subject"],
        data=row["data"],
        at=rows.moment(row["at"]),
        until=rows.moment(row["until_at"]),
        state=DeliveryState(row["state"]),
        next_at=rows.moment_or_none(row["next_at"]),
        tries=row["tries"],
        tried_at=rows.moment_or_none(row["tried_at"]),
        status=row["status"],
        note=row["note"],
    )
