"""Webhooks and what they have been told, for people and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.table import Table

from pitchey_cli.domain.webhooks import Delivery, DeliveryState, Webhook
from pitchey_cli.reports.as_json import SCHEMA, time
from pitchey_cli.reports.tables import cell, plain_table
from pitchey_cli.reports.wording import ago


def webhook(value: Webhook) -> dict[str, Any]:
    """One endpoint, without its secrets."""
    return {
        "schema": SCHEMA,
        "id": value.id,
        "name": value.name,
        "organisation": value.organisation or None,
        "url": value.url,
        "types": list(value.types),
        "services": list(value.services),
        "createdAt": time(value.created_at),
        "oldSecretUntil": time(value.old_secret_until),
        "disabledAt": time(value.disabled_at),
        "disabledBecause": value.disabled_because,
        "failures": value.failures,
        "restsUntil": time(value.rests_until),
        "pending": value.pending,
        "missed": value.missed,
    }


def delivery(value: Delivery) -> dict[str, Any]:
    """One delivery, with what is sent."""
    return {
        "schema": SCHEMA,
        "id": value.message_id,
        "webhookId": value.webhook_id,
        "type": value.type,
        "state": value.state,
        "at": time(value.at),
        "tries": value.tries,
        "triedAt": time(value.tried_at),
        "nextAt": time(value.next_at and max(value.next_at, value.at)),  # a test goes before all that waits
        "until": time(value.until),
        "status": value.status,
        "note": value.note,
        "data": json.loads(value.data),
    }


def webhooks(found: Sequence[Webhook], *, now: datetime) -> Table:
    """A table of endpoints."""
    table = plain_table("id", "name", "organisation", "URL", "types", "services", "state")
    for each in found:
        wanted = (" ".join(each.types) or "all", " ".join(each.services) or "all")
        who = cell(each.organisation or "all")
        table.add_row(each.id, cell(each.name), who, cell(each.url), *wanted, cell(_state(each, now)))
    return table


def _state(value: Webhook, now: datetime) -> str:
    if value.disabled_at is not None:
        return f"disabled: {value.disabled_because}"
    missed = f", missed {value.missed:,} messages" if value.missed else ""
    if value.failures:
        rest = f", rests until {value.rests_until:%H:%M:%S}" if value.rests_until and value.rests_until > now else ""
        return f"failed {value.failures} times in a row{rest}{missed}"
    return f"told{missed}"


def deliveries(found: Sequence[Delivery], *, now: datetime) -> Table:
    """A table of deliveries."""
    table = plain_table("message", "type", "about", "happened", "state", "tries", "last answer")
    for each in found:
        answer = each.note or ("" if each.status is None else str(each.status))
        told = (each.state, str(each.tries), cell(answer))
        table.add_row(each.message_id, each.type, cell(each.subject), ago(each.at, now), *told)
    return table


def outcome(value: Delivery) -> str:
    """What came of a message, in a sentence."""
    if value.state is DeliveryState.DELIVERED:
        return f"{value.message_id} was delivered: {value.status}."
    if not value.tries:
        return f"{value.message_id} has not been sent yet."
    again = f" It is tried again at {value.next_at:%H:%M:%S} UTC." if value.next_at else ""
    return f"{value.message_id} was not delivered. {value.note}.{again}"
