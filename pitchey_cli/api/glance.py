"""Everything at a glance, as `pitchey top` shows it: what is in the store, the host, and who runs the jobs."""

from __future__ import annotations

from dataclasses import replace

from pydantic import TypeAdapter

from pitchey_cli.api.admission import check
from pitchey_cli.api.call import Call
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.overview import Overview
from pitchey_cli.operations import overview as operation
from pitchey_cli.store import views


async def overview(call: Call) -> bytes:
    """One moment of the whole installation."""
    check(call.actor, Role.VIEWER, Area.POOLS, of_all=True)
    looking, host = call.desk.wiring.looking(), call.desk.host
    found = await call.read(lambda store: operation.look(store, looking, host.look()))
    shown = replace(found, jobs=views.shown(list(found.jobs)), dead_letters=views.shown(list(found.dead_letters)))
    return TypeAdapter(Overview).dump_json(shown)
