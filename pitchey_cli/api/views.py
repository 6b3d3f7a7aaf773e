"""What the command line needs of a server to say what it says beside the database: views of the store, and the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from http import HTTPStatus
from typing import Any

import psutil
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.responses import Response

from pitchey_cli import __version__
from pitchey_cli.api import models
from pitchey_cli.api.admission import check
from pitchey_cli.api.alerts import standings
from pitchey_cli.api.answers import json_answer
from pitchey_cli.api.call import JSON, Call
from pitchey_cli.api.glance import overview
from pitchey_cli.api.problems import Refused
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.errors import InputNotFound
from pitchey_cli.engines import images
from pitchey_cli.operations.alerts import Standing
from pitchey_cli.operations.models.listing import Listed, listed
from pitchey_cli.store import views
from pitchey_cli.store.port import Store
from processors.vocabulary import Service

#: the settings that say what jobs are given and what they cost; the others are about the machine, and its owner's
_TOLD = ("queue", "limits", "media", "cost", "alerts", "node", "host", "services")
#: of these, what is told to one organisation: what its orders and prices depend on, and nothing that names another one
_TOLD_TO_ONE: Mapping[str, Sequence[str]] = {
    "queue": ("ageing_seconds", "off_peak"),
    "limits": ("input_bytes", "output_bytes"),
    "media": ("presets",),
    "cost": ("rates", "disk", "hours", "timezone", "regions", "spot"),
    "node": ("region", "is_spot"),
    "services": tuple(Service),
}
_LONGEST_WAIT_SECONDS = 5.0


async def look(call: Call) -> Response:
    """Look at the store as the command line does: the arguments of a view, and what the view gives, as JSON.

    For the command line of the same version. Programs have the other routes, whose answers stay as they are.
    """
    name = call.part("view")
    if name in _OF_THE_MACHINE:
        return Response(await _OF_THE_MACHINE[name](call), headers={"Cache-Control": "no-store"}, media_type=JSON)
    view = views.VIEWS.get(name)
    if view is None:
        raise InputNotFound(f"There is no view {name[:80]!r}.", hint="Is the server of another version?")
    _check(call, view)
    arguments = await call.json()
    if not isinstance(arguments, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "not-an-object", "The arguments of a view are a JSON object.")
    as_of = call.desk.wiring.as_of()
    found = await call.read(lambda store: views.answer(store, name, arguments, as_of))
    return Response(found, headers={"Cache-Control": "no-store"}, media_type=JSON)


def _check(call: Call, view: views.View) -> None:
    """Each view has a role of its own, and areas of which a narrowed token needs one."""
    if call.actor.areas and not (call.actor.areas & view.areas):
        check(call.actor, view.role, min(view.areas), of_all=False)
    check(call.actor, view.role, None, of_all=False)


async def get_surroundings(call: Call) -> Response:
    """Say who runs the jobs, what the clocks that count the cost say, and what is set of jobs and prices."""
    wiring, runner = call.desk.wiring, call.desk.runner()
    as_of = wiring.as_of()
    said = {
        "version": __version__,
        "views": views.SCHEMA,
        "now": as_of.now,
        "boot": as_of.boot,
        "tick": as_of.tick,
        "zone": getattr(as_of.zone, "key", None) or "",
        "zoneSeconds": (as_of.now.astimezone(as_of.zone).utcoffset() or timedelta()).total_seconds(),
        "services": [str(each) for each in images.available()],
        "runner": None if runner is None else asdict(runner),
        "nodes": await call.at_work(),
        "organisation": None if call.actor.is_of_all else call.organisation,
        "settings": _settings(wiring.settings, is_of_all=call.actor.is_of_all),
        "host": _host() if call.actor.is_of_all else None,
    }
    return Response(to_json(said), headers={"Cache-Control": "no-store"}, media_type=JSON)


def _settings(settings: Any, *, is_of_all: bool) -> Mapping[str, Any]:
    told = {name: asdict(getattr(settings, name)) for name in _TOLD}
    if is_of_all:
        return told
    return {name: {each: told[name][each] for each in names} for name, names in _TOLD_TO_ONE.items()}


def _host() -> Mapping[str, Any]:
    return {"cpus": psutil.cpu_count() or 1, "memoryBytes": psutil.virtual_memory().total}


async def get_changes(call: Call, asked: models.ChangesQuery) -> Response:
    """Say the number of the newest event; with `after`, once there is a newer one or anything else has changed."""
    deadline = asyncio.get_running_loop().time() + min(asked.wait or 0.0, _LONGEST_WAIT_SECONDS)

    def last(store: Store) -> int:
        return store.last_event_id()

    async with call.desk.watch.changes() as changed:
        await asyncio.sleep(0)
        changed.clear()
        found = await call.read(last)
        left = deadline - asyncio.get_running_loop().time()
        if asked.after is not None and found <= asked.after and left > 0:
            waits = [asyncio.create_task(each) for each in (changed.wait(), call.desk.ending.wait(), call.until_gone())]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for each in waits:
                each.cancel()
            found = await call.read(last)
    return json_answer({"lastEvent": found})


async def _alerts(call: Call) -> bytes:
    check(call.actor, Role.VIEWER, Area.POOLS, of_all=True)
    return TypeAdapter(list[Standing]).dump_json(await standings(call))


async def _models(call: Call) -> bytes:
    check(call.actor, Role.VIEWER, None, of_all=False)  # as GET /v1/models
    return TypeAdapter(list[Listed]).dump_json(await call.desk.shelf.run(lambda: [*listed(call.desk.wiring.models())]))


#: what is not of the store: the alerts look at the disk as well, and the models lie beside the database
_OF_THE_MACHINE: Mapping[str, Callable[[Call], Awaitable[bytes]]] = {
    "alerts": _alerts,
    "models": _models,
    "overview": overview,
}
