"""The part of the store's port that is about webhooks. `port.py` has the rest.

What is to be told is written down in the transaction of what has happened, by the database itself: nobody who changes a
job has to think of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # `pitchey status` starts without
    from pitchey_cli.domain.webhooks import Delivery, DeliveryState, Verdict, Webhook


class Webhooks(Protocol):
    """Whom to tell, and what has been told. What follows from an answer is decided in domain/webhooks.py."""

    def add_webhook(self, webhook: Webhook) -> None:
        """Keep an endpoint with its secret.

        Raises:
            InputNotFound: its organisation is not known.
            QuotaReached: that one has as many as it may have.
            NameTaken: that one has one of this name.
        """

    def webhooks(self, *, organisation: str | None = None) -> Sequence[Webhook]:
        """Endpoints, the oldest first, without their secrets.

        Args:
            organisation: only of this one; empty: of the whole installation; None: all.
        """

    def rotate_webhook(self, webhook_id: str, secret: str, *, until: datetime, now: datetime) -> bool:
        """Give an endpoint another secret; the one before counts as well until then. False when there is none."""

    def enable_webhook(self, webhook_id: str) -> bool:
        """Tell an endpoint again what happens from now on; False when it is not disabled."""

    def disable_webhook(self, webhook_id: str, why: str, *, now: datetime) -> bool:
        """Tell an endpoint nothing any more; False when it is so already. What is pending waits."""

    def remove_webhook(self, webhook_id: str) -> bool:
        """Forget an endpoint and its deliveries; False when there is none."""

    def add_delivery(self, delivery: Delivery) -> Delivery:
        """Send something that a person has asked for; QuotaReached when too much waits for that endpoint already."""

    def deliveries(
        self, webhook_id: str, *, state: DeliveryState | None = None, before_id: int | None = None, limit: int = 50
    ) -> Sequence[Delivery]:
        """The deliveries to an endpoint, the newest first."""

    def delivery(self, webhook_id: str, message_id: str) -> Delivery | None:
        """One delivery."""

    def replay(self, webhook_id: str, message_id: str, *, until: datetime, now: datetime) -> bool:
        """Send a message once more, under its own id; False when it is still pending, or there is none."""

    def replay_failed(self, webhook_id: str, *, until: datetime, now: datetime) -> int:
        """Send once more all that has been given up; how many there were."""

    # --- for whoever delivers

    def is_anybody_told(self) -> bool:
        """Whether there is an endpoint that is not disabled."""

    def due_webhooks(self, *, now: datetime) -> Sequence[str]:
        """The endpoints that may be asked now, and for which there is something."""

    def due_deliveries(self, webhook_id: str, *, now: datetime, most: int) -> tuple[Webhook, Sequence[Delivery]] | None:
        """What is to be sent to an endpoint now, with its secrets; None when nothing is. No two are about one thing.

        To one that has failed goes one at a time.
        """

    def note_try(self, delivery: Delivery, verdict: Verdict, *, now: datetime) -> None:
        """Note what became of a try, of the delivery and of its endpoint. A delivery that has gone changes nothing."""

    def bring_deliveries_forward(self, *, now: datetime, latest: datetime) -> None:
        """Make due now what is due after `latest`, and let nobody rest for longer: the clock was ahead."""

    def give_up_deliveries(self, *, now: datetime) -> int:
        """Give up those that it is too late for; how many there were. A long list takes several calls."""

    def forget_deliveries(self, *, before: datetime) -> int:
        """Forget what had ended before a time; how many there were. A long list takes several calls."""
