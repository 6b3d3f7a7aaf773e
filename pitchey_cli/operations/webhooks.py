"""Webhooks: who is told what happens here, and what has been told."""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from pitchey_cli.domain.access import ID_LENGTH
from pitchey_cli.domain.addresses import is_forbidden, said_by
from pitchey_cli.domain.errors import Denied, InputNotFound, UsageError
from pitchey_cli.domain.moments import span
from pitchey_cli.domain.webhooks import (
    SECRET_BYTES,
    TEST_TYPE,
    TRIED_FOR,
    Delivery,
    DeliveryState,
    Webhook,
    may_be_told,
    new_secret,
    types_named,
)
from pitchey_cli.operations.access import letters
from pitchey_cli.operations.naming import name
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

_MOST_CHARACTERS = 2000  # of a URL
_LONGEST_OVERLAP = timedelta(days=30)
_LIST = "`pitchey webhooks list` shows them."


def add(
    store: Store,
    text: str,
    url: str,
    *,
    organisation: str,
    types: Collection[str] = (),
    services: Collection[str] = (),
    allow_private: bool,
    now: datetime,
) -> Webhook:
    """Tell an endpoint what happens from now on.

    Args:
        text: what to call it.
        organisation: empty for what happens in the whole installation.
        types: names, or families as `job.*`; none: all.
        services: by name; none: all.

    Returns:
        It, with its secret.

    Raises:
        UsageError: no URL that can be told anything, or no such type or service.
        Denied: it is at an address that webhooks do not go to.
        InputNotFound: there is no such organisation.
        QuotaReached: it has as many as it may have.
        NameTaken: it has one of this name.
    """
    if not text or len(text) > 100:
        hint = "As chat or billing."
        raise UsageError(f"The name of a webhook has 1 to 100 characters, and not {len(text)}.", hint=hint)
    wanted = types_named(types)
    if organisation and any(each.startswith("alert.") for each in wanted):
        hint = "A webhook of all organisations (--all-organisations) is told of them."
        raise UsageError(f"Alerts are about the whole installation, and not about {organisation}.", hint=hint)
    made = Webhook(
        id=letters(ID_LENGTH),
        name=name(text, "the webhook"),
        organisation=organisation,
        url=_checked(url, allow_private=allow_private),
        types=wanted,
        services=_services_named(services),
        created_at=now,
        secret=_secret(),
    )
    store.add_webhook(made)
    return made


def _checked(url: str, *, allow_private: bool) -> str:
    hint = "As https://example.org/hooks, without a name and a password in it."
    if len(url) > _MOST_CHARACTERS or any(not "!" <= character <= "~" for character in url):
        raise UsageError("The URL has a character that none has, or more than 2,000 of them.", hint=hint)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise UsageError(f"{url} is no URL: {error}.", hint=hint) from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"{url} is no URL that begins with https:// or http://.", hint=hint)
    if parts.username is not None or parts.fragment or "\\" in url:
        raise UsageError("The URL has a part that is not sent, or that everybody would see.", hint=hint)
    # What a name leads to is looked at each time that something is sent; here only what says so itself is.
    address = said_by(host)
    if address is not None and not may_be_told(address, allow_private=allow_private):
        is_never = is_forbidden(address)
        hint = "Webhooks never go there." if is_never else "`webhooks.allow_private` lets webhooks go there."
        raise Denied(f"{host} is no public address.", hint=hint)
    return url


def _services_named(texts: Collection[str]) -> tuple[Service, ...]:
    wanted: set[Service] = set()
    for text in texts:
        try:
            wanted.add(Service(text))
        except ValueError:
            raise UsageError(f"There is no service {text!r}.", hint=f"There are {', '.join(Service)}.") from None
    return tuple(each for each in Service if each in wanted)


def _secret() -> str:
    return new_secret(secrets.token_bytes(SECRET_BYTES))


