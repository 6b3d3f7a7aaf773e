"""Webhooks: other programs are told what happens here."""

from __future__ import annotations

from http import HTTPStatus

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer, page, place_of
from pitchey_cli.api.call import Call
from pitchey_cli.domain.access import ALL_ORGANISATIONS
from pitchey_cli.domain.errors import Denied
from pitchey_cli.operations import webhooks as operation
from pitchey_cli.reports import webhooks as report


async def list_webhooks(call: Call) -> Response:
    """List the endpoints, the oldest first, without their secrets."""
    found = await call.read(lambda store: store.webhooks())
    return json_answer({"webhooks": [report.webhook(each) for each in found]})


async def add_webhook(call: Call, asked: models.AddWebhook) -> Response:
    """Add an endpoint. Its secret is in this answer and in no other."""
    organisation = asked.organisation if asked.organisation is not None else call.organisation
    if asked.all_organisations:
        if not call.actor.is_of_all:
            hint = "Name one's own organisation, or none."
            raise Denied("Only a token of all organisations can add a webhook for all of them.", hint=hint)
        organisation = ALL_ORGANISATIONS
    made = await call.write(
        lambda store: operation.add(
            store,
            asked.name,
            asked.url,
            organisation=organisation,
            types=asked.types,
            services=asked.services,
            allow_private=call.desk.wiring.settings.webhooks.allow_private,
            now=call.now,
        )
    )
    location = {"Location": f"/v1/webhooks/{made.id}"}
    return json_answer({**report.webhook(made), "secret": made.secret}, HTTPStatus.CREATED, location)


async def _shown(call: Call) -> Response:
    text = call.part("webhook")
    return json_answer(report.webhook(await call.read(lambda store: operation.find(store, text))))


async def get_webhook(call: Call) -> Response:
    """Show one endpoint, by its id or its name."""
    return await _shown(call)


async def remove_webhook(call: Call) -> Response:
    """Forget an endpoint, and what it has been told."""
    text = call.part("webhook")
    await call.write(lambda store: operation.remove(store, text))
    return empty_answer()


async def enable_webhook(call: Call) -> Response:
    """Tell an endpoint again what happens from now on."""
    text = call.part("webhook")
    await call.write(lambda store: operation.enable(store, text))
    call.desk.poke()
    return await _shown(call)


async def disable_webhook(call: Call, asked: models.DisableWebhook) -> Response:
    """Tell an endpoint nothing any more; what happens meanwhile it never hears."""
    text = call.part("webhook")
    await call.write(lambda store: operation.disable(store, text, why=asked.reason or "", now=call.now))
    return await _shown(call)


async def rotate_webhook(call: Call, asked: models.RotateWebhook) -> Response:
    """Give an endpoint another secret, which is in this answer alone. For a while messages are signed with both."""
    text = call.part("webhook")
    found, secret, _ = await call.write(
        lambda store: operation.rotate(store, text, overlap=asked.overlap, now=call.now)
    )  # fmt: skip
    shown = await call.read(lambda store: operation.find(store, found.id))
    return json_answer({**report.webhook(shown), "secret": secret})


async def test_webhook(call: Call) -> Response:
    """Send an endpoint a message that says nothing. What came of it is among its deliveries."""
    text = call.part("webhook")
    sent = await call.write(lambda store: operation.send_test(store, text, now=call.now))
    call.desk.poke()
    return json_answer(report.delivery(sent), HTTPStatus.ACCEPTED)


async def list_deliveries(call: Call, asked: models.DeliveriesQuery) -> Response:
    """List what an endpoint was told, the newest first, and what it answered."""
    text, before = call.part("webhook"), place_of(asked.cursor)
    found = await call.read(
        lambda store: operation.deliveries(store, text, state=asked.state, before_id=before, limit=asked.limit)
    )
    said = [report.delivery(each) for each in found]
    return page(call, "deliveries", said, limit=asked.limit, next_after=found[-1].id if found else None)


async def replay_deliveries(call: Call, asked: models.ReplayDeliveries) -> Response:
    """Send messages once more, under the ids that they had."""
    text = call.part("webhook")
    count = await call.write(
        lambda store: operation.replay(store, text, asked.messages, has_failed=asked.failed, now=call.now)
    )
    call.desk.poke()
    return json_answer({"messages": count})
