"""From what a request asks for to orders: the service, and for whom."""

from __future__ import annotations

from typing import Any

from pitchey_cli.api import models
from pitchey_cli.api.call import Call
from pitchey_cli.domain.errors import UsageError
from pitchey_cli.engines import images
from pitchey_cli.operations.naming import service_named
from pitchey_cli.operations.orders import Order
from pitchey_cli.operations.scaling import check_available


def order_of(call: Call, asked: models.SubmitJob) -> Order:
    """One job, as the operations have it.

    Raises:
        UsageError: there is no such service, or it is for another organisation than that of whoever asks.
    """
    service = service_named(asked.service)
    check_available(service, images.available())
    return Order(service, asked.spec, asked.name or "", words_of(call, asked), asked.no_cache)


def words_of(call: Call, asked: models.Queueing) -> dict[str, Any]:
    """When and how something queues, in the words of the queue; whoever is of one organisation asks for that one."""
    words = {name: getattr(asked, name) for name in models.Queueing.model_fields if getattr(asked, name) is not None}
    words.setdefault("organisation", call.organisation)
    if not call.actor.is_of_all and words["organisation"] != call.organisation:
        text = f"This is for {words['organisation']!r}, and the token is of {call.organisation!r}."
        raise UsageError(text, hint="Leave the organisation out.")
    if isinstance(words.get("priority"), int):
        words["priority"] = str(words["priority"])
    return words
