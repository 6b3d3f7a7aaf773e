"""Schedules: jobs that are submitted again and again."""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import quote

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.api.ordering import order_of
from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.domain.recurrence import Schedule
from pitchey_cli.operations import orders
from pitchey_cli.operations import schedules as operation
from pitchey_cli.reports import as_json
from pitchey_cli.store.port import Store


async def list_schedules(call: Call) -> Response:
    """List the schedules: when they come next, when they came last, and what went wrong then."""
    found = await call.read(lambda store: store.schedules())
    return json_answer({"schedules": [as_json.schedule(each) for each in found]})


async def get_schedule(call: Call) -> Response:
    """Show one schedule."""
    name = call.part("name")
    return json_answer(as_json.schedule(await call.read(lambda store: store.schedule(name))))


async def add_schedule(call: Call, asked: models.AddSchedule) -> Response:
    """Add a schedule: what a job takes, and when. Its inputs are URLs, which are fetched anew each time."""
    request = orders.recurring(order_of(call, asked), asked.inputs)

    def add(store: Store) -> Schedule:
        return operation.add(
            call.desk.submitting(store),
            request,
            name=asked.schedule,
            cron=asked.cron,
            timezone=asked.timezone or "",
            misfire=asked.misfire,
            now=call.now,
        )

    added = await call.write(add)
    call.desk.poke()
    location = {"Location": f"/v1/schedules/{quote(added.name)}"}
    return json_answer(as_json.schedule(added), HTTPStatus.CREATED, location)


async def pause_schedule(call: Call) -> Response:
    """Pause a schedule. Its times pass unserved."""
    name = call.part("name")

    def pause(store: Store) -> Schedule:
        store.pause_schedule(name, is_paused=True, next_at=store.schedule(name).next_at)
        return store.schedule(name)

    return json_answer(as_json.schedule(await call.write(pause)))


async def resume_schedule(call: Call) -> Response:
    """Let a paused schedule go on with its next time."""
    name = call.part("name")

    def resume(store: Store) -> Schedule:
        operation.resume(store, name, now=call.now)
        return store.schedule(name)

    found = await call.write(resume)
    call.desk.poke()
    return json_answer(as_json.schedule(found))


async def run_schedule(call: Call) -> Response:
    """Submit the jobs of a schedule once more, now."""
    name = call.part("name")
    ids = await call.work(lambda store: operation.run_now(call.desk.submitting(store), name, now=call.now))
    call.desk.poke()
    found = await call.read(lambda store: [as_json.job(store.job(each)) for each in ids])
    return json_answer({"jobs": found, "notices": []}, HTTPStatus.CREATED)


async def remove_schedule(call: Call) -> Response:
    """Forget a schedule. Jobs that it has submitted stay."""
    name = call.part("name")
    if not await call.write(lambda store: store.remove_schedule(name)):
        raise InputNotFound(f"There is no schedule {name!r}.", hint="GET /v1/schedules names them.")
    return empty_answer()
