"""Whether it works, what it counts, and what it is made of."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from pitchey_cli import __version__
from pitchey_cli.api.answers import json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.domain.errors import StoreError
from pitchey_cli.engines import images
from pitchey_cli.operations import metrics
from pitchey_cli.store.port import Store


async def healthz(call: Call) -> Response:
    """Say that the API of this node answers."""
    return json_answer({"status": "ok", "version": __version__})


async def readyz(call: Call) -> Response:
    """Say whether this node takes jobs and runs them: 503 without a database or a daemon, and while the daemon drains.

    It says nothing of other nodes of the queue: those answer for themselves.
    """
    runner, has_database = call.desk.runner(), True
    try:
        await call.desk.readers.call(lambda store: store.last_event_id())
    except StoreError:
        has_database = False
    has_daemon = runner is not None and runner.is_daemon
    is_ready = has_database and has_daemon and not call.desk.is_draining
    said = {
        "status": "ready" if is_ready else "not ready",
        "database": has_database,
        "daemon": has_daemon,
        "isDraining": call.desk.is_draining,
    }
    return json_answer(said, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE)


async def get_status(call: Call) -> Response:
    """Say how many jobs of each service stand where, how many instances there are, and who runs them.

    That is of the whole queue; `daemon` and `isDraining` are of the node that answers, `nodes` names those that are up.
    """
    runner, nodes = call.desk.runner(), await call.at_work()

    def look(store: Store) -> dict[str, Any]:
        counts = {service: dict(states) for service, states in store.counts().by_service.items()}
        return {"jobs": counts, "instances": len(store.instances())}

    daemon = {"daemon": runner is not None and runner.is_daemon, "isDraining": call.desk.is_draining}
    return json_answer({**await call.read(look), **daemon, "nodes": nodes})


async def list_services(call: Call) -> Response:
    """List the services that this server runs, and what an instance of each is."""
    policies = call.desk.wiring.policies
    found = [(each, policies.service(each)) for each in images.available()]
    return json_answer(
        {
            "services": [
                {
                    "name": service,
                    "instanceType": chosen.instance_type,
                    "slots": chosen.slots,
                    "maxInstances": chosen.max_instances,
                    "timeoutSeconds": chosen.timeout_seconds,
                    "maxAttempts": chosen.max_attempts,
                    "pricePerHourUsd": chosen.price_per_hour,
                }
                for service, chosen in found
            ]
        }
    )


async def get_metrics(call: Call) -> Response:
    """Everything that is counted, in Prometheus' text format."""
    body = (await call.read(call.desk.wiring.metrics)).encode()
    return Response(body, headers={"Cache-Control": "no-store", "Content-Type": metrics.CONTENT_TYPE})


async def get_openapi(call: Call) -> Response:
    """This description of the API, as OpenAPI 3.1."""
    from pitchey_cli.api.openapi import document

    return json_answer(document())
