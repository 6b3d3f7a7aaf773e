"""What is said of webhooks; see said.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from pitchey_cli.api.route import Said
from pitchey_cli.domain.webhooks import DeliveryState
from processors.vocabulary import Service


class WebhookSaid(Said):
    """An endpoint, without its secret."""

    schema_: int = Field(alias="schema")
    id: str
    name: str
    organisation: str | None
    url: str
    types: list[str]
    services: list[Service]
    created_at: datetime
    old_secret_until: datetime | None
    disabled_at: datetime | None
    disabled_because: str | None
    failures: int
    rests_until: datetime | None
    pending: int
    missed: int


class NewSecretSaid(WebhookSaid):
    """An endpoint that has just got a secret, which is said this once."""

    secret: str


class WebhooksSaid(Said):
    """Endpoints."""

    webhooks: list[WebhookSaid]


class DeliverySaid(Said):
    """One message to an endpoint, and what came of it."""

    schema_: int = Field(alias="schema")
    id: str
    webhook_id: str
    type: str
    state: DeliveryState
    at: datetime
    tries: int
    tried_at: datetime | None
    next_at: datetime | None
    until: datetime
    status: int | None
    note: str | None
    data: dict[str, Any]


class DeliveriesSaid(Said):
    """What an endpoint was told, the newest first."""

    deliveries: list[DeliverySaid]
    next: str | None


class ReplayedSaid(Said):
    """How many messages are sent again."""

    messages: int
