"""The nodes that share the queue."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import json_answer
from pitchey_cli.api.call import Call
from pitchey_cli.operations import nodes as operation
from pitchey_cli.reports import nodes as report
from pitchey_cli.store.port import Store


async def list_nodes(call: Call, asked: models.NodesQuery) -> Response:
    """List the nodes: what each is, what it runs, and when it was last heard of."""

    def look(store: Store) -> list[dict[str, Any]]:
        found = operation.nodes(store, with_removed=asked.removed)
        return [report.document(each, now=call.now) for each in found]

    return json_answer({"nodes": await call.read(look)})


async def get_node(call: Call) -> Response:
    """Show one node."""
    name = call.part("node")
    return json_answer(await call.read(lambda store: report.document(operation.node(store, name), now=call.now)))


async def drain_node(call: Call) -> Response:
    """Let a node take nothing new: it ends what it runs. That stays so until it is undrained."""
    return await _set_drained(call, is_drained=True)


async def undrain_node(call: Call) -> Response:
    """Let a node take jobs again."""
    return await _set_drained(call, is_drained=False)


async def _set_drained(call: Call, *, is_drained: bool) -> Response:
    name = call.part("node")

    def change(store: Store) -> dict[str, Any]:
        found = operation.find(store, name)
        store.drain_node(found.id, is_drained=is_drained, now=call.now)
        return report.document(operation.node(store, found.id), now=call.now)

    changed = await call.write(change)
    call.desk.poke()
    return json_answer(changed)


async def remove_node(call: Call, asked: models.RemoveNodeQuery) -> Response:
    """Forget a node. What it left running waits again, and uses up no attempt."""
    name = call.part("node")

    def remove(store: Store) -> dict[str, Any]:
        found = operation.find(store, name)
        operation.check_removable(found, force=asked.force)
        taken = store.remove_node(found.id, now=call.now)
        return {"jobs": list(taken.jobs if taken else ()), "instances": list(taken.instances if taken else ())}

    removed = await call.write(remove)
    call.desk.poke()
    return json_answer(removed)
