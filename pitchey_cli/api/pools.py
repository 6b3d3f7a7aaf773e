"""Instances, and why there are as many as there are."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import json_answer, page, place_of
from pitchey_cli.api.call import Call
from pitchey_cli.domain import moments
from pitchey_cli.domain.cost import cost_of
from pitchey_cli.engines import images
from pitchey_cli.operations import scaling as operation
from pitchey_cli.operations.nodes import names
from pitchey_cli.operations.overview import pools_now
from pitchey_cli.reports import as_json, scaling
from pitchey_cli.store.port import Store


async def list_instances(call: Call, asked: models.InstancesQuery) -> Response:
    """List the instances that there are, and what each has cost so far. Shared ones only to the whole installation."""
    as_of = call.desk.wiring.as_of()

    def look(store: Store) -> list[dict[str, Any]]:
        found = store.instances(active_only=not asked.ended, limit=asked.limit)
        nodes = names(store) if call.actor.is_of_all else {}
        return [
            as_json.billed_instance(each, cost_of(each, boot=as_of.boot, tick=as_of.tick))
            | {"nodeName": nodes.get(each.node)}
            for each in found
        ]

    return json_answer({"instances": await call.read(look)})


async def warm_instances(call: Call, asked: models.WarmInstances) -> Response:
    """Have instances of a service ready before anybody asks for them."""
    operation.check_available(asked.service, images.available())
    pool = operation.pool_to_warm(asked.service, asked.organisation)
    lasting = moments.span(asked.lasting, what="lasting")
    most = call.desk.wiring.policies.service(asked.service).max_instances

    def warm(store: Store) -> Any:
        return operation.keep_warm(store, pool, asked.instances, lasting=lasting, most=most, now=call.now)

    request = await call.write(warm)
    call.desk.poke()
    said = {"service": pool.service, "organisation": pool.organisation or None, "instances": request.instances}
    return json_answer({**said, "until": as_json.time(request.until)})


async def cool_instances(call: Call, asked: models.CoolInstances) -> Response:
    """Keep none of a service warm any more; those that are idle go by themselves."""
    operation.check_available(asked.service, images.available())
    pool = operation.pool_to_warm(asked.service, asked.organisation)
    was_warm = await call.write(lambda store: store.stop_warming(pool))
    call.desk.poke()
    return json_answer({"service": pool.service, "wasWarm": was_warm})


async def get_scaling(call: Call) -> Response:
    """Show each pool as it is now, and the last decision about it with all that led to it."""
    is_run = await call.desk.is_run()

    def look(store: Store) -> list[dict[str, Any]]:
        last = {each.pool: each for each in store.last_decisions()}
        found = pools_now(store, images.available(), is_run=is_run, now=call.now)
        nodes = names(store)
        return [scaling.pool_as_json(each, last.get(each.pool), nodes=nodes) for each in found]

    return json_answer({"pools": await call.read(look)})


async def list_scaling_events(call: Call, asked: models.ScalingEventsQuery) -> Response:
    """List what has changed about the pools, the newest first, and why."""
    before = place_of(asked.cursor)
    found, nodes = await call.read(
        lambda store: (store.scaling_events(service=asked.service, before_id=before, limit=asked.limit), names(store))
    )
    last = found[-1].id if found else None
    said = [scaling.event_as_json(each, nodes=nodes) for each in found]
    return page(call, "events", said, limit=asked.limit, next_after=last)
