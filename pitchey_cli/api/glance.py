"""Everything at a glance, as `pitchey top` shows it: what is in the store, the host, and who runs the jobs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from pydantic import TypeAdapter

from pitchey_cli.api.admission import check
from pitchey_cli.api.call import Call
from pitchey_cli.domain.access import Area, Role
from pitchey_cli.domain.overview import Overview, Runner
from pitchey_cli.engines import images
from pitchey_cli.operations import overview as operation
from pitchey_cli.operations.overview import Looking
from pitchey_cli.store import views
from pitchey_cli.store.port import Store


async def overview(call: Call) -> bytes:
    """One moment of the whole installation."""
    check(call.actor, Role.VIEWER, Area.POOLS, of_all=True)
    wiring, desk = call.desk.wiring, call.desk

    def runner() -> Runner | None:
        found = desk.runner()
        if found is None:
            return None
        return Runner(found.pid, found.is_daemon, found.engine, datetime.fromtimestamp(found.started_at, UTC))

    looking = Looking(
        state_dir=wiring.state_dir,
        services=images.available(),
        rules=wiring.policies.alert_rules(),
        policy=wiring.policies.queue(),
        as_of=wiring.as_of,
        runner=runner,
    )

    def look(store: Store) -> Overview:
        return operation.look(store, looking, desk.host.look())

    found = await call.read(look)
    shown = replace(found, jobs=views.shown(list(found.jobs)), dead_letters=views.shown(list(found.dead_letters)))
    return TypeAdapter(Overview).dump_json(shown)