def find(store: Store, text: str) -> Webhook:
    """An endpoint by its id, or by its name where only one has it.

    Raises:
        InputNotFound: there is none.
        UsageError: several have the name.
    """
    found = [each for each in store.webhooks() if text in (each.id, each.name)]
    found = [each for each in found if each.id == text] or found
    if not found:
        raise InputNotFound(f"There is no webhook {text!r}.", hint=_LIST)
    if len(found) > 1:
        ids = ", ".join(each.id for each in found)
        raise UsageError(f"{len(found)} webhooks are called {text!r}.", hint=f"Say which: {ids}.")
    return found[0]


def rotate(store: Store, text: str, *, overlap: str, now: datetime) -> tuple[Webhook, str, datetime]:
    """Give an endpoint another secret. What is sent is signed with both until the overlap is over.

    Args:
        overlap: for how long, as 24h.

    Returns:
        The endpoint, its new secret, and until when the old one counts.
    """
    found, length = find(store, text), span(overlap, what="--overlap")
    if length > _LONGEST_OVERLAP:
        raise UsageError("Two secrets count for 30 days at most.", hint="--overlap 24h is usual.")
    made = _secret()
    if not store.rotate_webhook(found.id, made, until=now + length, now=now):
        raise InputNotFound(f"There is no webhook {text!r}.", hint=_LIST)
    return found, made, now + length


def enable(store: Store, text: str) -> tuple[Webhook, bool]:
    """Tell an endpoint again; whether it was disabled."""
    found = find(store, text)
    return found, store.enable_webhook(found.id)


def disable(store: Store, text: str, *, why: str = "", now: datetime) -> tuple[Webhook, bool]:
    """Tell an endpoint nothing any more; whether it was told before."""
    found = find(store, text)
    return found, store.disable_webhook(found.id, why or "Somebody has disabled it.", now=now)


def remove(store: Store, text: str) -> Webhook:
    """Forget an endpoint, and what it has been told."""
    found = find(store, text)
    store.remove_webhook(found.id)
    return found


def send_test(store: Store, text: str, *, now: datetime) -> Delivery:
    """Send an endpoint a message that says nothing, whatever else it wants to be told.

    Raises:
        UsageError: it is disabled.
        QuotaReached: too much waits for it already.
    """
    found = find(store, text)
    if found.disabled_at is not None:
        hint = f"`pitchey webhooks enable {found.id}` lets it be told again."
        raise UsageError(f"The webhook {found.name} is disabled: {found.disabled_because}", hint=hint)
    message_id = f"msg_{secrets.token_hex(12)}"
    data = json.dumps({"webhookId": found.id, "name": found.name, "isTest": True})
    subject = f"test {message_id}"
    first = now - TRIED_FOR  # before all that waits: a person looks on
    return store.add_delivery(
        Delivery(0, found.id, message_id, TEST_TYPE, subject, data, now, until=now + TRIED_FOR, next_at=first)
    )


def deliveries(
    store: Store, text: str, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> Sequence[Delivery]:
    """What an endpoint has been told, the newest first."""
    try:
        wanted = None if state is None else DeliveryState(state)
    except ValueError:
        hint = f"There are {', '.join(DeliveryState)}."
        raise UsageError(f"No delivery is ever {state!r}.", hint=hint) from None
    return store.deliveries(find(store, text).id, state=wanted, before_id=before_id, limit=limit)


def replay(store: Store, text: str, messages: Collection[str] = (), *, has_failed: bool = False, now: datetime) -> int:
    """Send messages once more, under the ids that they had; how many there are.

    Args:
        messages: their ids.
        has_failed: all that has been given up.

    Raises:
        UsageError: neither is said, or both are.
        InputNotFound: there is no such message.
    """
    if bool(messages) is has_failed:
        raise UsageError("What is to be sent again?", hint="Name messages, or say --failed for all that was given up.")
    found, until = find(store, text), now + TRIED_FOR
    if has_failed:
        return store.replay_failed(found.id, until=until, now=now)
    with store.transaction():
        asked: dict[int, str] = {}
        for message_id in messages:
            if (known := store.delivery(found.id, message_id)) is None:
                hint = f"`pitchey webhooks deliveries {found.id}` shows them."
                raise InputNotFound(f"{found.name} was never sent {message_id!r}.", hint=hint)
            asked[known.id] = message_id
        return sum(store.replay(found.id, asked[number], until=until, now=now) for number in sorted(asked))
